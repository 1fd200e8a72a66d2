//! Why connections end, in the numbers that clients get.

use crate::contract::ErrorCode;

/// All is well: the client has said goodbye.
pub(super) const NORMAL: u16 = 1000;
/// The client breaks the protocol.
pub(super) const PROTOCOL: u16 = 1002;
/// A text is no UTF-8.
pub(super) const NO_TEXT: u16 = 1007;
/// A message is larger than any may be.
pub(super) const TOO_LARGE: u16 = 1009;
/// Something went wrong on the server.
pub(super) const INTERNAL: u16 = 1011;
/// The server shuts down; come back, to another instance.
pub(super) const RESTART: u16 = 1012;
/// What to do is to come back with the last cursor: the client was too slow, or its events have gone from the log.
pub(super) const COME_BACK: u16 = 1013;

/// The first of the numbers that are ours.
const OURS: u16 = 4000;

/// The number for a refusal that ends a connection: 4000 and the HTTP status of the same refusal.
pub(super) fn refused(code: ErrorCode) -> u16 {
    OURS + code.http_status()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_numbers_of_http() {
        for code in ErrorCode::ALL {
            assert!((4400..4600).contains(&refused(code)), "{code}");
        }
        assert_eq!(refused(ErrorCode::Unauthenticated), 4401);
        assert_eq!(refused(ErrorCode::Unavailable), 4503);
    }
}

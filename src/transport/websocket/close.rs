//! Why connections end, in the numbers that clients get (RFC 6455, section 7.4).

use crate::contract::ErrorCode;
use crate::transport::connection::Close;

/// The client breaks the protocol.
pub(super) const PROTOCOL: u16 = 1002;
/// A text is not UTF-8.
pub(super) const NOT_UTF8: u16 = 1007;
/// The client may not connect: the credential in its address or a header counts for nothing.
pub(super) const POLICY: u16 = 1008;
/// A message is larger than any may be.
pub(super) const TOO_LARGE: u16 = 1009;
/// The first of the numbers that are ours.
const OURS: u16 = 4000;

/// The number of a close.
pub(super) fn code(close: Close) -> u16 {
    match close {
        Close::Normal => 1000,
        Close::Violation(code) => code,
        Close::Internal => 1011,
        Close::Restart => 1012,
        Close::TryAgain => 1013,
        Close::Kicked => refused(ErrorCode::Forbidden),
        Close::Replaced => refused(ErrorCode::Conflict),
        Close::Refused(code) => refused(code),
    }
}

/// The number for a refusal that ends a connection: 4000 and the HTTP status of the same refusal.
fn refused(code: ErrorCode) -> u16 {
    OURS + code.http_status()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_have_the_numbers_of_http() {
        for &code in ErrorCode::ALL {
            assert!((4400..4600).contains(&refused(code)), "{code}");
        }
        assert_eq!(refused(ErrorCode::Unauthenticated), 4401);
        assert_eq!(refused(ErrorCode::Unavailable), 4503);
    }
}

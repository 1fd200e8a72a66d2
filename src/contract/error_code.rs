//! Why something was refused, in the words of the wire: one table for acks, HTTP and WebSocket.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;

/// Makes the enum, the list of all and their properties out of one table: name on the wire, HTTP status, whether the same
/// may succeed later.
macro_rules! codes {
    ($($(#[$about:meta])* $code:ident = $name:literal, $status:literal, $retryable:literal;)*) => {
        /// Why something was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
        pub enum ErrorCode {
            $($(#[$about])* #[serde(rename = $name)] $code,)*
        }

        impl ErrorCode {
            /// All codes.
            pub const ALL: &'static [Self] = &[$(Self::$code,)*];

            const fn row(self) -> (&'static str, u16, bool) {
                match self {
                    $(Self::$code => ($name, $status, $retryable),)*
                }
            }
        }
    };
}

codes! {
    /// There is no event of that name.
    UnknownEvent = "unknown_event", 400, false;
    /// The payload breaks a rule; `field` says where.
    ValidationFailed = "validation_failed", 422, false;
    /// The payload, or what would become of the entity, is too large.
    PayloadTooLarge = "payload_too_large", 413, false;
    /// There is no token, or it is not valid.
    Unauthenticated = "unauthenticated", 401, false;
    /// The caller may not do this.
    Forbidden = "forbidden", 403, false;
    /// There is no such thing.
    NotFound = "not_found", 404, false;
    /// It has been deleted.
    Gone = "gone", 410, false;
    /// Somebody else has changed the same in the meantime.
    Conflict = "conflict", 409, false;
    /// It is not, or not any more, as `If-Match` says that it must be.
    PreconditionFailed = "precondition_failed", 412, false;
    /// The idempotency key belongs to another command.
    IdempotencyKeyReused = "idempotency_key_reused", 422, false;
    /// Something else can be done there.
    MethodNotAllowed = "method_not_allowed", 405, false;
    /// The body is of another form than the server understands.
    UnsupportedMediaType = "unsupported_media_type", 415, false;
    /// Too much at once; `retryAfterMs` says when to try again.
    RateLimited = "rate_limited", 429, true;
    /// The server can't do it now.
    Unavailable = "unavailable", 503, true;
    /// The server is to blame.
    Internal = "internal", 500, false;
}

impl ErrorCode {
    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        self.row().1
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn retryable(self) -> bool {
        self.row().2
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ErrorCode {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL
            .iter()
            .copied()
            .find(|code| code.as_str() == name)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_own_name() {
        for &code in ErrorCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(code));
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn only_what_passes_by_itself_is_retryable() {
        let all = ErrorCode::ALL.iter().copied();
        let retryable = all.filter(|code| code.retryable());
        assert!(retryable.eq([ErrorCode::RateLimited, ErrorCode::Unavailable]));
    }
}

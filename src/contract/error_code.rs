//! Why something was refused, in the words of the wire: one table for acks, HTTP and WebSocket.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::Serialize;

/// Why something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// There is no event of that name.
    UnknownEvent,
    /// The payload breaks a rule; `field` says where.
    ValidationFailed,
    /// The payload, or what would become of the entity, is too large.
    PayloadTooLarge,
    /// There is no token, or it is not valid.
    Unauthenticated,
    /// The caller may not do this.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// It has been deleted.
    Gone,
    /// Somebody else has changed the same in the meantime.
    Conflict,
    /// It is not, or not any more, as `If-Match` says that it must be.
    PreconditionFailed,
    /// The idempotency key belongs to another command.
    IdempotencyKeyReused,
    /// Something else can be done there.
    MethodNotAllowed,
    /// The body is of another form than the server understands.
    UnsupportedMediaType,
    /// Too much at once; `retryAfterMs` says when to try again.
    RateLimited,
    /// The server can't do it now.
    Unavailable,
    /// The server is to blame.
    Internal,
}

impl ErrorCode {
    /// All codes.
    pub const ALL: [Self; 15] = [
        Self::UnknownEvent,
        Self::ValidationFailed,
        Self::PayloadTooLarge,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Gone,
        Self::Conflict,
        Self::PreconditionFailed,
        Self::IdempotencyKeyReused,
        Self::MethodNotAllowed,
        Self::UnsupportedMediaType,
        Self::RateLimited,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The table: name on the wire, HTTP status, whether the same may succeed later.
    const fn row(self) -> (&'static str, u16, bool) {
        match self {
            Self::UnknownEvent => ("unknown_event", 400, false),
            Self::ValidationFailed => ("validation_failed", 422, false),
            Self::PayloadTooLarge => ("payload_too_large", 413, false),
            Self::Unauthenticated => ("unauthenticated", 401, false),
            Self::Forbidden => ("forbidden", 403, false),
            Self::NotFound => ("not_found", 404, false),
            Self::Gone => ("gone", 410, false),
            Self::Conflict => ("conflict", 409, false),
            Self::PreconditionFailed => ("precondition_failed", 412, false),
            Self::IdempotencyKeyReused => ("idempotency_key_reused", 422, false),
            Self::MethodNotAllowed => ("method_not_allowed", 405, false),
            Self::UnsupportedMediaType => ("unsupported_media_type", 415, false),
            Self::RateLimited => ("rate_limited", 429, true),
            Self::Unavailable => ("unavailable", 503, true),
            Self::Internal => ("internal", 500, false),
        }
    }

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
            .into_iter()
            .find(|code| code.as_str() == name)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_by_its_own_name() {
        for code in ErrorCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(code));
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }

    #[test]
    fn only_what_passes_by_itself_is_retryable() {
        let retryable = ErrorCode::ALL.into_iter().filter(|code| code.retryable());
        assert!(retryable.eq([ErrorCode::RateLimited, ErrorCode::Unavailable]));
    }
}

//! A moment, as milliseconds since the Unix epoch: what both databases store and JavaScript shows.

use std::fmt;

use jiff::civil;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment that lies so many milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Reads a moment as JSON has it: a date and time as of ISO 8601, in UTC if it names no other zone, or milliseconds since the
    /// Unix epoch.
    #[must_use]
    pub fn from_json(value: &Value) -> Option<Self> {
        let moment = match value {
            Value::String(text) => {
                let moment = text.parse().ok();
                moment.or_else(|| {
                    let civil: civil::DateTime = text.parse().ok()?;
                    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
                })
            }
            Value::Number(number) => {
                let millis = number.as_i64()?;
                jiff::Timestamp::from_millisecond(millis).ok()
            }
            _ => None,
        }?;
        Some(Self(moment.as_millisecond()))
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }
}

/// As JavaScript's `toISOString` writes it: `2026-11-21T08:00:00.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_usually_written() {
        const NEW_YEAR: i64 = 1_704_067_200_000;
        for (text, millis) in [
            (r#""2024-01-01T00:00:00.000Z""#, NEW_YEAR),
            (r#""2024-01-01T01:00:00+01:00""#, NEW_YEAR),
            (r#""2024-01-01T00:00:00""#, NEW_YEAR),
            (r#""2024-01-01 00:00:00""#, NEW_YEAR),
            (r#""2024-01-01""#, NEW_YEAR),
            ("1704067200000", NEW_YEAR),
            ("0", 0),
        ] {
            let moment = Timestamp::from_json(&serde_json::from_str(text).unwrap());
            assert_eq!(moment.map(Timestamp::as_millis), Some(millis), "{text}");
        }
        for wrong in [
            "null",
            "true",
            "1e300",
            "1.5",
            r#""yesterday""#,
            r#""2024-13-01""#,
            "[]",
        ] {
            let moment = Timestamp::from_json(&serde_json::from_str(wrong).unwrap());
            assert_eq!(moment, None, "{wrong}");
        }
    }

    #[test]
    fn looks_as_in_javascript() {
        let shown = Timestamp::from_millis(1_700_000_000_120).to_string();
        assert_eq!(shown, "2023-11-14T22:13:20.120Z");
    }
}

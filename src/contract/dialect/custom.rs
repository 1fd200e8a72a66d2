//! Events that nobody knows, by patterns: whether they go to the room, and how.

use std::str::FromStr;

use super::rule::Keep;
use crate::contract::toml_node::{DialectError, Node};

/// Patterns of a setting or a file.
const MAX_PATTERNS: usize = 200;

/// See the module's description.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomEvents {
    /// The first one that fits as long as any other counts.
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    /// What a name is, or begins with.
    text: String,
    is_beginning: bool,
    /// Nothing if such events are refused.
    keep: Option<Keep>,
}

/// Why a setting is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomEventsError {
    /// There is no `=`.
    #[error("{0:?} must be PATTERN=log, PATTERN=signal or PATTERN=refuse")]
    Form(String),
    /// The pattern is empty, or has a `*` elsewhere than at its end.
    #[error("{0:?} must be a name, or the beginning of one and a *")]
    Pattern(String),
    /// There are too many.
    #[error("there must not be more than {MAX_PATTERNS} patterns")]
    TooMany,
}

impl Pattern {
    fn new(name: &str, what: &str) -> Result<Self, CustomEventsError> {
        let keep = match what {
            "log" => Some(Keep::Log),
            "signal" => Some(Keep::Signal),
            "refuse" => None,
            _ => return Err(CustomEventsError::Form(format!("{name}={what}"))),
        };
        let (text, is_beginning) = match name.strip_suffix('*') {
            Some(beginning) => (beginning, true),
            None => (name, false),
        };
        if text.contains('*') || name.is_empty() || name.len() > 128 {
            return Err(CustomEventsError::Pattern(name.to_owned()));
        }
        Ok(Self {
            text: text.to_owned(),
            is_beginning,
            keep,
        })
    }

    fn fits(&self, name: &str) -> bool {
        if self.is_beginning {
            name.starts_with(&self.text)
        } else {
            name == self.text
        }
    }
}

impl CustomEvents {
    pub(super) fn in_table(table: &Node<'_>) -> Result<Self, DialectError> {
        let mut patterns = Vec::new();
        for (key, value) in table.entries()? {
            let pattern = Pattern::new(&key.name, value.text()?);
            patterns.push(pattern.map_err(|error| table.error_at(key, error.to_string()))?);
        }
        Self::sorted(patterns).map_err(|error| table.error(error.to_string()))
    }

    /// Every event that nobody knows goes to the room and is kept.
    #[must_use]
    pub fn all_logged() -> Self {
        "*=log".parse().unwrap_or_default()
    }

    /// These, and where they say nothing those.
    #[must_use]
    pub fn before(mut self, others: &Self) -> Self {
        self.patterns.extend(others.patterns.iter().cloned());
        self
    }

    /// How an event of this name is passed on: nothing if no pattern fits, `None` if it is refused.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<Option<Keep>> {
        let pattern = self.patterns.iter().find(|pattern| pattern.fits(name))?;
        Some(pattern.keep)
    }

    /// Exact names first, then the longest beginning.
    fn sorted(mut patterns: Vec<Pattern>) -> Result<Self, CustomEventsError> {
        if patterns.len() > MAX_PATTERNS {
            return Err(CustomEventsError::TooMany);
        }
        patterns
            .sort_by_key(|pattern| (pattern.is_beginning, std::cmp::Reverse(pattern.text.len())));
        Ok(Self { patterns })
    }
}

impl FromStr for CustomEvents {
    type Err = CustomEventsError;

    fn from_str(text: &str) -> Result<Self, CustomEventsError> {
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        let patterns = parts.map(|part| match part.rsplit_once('=') {
            Some((name, what)) => Pattern::new(name.trim(), what.trim()),
            None => Err(CustomEventsError::Form(part.to_owned())),
        });
        Self::sorted(patterns.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_pattern_counts() {
        let custom: CustomEvents = "*=log, cursor:*=signal,cursor:click=log,secret:*=refuse"
            .parse()
            .unwrap();
        for (name, expected) in [
            ("cursor:move", Some(Some(Keep::Signal))),
            ("cursor:click", Some(Some(Keep::Log))),
            ("secret:x", Some(None)),
            ("anything", Some(Some(Keep::Log))),
        ] {
            assert_eq!(custom.of(name), expected, "{name}");
        }
        let none: CustomEvents = "".parse().unwrap();
        assert_eq!(none.of("x"), None);
        let own: CustomEvents = "a=refuse".parse().unwrap();
        let both = own.before(&CustomEvents::all_logged());
        assert_eq!(both.of("a"), Some(None));
        assert_eq!(both.of("b"), Some(Some(Keep::Log)));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("x", "must be PATTERN=log"),
            ("x=keep", "must be PATTERN=log"),
            ("a*b=log", "must be a name"),
            ("=log", "must be a name"),
        ] {
            let error = text.parse::<CustomEvents>().unwrap_err();
            assert!(error.to_string().contains(expected), "{text}: {error}");
        }
    }
}

//! The few kinds of TOML values that a proposal is written in.

use std::fmt;

/// A value of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Toml {
    /// A text, often a template.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
    /// A list.
    List(Vec<Toml>),
    /// A table, written in one line.
    Table(Vec<(String, Toml)>),
}

impl Toml {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A list of texts.
    pub(super) fn texts<T: AsRef<str>>(texts: &[T]) -> Self {
        Self::List(texts.iter().map(|text| Self::text(text.as_ref())).collect())
    }

    pub(super) fn table<const N: usize>(entries: [(&str, Self); N]) -> Self {
        let entries = entries.into_iter();
        Self::Table(
            entries
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
        )
    }

    /// Adds an entry; if this is no table, a table of it and of what it was.
    pub(super) fn with(self, key: &str, value: Self) -> Self {
        let mut entries = match self {
            Self::Table(entries) => entries,
            spread => vec![("...".to_owned(), spread)],
        };
        entries.retain(|(known, _)| known != key);
        entries.push((key.to_owned(), value));
        Self::Table(entries)
    }
}

impl fmt::Display for Toml {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::List(items) => {
                f.write_str("[")?;
                for (number, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if number == 0 { "" } else { ", " })?;
                }
                f.write_str("]")
            }
            Self::Table(entries) if entries.is_empty() => f.write_str("{}"),
            Self::Table(entries) => {
                f.write_str("{ ")?;
                for (number, (key, value)) in entries.iter().enumerate() {
                    let comma = if number == 0 { "" } else { ", " };
                    write!(f, "{comma}{} = {value}", key_text(key))?;
                }
                f.write_str(" }")
            }
        }
    }
}

/// A key as it stands in a file: bare if it can.
pub(super) fn key_text(key: &str) -> String {
    let is_bare = |char: char| char.is_ascii_alphanumeric() || "_-".contains(char);
    if !key.is_empty() && key.chars().all(is_bare) {
        return key.to_owned();
    }
    quoted(key)
}

/// A text in quotation marks.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            char if char.is_control() => {
                quoted.extend(format!("\\u{:04X}", u32::from(char)).chars());
            }
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

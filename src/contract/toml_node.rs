//! A value of a TOML file that knows on which line it stands, and errors that say so.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Bytes that a file may have.
const MAX_BYTES: usize = 256 * 1024;
/// Levels of tables and lists that a value may have.
const MAX_DEPTH: usize = 16;

/// What is wrong with a dialect's file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {message}")]
pub struct DialectError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub message: String,
}

/// The text of a file, by which places are turned into lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl<'a> Source<'a> {
    /// An error at a place.
    pub(super) fn error(self, at: usize, message: impl Into<String>) -> DialectError {
        let before = self.text.get(..at).unwrap_or(self.text);
        DialectError {
            file: self.file.to_owned(),
            line: 1 + before.bytes().filter(|byte| *byte == b'\n').count(),
            message: message.into(),
        }
    }

    /// Reads the file's table.
    pub(super) fn read(self) -> Result<Node<'a>, DialectError> {
        if self.text.len() > MAX_BYTES {
            return Err(self.error(0, format!("a dialect has at most {MAX_BYTES} bytes")));
        }
        let parsed = DeTable::parse(self.text);
        let table = parsed.map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.error(at, format!("this is no TOML: {}", error.message()))
        })?;
        let at = table.span().start;
        Node::table(self, at, table.into_inner(), 0)
    }
}

/// A value, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    source: Source<'a>,
    at: usize,
    content: Content<'a>,
}

#[derive(Debug, Clone)]
enum Content<'a> {
    Plain(Value),
    List(Vec<Node<'a>>),
    Table(Vec<(Key<'a>, Node<'a>)>),
}

/// A key of a table, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Key<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) at: usize,
}

impl<'a> Node<'a> {
    fn table(
        source: Source<'a>,
        at: usize,
        table: DeTable<'a>,
        depth: usize,
    ) -> Result<Self, DialectError> {
        let entries = table.into_iter().map(|(key, value)| {
            let key = Key {
                at: key.span().start,
                name: key.into_inner(),
            };
            Ok((key, Self::new(source, value, depth + 1)?))
        });
        Ok(Self {
            source,
            at,
            content: Content::Table(entries.collect::<Result<_, _>>()?),
        })
    }

    fn new(
        source: Source<'a>,
        value: Spanned<DeValue<'a>>,
        depth: usize,
    ) -> Result<Self, DialectError> {
        let at = value.span().start;
        if depth > MAX_DEPTH {
            return Err(source.error(at, format!("has more than {MAX_DEPTH} levels")));
        }
        let plain = match value.into_inner() {
            DeValue::String(text) => Value::String(text.into_owned()),
            DeValue::Boolean(boolean) => boolean.into(),
            DeValue::Integer(number) => {
                let integer = i64::from_str_radix(number.as_str(), number.radix());
                let integer = integer.map_err(|_| source.error(at, "this number is too large"))?;
                integer.into()
            }
            DeValue::Float(number) => {
                let float = number.as_str().parse().ok().and_then(Number::from_f64);
                let float = float.ok_or_else(|| source.error(at, "this is no number of JSON"))?;
                Value::Number(float)
            }
            DeValue::Datetime(time) => Value::String(time.to_string()),
            DeValue::Array(list) => {
                let list = list
                    .into_iter()
                    .map(|item| Self::new(source, item, depth + 1));
                return Ok(Self {
                    source,
                    at,
                    content: Content::List(list.collect::<Result<_, _>>()?),
                });
            }
            DeValue::Table(table) => return Self::table(source, at, table, depth),
        };
        Ok(Self {
            source,
            at,
            content: Content::Plain(plain),
        })
    }

    /// An error about this value.
    pub(super) fn error(&self, message: impl Into<String>) -> DialectError {
        self.source.error(self.at, message)
    }

    /// An error about a key.
    pub(super) fn error_at(&self, key: &Key<'_>, message: impl Into<String>) -> DialectError {
        self.source.error(key.at, message)
    }

    /// The keys and values, of a table.
    pub(super) fn entries(&self) -> Result<&[(Key<'a>, Node<'a>)], DialectError> {
        match &self.content {
            Content::Table(entries) => Ok(entries),
            _ => Err(self.error("must be a table")),
        }
    }

    /// The value of a key, of a table.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Content::Table(entries) = &self.content else {
            return None;
        };
        let entry = entries.iter().find(|(name, _)| name.name == key);
        entry.map(|(_, value)| value)
    }

    /// Refuses a table with any other key than these.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), DialectError> {
        let mut entries = self.entries()?.iter();
        match entries.find(|(key, _)| !known.contains(&&*key.name)) {
            None => Ok(()),
            Some((key, _)) => {
                let message = format!("there is no {:?} here; write {}", key.name, or(known));
                Err(self.error_at(key, message))
            }
        }
    }

    /// The items of a list; a value by itself is a list of one.
    pub(super) fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            _ => std::slice::from_ref(self),
        }
    }

    /// The items, if it is a list.
    pub(super) fn list(&self) -> Option<&[Self]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value, if it is neither table nor list.
    pub(super) fn plain(&self) -> Option<&Value> {
        match &self.content {
            Content::Plain(value) => Some(value),
            _ => None,
        }
    }

    /// The text.
    pub(super) fn text(&self) -> Result<&str, DialectError> {
        let text = self.plain().and_then(Value::as_str);
        text.ok_or_else(|| self.error("must be a text"))
    }

    /// A text that is not empty, of at most 128 bytes.
    pub(super) fn name(&self) -> Result<&str, DialectError> {
        match self.text()? {
            text if (1..=128).contains(&text.len()) => Ok(text),
            _ => Err(self.error("must be a text of 1 to 128 bytes")),
        }
    }

    /// The texts of a list, or a text by itself.
    pub(super) fn names(&self) -> Result<Vec<String>, DialectError> {
        let names = self.items().iter();
        names.map(|name| name.name().map(str::to_owned)).collect()
    }

    /// `true` or `false`.
    pub(super) fn boolean(&self) -> Result<bool, DialectError> {
        let boolean = self.plain().and_then(Value::as_bool);
        boolean.ok_or_else(|| self.error("must be true or false"))
    }

    /// The value as JSON.
    pub(super) fn json(&self) -> Value {
        match &self.content {
            Content::Plain(value) => value.clone(),
            Content::List(items) => items.iter().map(Self::json).collect(),
            Content::Table(entries) => {
                let entries = entries.iter();
                let entries = entries.map(|(key, value)| (key.name.to_string(), value.json()));
                Value::Object(entries.collect::<Map<_, _>>())
            }
        }
    }
}

/// `a, b or c`
pub(super) fn or(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

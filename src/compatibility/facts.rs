//! What a frontend sends and listens for: the file that `boardcast dialect try` plays.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Bytes of the longest file.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// The most messages, listens and events of a backend.
const MAX_ENTRIES: usize = 1000;
/// The most namespaces that a page opens.
const MAX_NAMESPACES: usize = 20;

/// A frontend, as its source says it talks.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// Its name.
    pub frontend: String,
    /// Settings of the server that it is tried on.
    #[serde(default)]
    pub settings: Settings,
    /// How it connects.
    #[serde(default)]
    pub connect: Connect,
    /// The messages by which it enters its rooms: an event's name and its arguments.
    #[serde(default)]
    pub joins: Vec<Vec<Value>>,
    /// What it sends, in this order.
    #[serde(default)]
    pub emits: Vec<Emit>,
    /// What it listens for.
    #[serde(default)]
    pub listens: Vec<Listen>,
    /// What its backend tells it.
    #[serde(default)]
    pub backend_events: Vec<BackendEvent>,
    /// How its own server told who is there; for the report's reader.
    #[serde(default)]
    pub own_presence: Option<String>,
    /// What else there is to know; for the report's reader.
    #[serde(default)]
    pub note: Option<String>,
}

/// Settings of the server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// How outgoing names are spelled.
    #[serde(default)]
    pub event_style: Option<String>,
}

/// How a frontend connects.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connect {
    /// The path of Engine.IO, if it begins with `/`.
    #[serde(default)]
    pub path: Option<String>,
    /// The namespaces that it opens.
    #[serde(default, rename = "namespace", deserialize_with = "namespaces")]
    pub namespaces: Vec<String>,
    /// What it shows in `auth`: each key with an example or with what stands there.
    #[serde(default, deserialize_with = "object")]
    pub auth: Map<String, Value>,
    /// The same in the query.
    #[serde(default, deserialize_with = "object")]
    pub query: Map<String, Value>,
    /// Where the page comes from.
    #[serde(default)]
    pub origin: Option<String>,
}

/// A message that the frontend sends.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Emit {
    /// The event's name.
    pub event: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Vec<Value>,
    /// Whether a page sends it, and not only a function that no page calls.
    #[serde(default = "yes")]
    pub used_by_ui: bool,
    /// Whether it asks for an ack, or the ack's shape.
    #[serde(default)]
    pub ack: Value,
    /// The namespace, if it is not the first one.
    #[serde(default)]
    pub ns: Option<String>,
    /// What its own server told whom; "to others" leaves the sender out.
    #[serde(default)]
    pub own_relay: Option<String>,
}

impl Emit {
    /// Whether its own server told the others of it, and not the sender.
    #[must_use]
    pub fn is_for_others(&self) -> bool {
        let relay = self.own_relay.as_deref();
        relay.is_some_and(|relay| relay.contains("to others"))
    }

    /// Whether an ack is asked for.
    #[must_use]
    pub fn wants_ack(&self) -> bool {
        !matches!(self.ack, Value::Null | Value::Bool(false))
    }
}

/// An event for which the frontend listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listen {
    /// The event's name.
    pub event: String,
    /// What its handler reads: `=any`, `=string`, `=array`, or paths such as `task._id`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// Who causes it.
    pub source: Source,
    /// `everybody`, if its server told it to all who are connected.
    #[serde(default)]
    pub to: Option<String>,
    /// The namespace on which it listens, if it is a certain one.
    #[serde(default)]
    pub ns: Option<String>,
}

/// Who causes an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Source {
    /// Another client.
    Relay,
    /// The server itself.
    Server,
    /// The frontend's backend.
    Backend,
    /// The frontend's backend, which tells it to one user.
    BackendUser,
    /// Nobody: no server ever told it.
    Dead,
    /// Something else.
    Other,
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        match text.as_str() {
            "relay" | "client" => Self::Relay,
            "server" => Self::Server,
            "backend" => Self::Backend,
            "backend-user" => Self::BackendUser,
            "dead" => Self::Dead,
            _ => Self::Other,
        }
    }
}

impl Source {
    /// Whether a backend causes it.
    #[must_use]
    pub const fn is_backend(self) -> bool {
        matches!(self, Self::Backend | Self::BackendUser)
    }

    /// As the file spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Server => "server",
            Self::Backend => "backend",
            Self::BackendUser => "backend-user",
            Self::Dead => "dead",
            Self::Other => "other",
        }
    }
}

/// Something that the frontend's backend tells.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackendEvent {
    /// The name of the command or of the event that is published.
    #[serde(rename = "as")]
    pub name: String,
    /// Its payload.
    #[serde(default)]
    pub data: Value,
    /// Whom it is for.
    #[serde(default)]
    pub to: Audience,
}

/// Whom something is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum Audience {
    /// A user.
    User,
    /// The room, or everybody.
    #[default]
    Room,
}

impl From<String> for Audience {
    fn from(text: String) -> Self {
        match text.as_str() {
            "user" => Self::User,
            _ => Self::Room,
        }
    }
}

/// Why a file of facts cannot be played. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// It cannot be read.
    #[error("{} cannot be read", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// It is not what is expected.
    #[error("{}: {what}; dialects/README.md describes the format", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What is wrong and what is expected, with the line if it is known.
        what: String,
    },
}

impl Facts {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// See [`FactsError`].
    pub fn read(file: &Path) -> Result<Self, FactsError> {
        let failed = |source| FactsError::Read {
            file: file.to_owned(),
            source,
        };
        let size = fs::metadata(file).map_err(failed)?.len();
        if size > MAX_BYTES {
            let what = format!("has {size} bytes; at most {MAX_BYTES} are expected");
            return Err(FactsError::Format {
                file: file.to_owned(),
                what,
            });
        }
        let text = fs::read_to_string(file).map_err(failed)?;
        Self::parse(&text).map_err(|what| FactsError::Format {
            file: file.to_owned(),
            what,
        })
    }

    /// Reads a text.
    ///
    /// # Errors
    ///
    /// What is wrong and what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let facts: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        facts.check()?;
        Ok(facts)
    }

    /// The user ids that the file's examples use, or others: of the page that acts, and of the one that listens.
    #[must_use]
    pub fn users(&self) -> [String; 2] {
        let mut found = Vec::new();
        let values = self.joins.iter().flatten();
        let values = values.chain(self.emits.iter().flat_map(|emit| &emit.args));
        for value in values.chain(self.backend_events.iter().map(|event| &event.data)) {
            collect_texts(value, &mut found);
        }
        let id = |begin: &str| {
            let mut found = found.iter();
            found
                .find(|text| text.starts_with(begin))
                .map(|text| (*text).to_owned())
        };
        let (a, b) = (id("ua-"), id("ub-"));
        let end = a.as_ref().or(b.as_ref()).map_or("try", |id| &id[3..]);
        [format!("ua-{end}"), format!("ub-{end}")]
    }

    fn check(&self) -> Result<(), String> {
        for (number, join) in self.joins.iter().enumerate() {
            if !join.first().is_some_and(Value::is_string) {
                return Err(format!(
                    "joins[{number}] must be a list that begins with an event's name"
                ));
            }
        }
        if self.connect.namespaces.len() > MAX_NAMESPACES {
            return Err(format!(
                "connect.namespace must name at most {MAX_NAMESPACES} namespaces"
            ));
        }
        let lists = [
            ("joins", self.joins.len()),
            ("emits", self.emits.len()),
            ("listens", self.listens.len()),
            ("backendEvents", self.backend_events.len()),
        ];
        match lists.into_iter().find(|(_, length)| *length > MAX_ENTRIES) {
            Some((name, _)) => Err(format!("{name} must have at most {MAX_ENTRIES} entries")),
            None => Ok(()),
        }
    }
}

const fn yes() -> bool {
    true
}

fn collect_texts<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect_texts(item, found)),
        Value::Object(fields) => fields.values().for_each(|item| collect_texts(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A namespace or a list of them.
fn namespaces<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    let wrong = || D::Error::custom("connect.namespace must be a text or a list of texts");
    match Value::deserialize(from)? {
        Value::Null => Ok(Vec::new()),
        Value::String(one) => Ok(vec![one]),
        Value::Array(all) => {
            let texts = all.into_iter().map(|value| match value {
                Value::String(text) => Ok(text),
                _ => Err(wrong()),
            });
            texts.collect()
        }
        _ => Err(wrong()),
    }
}

/// An object; what is unknown to the file's author (`null`, `"?"`) is an empty one.
fn object<'de, D: Deserializer<'de>>(from: D) -> Result<Map<String, Value>, D::Error> {
    match Value::deserialize(from)? {
        Value::Object(fields) => Ok(fields),
        Value::Null => Ok(Map::new()),
        Value::String(text) if text == "?" => Ok(Map::new()),
        _ => Err(D::Error::custom(
            "connect.auth and connect.query must be objects, null or \"?\"",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_with_few_keys_is_enough() {
        let facts = Facts::parse(
            r#"{"frontend": "f", "unknown": 1, "connect": {"auth": "?", "namespace": "/board"},
                "emits": [{"event": "e", "args": ["ua-7"]}],
                "listens": [{"event": "l", "source": "moon"}]}"#,
        )
        .unwrap();
        assert_eq!(facts.connect.namespaces, ["/board"]);
        assert_eq!(facts.users(), ["ua-7", "ub-7"]);
        assert_eq!(facts.listens[0].source, Source::Other);
        assert!(facts.emits[0].used_by_ui && !facts.emits[0].wants_ack());
    }

    #[test]
    fn a_wrong_type_is_named() {
        for (text, what) in [
            (r#"{"emits": []}"#, "frontend"),
            (
                r#"{"frontend": "f", "emits": {}}"#,
                "expected a sequence at line 1",
            ),
            (
                r#"{"frontend": "f", "joins": [[{}]]}"#,
                "joins[0] must be a list",
            ),
            (
                r#"{"frontend": "f", "connect": {"namespace": 7}}"#,
                "connect.namespace",
            ),
            (
                r#"{"frontend": "f", "connect": {"auth": 7}}"#,
                "connect.auth",
            ),
            (
                r#"{"frontend": "f", "backendEvents": [{"as": "x", "to": 7}]}"#,
                "expected a string",
            ),
        ] {
            let error = Facts::parse(text).unwrap_err();
            assert!(error.contains(what), "{error}");
        }
    }
}

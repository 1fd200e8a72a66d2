//! Which of the connected clients a broadcast is for: `{"where": {"subscribed": "ide", "version": "<2.0"}}`.

use serde_json::Value;

use super::version::VersionRange;
use super::{MAX_CURSOR_CHANNELS, Reply};
use crate::domain::{ChannelName, Fields, Id};

/// The field in which a condition stands.
pub(super) const WHERE: &str = "where";
/// What a condition may consist of, as it stands in refusals.
const KEYS: &str = "subscribed, clientType, version, userId and sessionId";
/// Longest type of a client, in bytes.
const MAX_TYPE_BYTES: usize = 64;

/// Which clients are meant: those of which everything holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// As it was sent.
    fields: Fields,
    /// Subscribed to one of these channels; whatever it hears if there is none.
    pub subscribed: Vec<ChannelName>,
    /// Of one of these types, as clients say in their handshakes; of any if there is none.
    pub client_types: Vec<String>,
    /// Of one of these versions.
    pub versions: Option<VersionRange>,
    /// Of this user.
    pub user: Option<Id>,
    /// In this session.
    pub session: Option<ChannelName>,
}

impl Condition {
    /// Reads a condition.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with it.
    pub fn read(value: Value) -> Result<Self, Reply> {
        let Value::Object(fields) = value else {
            return Err(Reply::invalid(
                WHERE,
                format!("must be an object of {KEYS}"),
            ));
        };
        if fields.is_empty() {
            return Err(Reply::invalid(WHERE, format!("must name some of {KEYS}")));
        }
        let mut read = Self {
            fields: Fields::new(),
            subscribed: Vec::new(),
            client_types: Vec::new(),
            versions: None,
            user: None,
            session: None,
        };
        for (key, value) in &fields {
            read.read_key(key, value)?;
        }
        read.fields = fields;
        Ok(read)
    }

    fn read_key(&mut self, key: &str, value: &Value) -> Result<(), Reply> {
        let field = format!("{WHERE}.{key}");
        let invalid = |what: &dyn std::fmt::Display| Reply::invalid(&field, what);
        let id = || Id::from_json(value).map_err(|error| invalid(&error));
        match key {
            "subscribed" => {
                for name in texts(value).ok_or_else(|| invalid(&SOME_TEXTS))? {
                    let channel = ChannelName::parse(name).map_err(|error| invalid(&error))?;
                    self.subscribed.push(channel);
                }
            }
            "clientType" => {
                let types = texts(value).ok_or_else(|| invalid(&SOME_TEXTS))?;
                if types.iter().any(|name| name.len() > MAX_TYPE_BYTES) {
                    let what = format!("must not be longer than {MAX_TYPE_BYTES} bytes");
                    return Err(invalid(&what));
                }
                self.client_types = types.into_iter().map(str::to_owned).collect();
            }
            "version" => {
                let range = value.as_str().map(str::parse);
                let range = range.ok_or_else(|| invalid(&"must be a text such as <2.0"))?;
                self.versions = Some(range.map_err(|error| invalid(&error))?);
            }
            "userId" => self.user = Some(id()?),
            "sessionId" => {
                let channel = ChannelName::parse(&format!("session:{}", id()?));
                self.session = Some(channel.map_err(|error| invalid(&error))?);
            }
            _ => {
                let what = format!("is not one of {KEYS}");
                return Err(invalid(&what));
            }
        }
        Ok(())
    }

    /// As it was sent, which [`Condition::read`] reads.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }
}

const SOME_TEXTS: &str = "must be a text, or a list of 1 to 256 texts, none of which is empty";

/// A text, or several.
fn texts(value: &Value) -> Option<Vec<&str>> {
    let texts: Vec<_> = match value {
        Value::String(text) => vec![text.as_str()],
        Value::Array(texts) => texts.iter().map(Value::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    let is_fine = (1..=MAX_CURSOR_CHANNELS).contains(&texts.len());
    (is_fine && texts.iter().all(|text| !text.is_empty())).then_some(texts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_condition_is_read_from_what_it_says_of_itself() {
        let sent = json!({
            "subscribed": ["ide", "agent:a"], "clientType": "vscode", "version": ">=1.2 <2", "userId": 7,
            "sessionId": "s",
        });
        let condition = Condition::read(sent.clone()).unwrap();
        assert_eq!(condition.subscribed.len(), 2);
        assert_eq!(condition.client_types, ["vscode"]);
        assert!(condition.versions.as_ref().unwrap().contains("1.9"));
        assert!(condition.user.as_ref().unwrap().is_named_by(&json!(7)));
        assert_eq!(condition.session.as_ref().unwrap().as_str(), "session:s");
        let fields = condition.fields().clone();
        assert_eq!(Condition::read(fields.into()).unwrap(), condition);
    }

    #[test]
    fn what_is_no_condition_is_refused_by_name() {
        for (wrong, field) in [
            (json!("ide"), "where"),
            (json!({}), "where"),
            (json!(null), "where"),
            (json!({"subscribed": []}), "where.subscribed"),
            (json!({"subscribed": ["a b"]}), "where.subscribed"),
            (json!({"subscribed": vec!["a"; 257]}), "where.subscribed"),
            (json!({"clientType": ""}), "where.clientType"),
            (json!({"clientType": ["a", 7]}), "where.clientType"),
            (json!({"clientType": "x".repeat(65)}), "where.clientType"),
            (json!({"version": 2}), "where.version"),
            (json!({"version": "^2"}), "where.version"),
            (json!({"userId": ""}), "where.userId"),
            (json!({"sessionId": "a b"}), "where.sessionId"),
            (json!({"subscribed": "ide", "role": "admin"}), "where.role"),
        ] {
            let refusal = Condition::read(wrong.clone()).unwrap_err();
            assert_eq!(refusal.field(), Some(field), "{wrong}");
        }
    }
}

//! What instances say to one another on the topic `cluster`, as JSON.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::entry::{Entry, Key, fields, text};
use crate::domain::{Actor, ConnectionId, Fields, Id, InstanceId, ProjectId, Timestamp};

/// Bytes of a message that is read: a page of the longest entries is smaller. Understanding anything larger would take
/// longer than the next one takes to arrive.
const MAX_BYTES: usize = 512 * 1024;

/// Something that an instance says. Whatever it is, it is a sign of life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Message {
    pub(super) from: InstanceId,
    pub(super) body: Body,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Body {
    /// I am alive, have so many clients, and have said so many changes.
    Beat { connections: usize, version: u64 },
    /// From this version on I say this of somebody; without an entry they are gone.
    Change {
        version: u64,
        key: Key,
        entry: Option<Entry>,
    },
    /// Tell me what you say of those after this one.
    Want { of: InstanceId, after: Option<Key> },
    /// The answer to a want.
    Page(Page),
}

/// All that an instance says of those who come after `after`, up to the last of them; to the end if there are no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Page {
    pub(super) to: InstanceId,
    pub(super) version: u64,
    pub(super) after: Option<Key>,
    pub(super) entries: Vec<(Key, Entry)>,
    pub(super) more: bool,
}

impl Message {
    /// Reads what an instance said.
    pub(super) fn read(bytes: &[u8]) -> serde_json::Result<Self> {
        if bytes.len() > MAX_BYTES {
            return Err(serde::de::Error::custom("too long"));
        }
        serde_json::from_slice(bytes)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        (self.project.to_json(), self.user.as_str()).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (project, user) = <(Value, String)>::deserialize(from)?;
        let project = Id::from_json(&project).map_err(serde::de::Error::custom)?;
        Ok(Self {
            project: ProjectId(project),
            user: Actor::new(&user),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryJson {
    connection: ConnectionId,
    joined_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    data: Option<Fields>,
    #[serde(default)]
    data_at: i64,
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let json = EntryJson {
            connection: self.connection,
            joined_at: self.joined_at.as_millis(),
            data: self.data.as_deref().map(fields),
            data_at: self.data_at,
        };
        json.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = EntryJson::deserialize(from)?;
        Ok(Self {
            connection: json.connection,
            joined_at: Timestamp::from_millis(json.joined_at),
            data: json.data.as_ref().and_then(text),
            data_at: json.data_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let connection = ConnectionId::generate();
        let said = json!({"from": "a", "body": {"page": {"to": "b", "version": 3, "after": [7, "ann"], "more": false,
            "entries": [[["p", "ben"], {"connection": connection.to_string(), "joinedAt": 5, "data": {"at": 1}, "dataAt": 6}]]}}});
        let message: Message = serde_json::from_value(said.clone()).unwrap();
        assert_eq!(serde_json::to_value(&message).unwrap(), said);
    }

    #[test]
    fn the_longest_page_is_read_and_nothing_much_longer() {
        use crate::presence::{LIMITS, MAX_DATA};
        // Each byte of an id may be one that JSON writes as six.
        let id = "\u{1}".repeat(255);
        let key = Key {
            project: ProjectId(Id::from_text(&id).unwrap()),
            user: Actor::new(&id),
        };
        let said = json!({"": "x".repeat(MAX_DATA - "{'':''}".len())});
        let data = said.as_object().cloned();
        let entry = Entry {
            connection: ConnectionId::generate(),
            joined_at: Timestamp::from_millis(i64::MIN),
            data: data.as_ref().and_then(text),
            data_at: i64::MIN,
        };
        let body = Body::Page(Page {
            to: InstanceId::restore("b"),
            version: u64::MAX,
            after: Some(key.clone()),
            entries: vec![(key, entry); LIMITS.page],
            more: true,
        });
        let from = InstanceId::restore("a");
        let mut page = serde_json::to_vec(&Message { from, body }).unwrap();
        assert!(Message::read(&page).is_ok(), "{} bytes", page.len());
        page.resize(2 * page.len(), b' ');
        assert!(Message::read(&page).is_err());
    }

    #[test]
    fn strange_words_are_no_message() {
        let bare = json!({"from": "a", "body": {"change": {"version": 1, "key": ["p", "u"],
            "entry": {"connection": "x", "joinedAt": 5}}}});
        for strange in [json!({}), json!({"from": "a", "body": "dance"}), bare] {
            assert!(
                serde_json::from_value::<Message>(strange.clone()).is_err(),
                "{strange}"
            );
        }
    }
}

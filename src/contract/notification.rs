//! What operators ask about connections: whom it concerns, and `system:notification`, which reaches all of them.

use serde_json::Value;

use super::field::first;
use super::{ErrorCode, Reply};
use crate::domain::{ChannelName, EventId, Fields, Id, ProjectId, Timestamp};

const PROJECT: [&str; 2] = ["projectId", "project_id"];
const USER: [&str; 2] = ["userId", "user_id"];
const CHANNEL: [&str; 1] = ["channel"];
const CONNECTION: [&str; 2] = ["connectionId", "connection_id"];
const EVERYONE: &str = "everyone";
const ROOM: &str = "room";

/// The connections that an operator means, on all instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Those that are subscribed to a project.
    Project(ProjectId),
    /// Those of a user.
    User(Id),
    /// Those that are subscribed to a channel.
    Channel(ChannelName),
    /// One, by its id or by its client's.
    Connection(String),
    /// All of them.
    Everyone,
}

impl Audience {
    /// Reads whom an object names: by `projectId`, `userId` or `everyone`, or else by `connectionId` or `channel`.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with it.
    pub fn read(fields: &Fields) -> Result<Self, Reply> {
        let named = [
            read_project(fields)?,
            read_user(fields)?,
            read_everyone(fields)?,
        ];
        let mut named = named.into_iter().flatten();
        match (named.next(), named.next()) {
            (Some(audience), None) => Ok(audience),
            (None, _) => match read_connection(fields)? {
                Some(audience) => Ok(audience),
                None => read_channel(fields)?.ok_or_else(nobody),
            },
            (Some(_), Some(_)) => Err(nobody()),
        }
    }

    /// Reads whom a question names, which may also be a `room`: `project:<id>`, `user:<id>` or another channel.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with it.
    pub fn read_room(fields: &Fields) -> Result<Self, Reply> {
        let Some(room) = fields.get(ROOM) else {
            return Self::read(fields);
        };
        let invalid = |what: &dyn std::fmt::Display| Reply::invalid(ROOM, what);
        let room = room.as_str().ok_or_else(|| invalid(&"must be a text"))?;
        let id = |text| Id::from_text(text).map_err(|error| invalid(&error));
        if let Some(project) = room.strip_prefix("project:") {
            Ok(Self::Project(ProjectId(id(project)?)))
        } else if let Some(user) = room.strip_prefix("user:") {
            Ok(Self::User(id(user)?))
        } else {
            let channel = ChannelName::parse(room).map_err(|error| invalid(&error))?;
            Ok(Self::Channel(channel))
        }
    }

    /// The object that [`Audience::read`] reads.
    #[must_use]
    pub fn to_fields(&self) -> Fields {
        let (key, value) = match self {
            Self::Project(project) => (PROJECT[0], project.to_json()),
            Self::User(user) => (USER[0], user.to_json()),
            Self::Channel(channel) => (CHANNEL[0], channel.as_str().into()),
            Self::Connection(id) => (CONNECTION[0], id.as_str().into()),
            Self::Everyone => (EVERYONE, true.into()),
        };
        Fields::from_iter([(key.to_owned(), value)])
    }
}

fn nobody() -> Reply {
    Reply::refused(
        ErrorCode::ValidationFailed,
        "name exactly one of projectId, userId, channel, connectionId and everyone: true",
    )
}

fn read_project(fields: &Fields) -> Result<Option<Audience>, Reply> {
    Ok(id(fields, &PROJECT)?.map(|id| Audience::Project(ProjectId(id))))
}

fn read_user(fields: &Fields) -> Result<Option<Audience>, Reply> {
    Ok(id(fields, &USER)?.map(Audience::User))
}

fn id(fields: &Fields, keys: &[&'static str]) -> Result<Option<Id>, Reply> {
    let found = first(fields, keys);
    let id =
        found.map(|(key, value)| Id::from_json(value).map_err(|error| Reply::invalid(key, error)));
    id.transpose()
}

fn read_everyone(fields: &Fields) -> Result<Option<Audience>, Reply> {
    match fields.get(EVERYONE) {
        None | Some(Value::Null | Value::Bool(false)) => Ok(None),
        Some(Value::Bool(true)) => Ok(Some(Audience::Everyone)),
        Some(_) => Err(Reply::invalid(EVERYONE, "must be true or false")),
    }
}

fn read_connection(fields: &Fields) -> Result<Option<Audience>, Reply> {
    let text = text(fields, &CONNECTION)?;
    Ok(text.map(|text| Audience::Connection(text.to_owned())))
}

fn read_channel(fields: &Fields) -> Result<Option<Audience>, Reply> {
    let Some(name) = text(fields, &CHANNEL)? else {
        return Ok(None);
    };
    let channel = ChannelName::parse(name);
    let channel = channel.map_err(|error| Reply::invalid(CHANNEL[0], error))?;
    Ok(Some(Audience::Channel(channel)))
}

fn text<'a>(fields: &'a Fields, keys: &[&'static str]) -> Result<Option<&'a str>, Reply> {
    let found = first(fields, keys);
    let text = found.map(|(key, value)| {
        let text = value.as_str().filter(|text| !text.is_empty());
        text.ok_or_else(|| Reply::invalid(key, "must be a text that is not empty"))
    });
    text.transpose()
}

/// A notification: ephemeral, for those who are connected now.
#[derive(Debug, Clone, PartialEq)]
pub struct Notification {
    /// Whom it is for.
    pub audience: Audience,
    /// What clients get as their only argument.
    pub payload: Fields,
}

impl Notification {
    /// Reads a notification from JSON text; whatever else it says is passed on as it stands.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with it.
    pub fn read(text: &[u8], id: EventId, now: Timestamp) -> Result<Self, Reply> {
        let Ok(Value::Object(mut payload)) = serde_json::from_slice(text) else {
            let message = "the body must be a JSON object";
            return Err(Reply::refused(ErrorCode::ValidationFailed, message));
        };
        let audience = Audience::read(&payload)?;
        payload.insert("id".to_owned(), id.0.to_string().into());
        payload.insert("createdAt".to_owned(), now.to_string().into());
        Ok(Self { audience, payload })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(body: &Value) -> Result<Notification, Reply> {
        let now = Timestamp::from_millis(0);
        Notification::read(body.to_string().as_bytes(), EventId::generate(), now)
    }

    #[test]
    fn is_for_exactly_one_audience() {
        let id = |text: &str| Id::from_text(text).unwrap();
        let audience = |body| read(&body).map(|notification| notification.audience).ok();
        assert_eq!(
            audience(json!({"userId": "u"})),
            Some(Audience::User(id("u")))
        );
        assert_eq!(
            audience(json!({"project_id": 7, "everyone": false})),
            Some(Audience::Project(ProjectId(id("7"))))
        );
        assert_eq!(
            audience(json!({"everyone": true})),
            Some(Audience::Everyone)
        );
        assert_eq!(
            audience(json!({"userId": "u", "channel": "general"})),
            Some(Audience::User(id("u"))),
            "what else it says is passed on"
        );
        assert_eq!(
            audience(json!({"connectionId": "c"})),
            Some(Audience::Connection("c".to_owned()))
        );
        for wrong in [
            json!({}),
            json!({"channel": ""}),
            json!({"connectionId": 7}),
            json!({"userId": "u", "everyone": true}),
            json!({"userId": ""}),
            json!({"everyone": 1}),
            json!([]),
        ] {
            assert_eq!(audience(wrong.clone()), None, "{wrong}");
        }
    }

    #[test]
    fn audience_is_what_its_fields_say() {
        for room in ["project:p", "user:7", "agent:a", "session:s"] {
            let fields = Fields::from_iter([("room".to_owned(), room.into())]);
            let audience = Audience::read_room(&fields).unwrap();
            assert_eq!(Audience::read(&audience.to_fields()).unwrap(), audience);
        }
        for room in [json!(""), json!(7), json!("user:"), json!("a b")] {
            let fields = Fields::from_iter([("room".to_owned(), room)]);
            assert!(Audience::read_room(&fields).is_err());
        }
    }

    #[test]
    fn passes_on_what_it_says() {
        let said = read(&json!({"everyone": true, "title": "t", "id": "mine"})).unwrap();
        assert_eq!(said.payload["title"], "t");
        assert_ne!(said.payload["id"], "mine");
        assert_eq!(said.payload["createdAt"], "1970-01-01T00:00:00.000Z");
    }
}

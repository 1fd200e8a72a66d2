//! `system:notification`: what an operator or a backend has to say to people.

use serde_json::Value;

use super::field::first;
use super::{ErrorCode, Reply};
use crate::domain::{EventId, Fields, Id, ProjectId, Timestamp};

const PROJECT: [&str; 2] = ["projectId", "project_id"];
const USER: [&str; 2] = ["userId", "user_id"];
const EVERYONE: &str = "everyone";

/// Whom a notification is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Everybody who has joined a project.
    Project(ProjectId),
    /// All connections of a user.
    User(Id),
    /// Everybody who is connected.
    Everyone,
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
        let audience = audience(&payload)?;
        payload.insert("id".to_owned(), id.0.to_string().into());
        payload.insert("createdAt".to_owned(), now.to_string().into());
        Ok(Self { audience, payload })
    }
}

fn audience(payload: &Fields) -> Result<Audience, Reply> {
    let read = |keys: &[&'static str]| {
        let found = first(payload, keys);
        found.map(|(key, value)| Id::from_json(value).map_err(|error| Reply::invalid(key, error)))
    };
    let everyone = match payload.get(EVERYONE) {
        None | Some(Value::Null | Value::Bool(false)) => None,
        Some(Value::Bool(true)) => Some(Audience::Everyone),
        Some(_) => return Err(Reply::invalid(EVERYONE, "must be true or false")),
    };
    let project = read(&PROJECT).transpose()?;
    let user = read(&USER).transpose()?;
    let named = [
        project.map(|id| Audience::Project(ProjectId(id))),
        user.map(Audience::User),
        everyone,
    ];
    let mut named = named.into_iter().flatten();
    match (named.next(), named.next()) {
        (Some(audience), None) => Ok(audience),
        _ => Err(Reply::refused(
            ErrorCode::ValidationFailed,
            "a notification is for exactly one of projectId, userId and everyone: true",
        )),
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
        for wrong in [
            json!({}),
            json!({"userId": "u", "everyone": true}),
            json!({"userId": ""}),
            json!({"everyone": 1}),
            json!([]),
        ] {
            assert_eq!(audience(wrong.clone()), None, "{wrong}");
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

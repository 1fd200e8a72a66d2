//! What a client says of itself when it connects: in `auth`, or in the query for clients that know no auth.

use serde_json::Value;
use serde_json::value::RawValue;

use super::auth_payload;
use crate::contract::{EventStyle, PresenceWish};
use crate::domain::{Id, PrivateId};
use crate::transport::connection::client_info::{ClientInfo, IN_PARAMS};
use crate::transport::credential::{Credential, NAMES as CREDENTIALS};
use crate::transport::query::from_query;

/// What is looked for in `auth`.
const NAMES: [&str; 17] = [
    "dialect",
    "eventStyle",
    "echo",
    "presence",
    "userId",
    "pid",
    CURSORS[0],
    CURSORS[1],
    CURSORS[2],
    CREDENTIALS[0],
    CREDENTIALS[1],
    CREDENTIALS[2],
    IN_PARAMS[0],
    IN_PARAMS[1],
    IN_PARAMS[2],
    IN_PARAMS[3],
    IN_PARAMS[4],
];
/// Where a cursor may stand in `auth`. The first is where clients with a `pid` put the last one that they were told.
const CURSORS: [&str; 3] = ["offset", "cursor", "serverOffset"];

/// A client's wishes for its connection.
#[derive(Debug)]
pub(super) struct Handshake {
    /// The name of the dialect that the client speaks, if it says so.
    pub(super) dialect: Option<String>,
    /// How outgoing events are spelled, if not as everywhere.
    pub(super) event_style: Option<EventStyle>,
    /// Whether the client hears its own changes.
    pub(super) echo: bool,
    /// Whether the client is told who comes and goes, if it says so.
    pub(super) presence: Option<bool>,
    /// Which program the client says it is.
    pub(super) client_info: ClientInfo,
    /// What shows who the client is.
    pub(super) credential: Option<Credential>,
    /// Who the client says it is, or what is wrong with that.
    pub(super) user_id: Result<Option<String>, String>,
    /// The client's secret, if it has been here before.
    pub(super) pid: Option<PrivateId>,
    /// Where the client was when its connection ended.
    pub(super) cursor: Option<String>,
    /// Whether events are to carry the cursor as an argument, if the client says so.
    pub(super) cursor_argument: Option<bool>,
}

impl Handshake {
    /// Reads `auth`, and where it is silent the query. `head` is what the head of the request shows.
    pub(super) fn read(
        auth: Option<&RawValue>,
        query: Option<&str>,
        head: Option<&Credential>,
    ) -> Result<Self, String> {
        let auth = auth
            .map(|auth| auth_payload::read(auth, &NAMES))
            .unwrap_or_default();
        let said = |key: &str| match auth.get(key) {
            Some(Value::Null) | None => from_query(query, key).map(Value::from),
            Some(value) => Some(value.clone()),
        };
        let dialect = match said("dialect") {
            Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
            Some(_) => return Err("validation_failed: dialect must be a string".to_owned()),
            None => None,
        };
        let event_style = match said("eventStyle") {
            Some(Value::String(style)) => Some(style.parse().map_err(|_| {
                "validation_failed: eventStyle must be colon, dash, snake or camel".to_owned()
            })?),
            Some(_) => return Err("validation_failed: eventStyle must be a string".to_owned()),
            None => None,
        };
        let echo = !matches!(said("echo"), Some(Value::Bool(false)))
            && said("echo").as_ref().and_then(Value::as_str) != Some("false");
        let user_id = said("userId").filter(is_somebody).map(|value| {
            let id = Id::from_json(&value);
            id.map(|id| id.as_str().to_owned())
                .map_err(|error| format!("validation_failed: userId {error}"))
        });
        let credential = Credential::in_auth(|key| auth.get(key).cloned())
            .or_else(|| head.cloned())
            .or_else(|| Credential::in_query(query));
        let text = |key: &str| {
            let text = auth.get(key).and_then(Value::as_str);
            text.filter(|text| !text.is_empty() && yes_or_no(text).is_none())
        };
        let chosen = |value: &Value| match value {
            Value::Bool(yes) => Some(*yes),
            Value::String(text) => yes_or_no(text),
            other => yes_or_no(&other.to_string()),
        };
        let cursor_argument = auth.get(CURSORS[1]).and_then(chosen);
        Ok(Self {
            presence: said("presence").and_then(|said| PresenceWish::chosen(&said)),
            client_info: ClientInfo::in_params(said),
            dialect,
            event_style,
            echo,
            credential,
            user_id: user_id.transpose(),
            pid: text("pid").and_then(PrivateId::parse),
            cursor: CURSORS.into_iter().find_map(text).map(str::to_owned),
            cursor_argument: cursor_argument.or_else(|| yes_or_no(&from_query(query, CURSORS[1])?)),
        })
    }
}

/// What a text says that stands for a choice. No cursor is spelled like it.
fn yes_or_no(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// Pages connect before anybody has logged in; what JavaScript makes of no user in a query is none either.
fn is_somebody(user_id: &Value) -> bool {
    !matches!(user_id.as_str(), Some("" | "undefined" | "null"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(auth: Option<&RawValue>, query: Option<&str>) -> Result<Handshake, String> {
        Handshake::read(auth, query, None)
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn auth_comes_first_and_the_query_helps_old_clients() {
        let auth = raw(r#"{"eventStyle":"dash","echo":false,"userId":7}"#);
        let said = read(Some(&auth), Some("eventStyle=snake&userId=x")).unwrap();
        assert_eq!(said.event_style, Some(EventStyle::Dash));
        assert!(!said.echo);
        assert_eq!(said.user_id, Ok(Some("7".to_owned())));
        let said = read(None, Some("EIO=3&userId=Ann%20B&echo=false")).unwrap();
        assert_eq!(said.user_id, Ok(Some("Ann B".to_owned())));
        assert!(!said.echo);
    }

    #[test]
    fn a_dialect_is_named_in_auth_or_in_the_query() {
        let (auth, silent) = (raw(r#"{"dialect":"a"}"#), raw(r#"{"dialect":null}"#));
        for (auth, query, expected) in [
            (Some(&auth), "dialect=b", Some("a")),
            (Some(&silent), "EIO=4&dialect=b", Some("b")),
            (None, "dialect=", None),
            (None, "", None),
        ] {
            let said = read(auth.map(|auth| &**auth), Some(query)).unwrap();
            assert_eq!(said.dialect.as_deref(), expected, "{query}");
        }
        let error = read(Some(&raw(r#"{"dialect":7}"#)), None).unwrap_err();
        assert!(error.contains("dialect"), "{error}");
    }

    #[test]
    fn half_a_character_hides_nothing_else() {
        let auth = raw(r#"{"name":"\ud83d","offset":"e.1:2","pid":7}"#);
        let said = read(Some(&auth), None).unwrap();
        assert_eq!(said.cursor.as_deref(), Some("e.1:2"));
        assert_eq!(said.pid, None);
    }

    #[test]
    fn a_cursor_is_found_where_clients_put_it() {
        for (auth, cursor) in [
            (
                r#"{"offset":"a","cursor":"b","serverOffset":"c"}"#,
                Some("a"),
            ),
            (r#"{"offset":"","cursor":"b"}"#, Some("b")),
            (r#"{"offset":null,"serverOffset":"c"}"#, Some("c")),
            (r#"{"serverOffset":0}"#, None),
        ] {
            let said = read(Some(&raw(auth)), None).unwrap();
            assert_eq!(said.cursor.as_deref(), cursor, "{auth}");
        }
    }

    #[test]
    fn cursor_is_a_position_or_chooses_the_argument() {
        let auth = r#"{"cursor":null}"#;
        for (auth, query, argument, cursor) in [
            (r#"{"cursor":true}"#, "cursor=0", Some(true), None),
            (r#"{"cursor":0}"#, "", Some(false), None),
            (
                r#"{"cursor":"1","serverOffset":"e"}"#,
                "",
                Some(true),
                Some("e"),
            ),
            (
                r#"{"cursor":"e.1:2"}"#,
                "cursor=0",
                Some(false),
                Some("e.1:2"),
            ),
            (auth, "cursor=1", Some(true), None),
            (auth, "cursor=false", Some(false), None),
            (auth, "cursor=e.1:2", None, None),
            (r#"{"cursor":[1]}"#, "", None, None),
        ] {
            let said = read(Some(&raw(auth)), Some(query)).unwrap();
            assert_eq!(said.cursor_argument, argument, "{auth} {query}");
            assert_eq!(said.cursor.as_deref(), cursor, "{auth} {query}");
        }
    }

    #[test]
    fn names_what_is_wrong() {
        let auth = raw(r#"{"eventStyle":"loud"}"#);
        let error = read(Some(&auth), None).unwrap_err();
        assert!(error.contains("eventStyle"), "{error}");
    }

    #[test]
    fn nobody_is_anonymous() {
        for auth in [
            r#"{"userId":""}"#,
            r#"{"userId":null}"#,
            r#"{"userId":"null"}"#,
        ] {
            let said = read(Some(&raw(auth)), None).unwrap();
            assert_eq!(said.user_id, Ok(None), "{auth}");
        }
        for query in ["userId=", "userId=undefined"] {
            let said = read(None, Some(query)).unwrap();
            assert_eq!(said.user_id, Ok(None), "{query}");
        }
    }

    #[test]
    fn strange_percent_signs_stay() {
        let said = from_query(Some("a&key=100%+%zz%4&key=2"), "key");
        assert_eq!(said.as_deref(), Some("100% %zz%4"));
        assert_eq!(from_query(Some("monkey=1"), "key"), None);
    }

    #[test]
    fn a_credential_is_looked_for_in_auth_then_in_the_head_then_in_the_query() {
        let (auth, empty) = (raw(r#"{"token":"a"}"#), raw(r#"{"token":null}"#));
        let head = Credential::new("h");
        for (auth, head, expected) in [
            (&auth, head.as_ref(), Some("a")),
            (&empty, head.as_ref(), Some("h")),
            (&empty, None, Some("q")),
        ] {
            let said = Handshake::read(Some(auth), Some("EIO=4&token=q"), head).unwrap();
            let found = said.credential.as_ref().map(Credential::as_str);
            assert_eq!(found, expected);
        }
    }
}

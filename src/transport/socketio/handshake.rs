//! What a client says of itself when it connects: in `auth`, or in the query for clients that know no auth.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::contract::EventStyle;
use crate::domain::{Fields, Id, PrivateId};

/// Where a cursor may stand in `auth`. The first is where clients with a `pid` put the last one that they were told.
const CURSORS: [&str; 3] = ["offset", "cursor", "serverOffset"];

/// A client's wishes for its connection.
#[derive(Debug, Default)]
pub(super) struct Handshake {
    /// How outgoing events are spelled, if not as everywhere.
    pub(super) event_style: Option<EventStyle>,
    /// Whether the client hears its own changes.
    pub(super) echo: bool,
    /// Who the client says it is.
    pub(super) user_id: Option<String>,
    /// The client's secret, if it has been here before.
    pub(super) pid: Option<PrivateId>,
    /// Where the client was when its connection ended.
    pub(super) cursor: Option<String>,
}

impl Handshake {
    /// Reads `auth`, and where it is silent the query.
    pub(super) fn read(auth: Option<&RawValue>, query: Option<&str>) -> Result<Self, String> {
        // Key by key: a value that cannot be read, such as half an emoji, hides no other.
        let auth: HashMap<String, Box<RawValue>> = auth
            .and_then(|auth| serde_json::from_str(auth.get()).ok())
            .unwrap_or_default();
        let readable = auth
            .into_iter()
            .filter_map(|(key, value)| Some((key, serde_json::from_str(value.get()).ok()?)));
        let auth: Fields = readable.collect();
        let said = |key: &str| match auth.get(key) {
            Some(Value::Null) | None => from_query(query, key).map(Value::from),
            Some(value) => Some(value.clone()),
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
        let user_id = match said("userId").filter(is_somebody) {
            Some(value) => Some(
                Id::from_json(&value)
                    .map_err(|error| format!("validation_failed: userId {error}"))?
                    .as_str()
                    .to_owned(),
            ),
            None => None,
        };
        let text = |key: &str| {
            let text = auth.get(key).and_then(Value::as_str);
            text.filter(|text| !text.is_empty())
        };
        Ok(Self {
            event_style,
            echo,
            user_id,
            pid: text("pid").and_then(PrivateId::parse),
            cursor: CURSORS.into_iter().find_map(text).map(str::to_owned),
        })
    }
}

/// Pages connect before anybody has logged in; what JavaScript makes of no user in a query is none either.
fn is_somebody(user_id: &Value) -> bool {
    !matches!(user_id.as_str(), Some("" | "undefined" | "null"))
}

/// A parameter of a query, percent-decoded.
pub(super) fn from_query(query: Option<&str>, key: &str) -> Option<String> {
    query?.split('&').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name == key).then(|| decode(value))
    })
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = after
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = if escaped.is_some() {
            &after[2..]
        } else {
            after
        };
        bytes.push(escaped.unwrap_or(if *first == b'+' { b' ' } else { *first }));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn auth_comes_first_and_the_query_helps_old_clients() {
        let auth = raw(r#"{"eventStyle":"dash","echo":false,"userId":7}"#);
        let said = Handshake::read(Some(&auth), Some("eventStyle=snake&userId=x")).unwrap();
        assert_eq!(said.event_style, Some(EventStyle::Dash));
        assert!(!said.echo);
        assert_eq!(said.user_id.as_deref(), Some("7"));
        let said = Handshake::read(None, Some("EIO=3&userId=Ann%20B&echo=false")).unwrap();
        assert_eq!(said.user_id.as_deref(), Some("Ann B"));
        assert!(!said.echo);
    }

    #[test]
    fn half_a_character_hides_nothing_else() {
        let auth = raw(r#"{"name":"\ud83d","offset":"e.1:2","pid":7}"#);
        let said = Handshake::read(Some(&auth), None).unwrap();
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
            let said = Handshake::read(Some(&raw(auth)), None).unwrap();
            assert_eq!(said.cursor.as_deref(), cursor, "{auth}");
        }
    }

    #[test]
    fn names_what_is_wrong() {
        let auth = raw(r#"{"eventStyle":"loud"}"#);
        let error = Handshake::read(Some(&auth), None).unwrap_err();
        assert!(error.contains("eventStyle"), "{error}");
    }

    #[test]
    fn nobody_is_anonymous() {
        for auth in [
            r#"{"userId":""}"#,
            r#"{"userId":null}"#,
            r#"{"userId":"null"}"#,
        ] {
            let said = Handshake::read(Some(&raw(auth)), None).unwrap();
            assert_eq!(said.user_id, None, "{auth}");
        }
        for query in ["userId=", "userId=undefined"] {
            let said = Handshake::read(None, Some(query)).unwrap();
            assert_eq!(said.user_id, None, "{query}");
        }
    }

    #[test]
    fn strange_percent_signs_stay() {
        assert_eq!(decode("100%+%zz%4"), "100% %zz%4");
    }
}

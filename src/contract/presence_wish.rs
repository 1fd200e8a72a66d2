//! Whether a client wants to be told who comes and goes.

use serde_json::Value;

use crate::domain::Fields;

/// Where a client says it.
const PRESENCE: &str = "presence";
/// By these keys a join says who joins, whatever their case and underscores.
const WHO: [&str; 17] = [
    "user",
    "userid",
    "username",
    "useravatar",
    "usercolor",
    "useremail",
    "currentuser",
    "name",
    "displayname",
    "fullname",
    "firstname",
    "nickname",
    "nick",
    "email",
    "avatar",
    "avatarurl",
    "profile",
];

/// What a client says of the presence events of a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PresenceWish {
    /// It wants none.
    No,
    /// It takes part, and so wants them unless it says otherwise: it says who it is.
    Implied,
    /// It wants them.
    Yes,
}

impl PresenceWish {
    /// Reads the member `presence` of `auth`, a payload or a query, such as `true`, `1`, `false` or `0`.
    #[must_use]
    pub fn chosen(value: &Value) -> Option<bool> {
        match value {
            Value::Bool(chosen) => Some(*chosen),
            Value::Number(number) => match number.as_u64() {
                Some(0) => Some(false),
                Some(1) => Some(true),
                _ => None,
            },
            Value::String(text) => match text.as_str() {
                "true" | "1" | "yes" | "on" => Some(true),
                "false" | "0" | "no" | "off" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// What the payload of a subscription says under `presence`. What somebody says of themselves there asks as well.
    pub(super) fn said(payload: &Fields) -> Option<Self> {
        let said = payload.get(PRESENCE)?;
        match Self::chosen(said) {
            Some(chosen) => Some(chosen.into()),
            None => is_something(said).then_some(Self::Implied),
        }
    }

    /// What a join says: under `presence`, or by saying who joins, also in a second argument.
    pub(super) fn in_join(payload: &Fields, second: Option<&Value>) -> Option<Self> {
        let second_payload = second.and_then(Value::as_object);
        if let Some(said) = Self::said(payload).or_else(|| Self::said(second_payload?)) {
            return Some(said);
        }
        let is_named = says_who(payload)
            || match second {
                Some(Value::Object(user)) => says_who(user) || user.contains_key("id"),
                Some(value @ (Value::String(_) | Value::Number(_))) => is_something(value),
                _ => false,
            };
        is_named.then_some(Self::Implied)
    }

    /// The wish that counts after a client has said `said`. An implied wish does not change an explicit one.
    #[must_use]
    pub fn then(before: Option<Self>, said: Option<Self>) -> Option<Self> {
        match (before, said) {
            (before, None) => before,
            (Some(outright @ (Self::No | Self::Yes)), Some(Self::Implied)) => Some(outright),
            (_, said) => said,
        }
    }
}

impl From<bool> for PresenceWish {
    fn from(chosen: bool) -> Self {
        if chosen { Self::Yes } else { Self::No }
    }
}

fn says_who(payload: &Fields) -> bool {
    let mut said = payload.iter().filter(|(_, value)| is_something(value));
    said.any(|(key, _)| {
        let plain: String = key.chars().filter(|char| !"_-".contains(*char)).collect();
        WHO.iter().any(|known| plain.eq_ignore_ascii_case(known))
    })
}

/// Pages connect before anybody has logged in, and say nobody's name.
fn is_something(value: &Value) -> bool {
    !value.is_null() && !matches!(value.as_str(), Some("" | "undefined" | "null"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wish(arguments: &Value) -> Option<PresenceWish> {
        let nothing = Fields::new();
        let payload = arguments[0].as_object().unwrap_or(&nothing);
        PresenceWish::in_join(payload, arguments.get(1))
    }

    #[test]
    fn join_that_says_who_joins_asks() {
        for arguments in [
            json!([{"projectId": "p", "userName": "Ann"}]),
            json!([{"projectId": "p", "user_name": "Ann"}]),
            json!([{"projectId": "p", "user": {"name": "Ann"}}]),
            json!([{"projectId": "p", "avatar": "a.png"}]),
            json!([{"projectId": "p", "presence": {"status": "online"}}]),
            json!(["p", {"id": 7}]),
            json!(["p", {"name": "Ann"}]),
            json!(["p", "Ann"]),
            json!(["p", 7]),
        ] {
            assert_eq!(wish(&arguments), Some(PresenceWish::Implied), "{arguments}");
        }
    }

    #[test]
    fn join_that_says_nobody_asks_for_nothing() {
        for arguments in [
            json!(["p"]),
            json!(["p", ""]),
            json!(["p", null]),
            json!(["p", {"silent": true}]),
            json!([{"projectId": "p", "since": 3, "snapshot": true, "user": null, "userName": "undefined"}]),
            json!([{"projectId": "p", "presence": null}]),
        ] {
            assert_eq!(wish(&arguments), None, "{arguments}");
        }
    }

    #[test]
    fn outright_wish_counts_more_than_a_name() {
        for (said, expected) in [
            (json!(false), PresenceWish::No),
            (json!("false"), PresenceWish::No),
            (json!(0), PresenceWish::No),
            (json!(true), PresenceWish::Yes),
            (json!("1"), PresenceWish::Yes),
        ] {
            let arguments = json!([{"projectId": "p", "name": "Ann", "presence": said}]);
            assert_eq!(wish(&arguments), Some(expected), "{arguments}");
        }
        let (no, implied, yes) = (PresenceWish::No, PresenceWish::Implied, PresenceWish::Yes);
        for (before, said, after) in [
            (None, Some(implied), Some(implied)),
            (Some(no), Some(implied), Some(no)),
            (Some(no), Some(yes), Some(yes)),
            (Some(yes), Some(no), Some(no)),
            (Some(implied), Some(no), Some(no)),
            (Some(yes), None, Some(yes)),
        ] {
            assert_eq!(PresenceWish::then(before, said), after);
        }
    }
}

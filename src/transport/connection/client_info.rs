//! Which program a client says it is, and of what version: as it says when it connects, or in a handshake. It proves nothing.

use std::collections::HashMap;

use serde_json::Value;

use crate::transport::query::from_query;

/// Bytes of a type and of a version that are kept.
const MAX_BYTES: usize = 64;
/// Where the type stands, the first that is there. Some clients say it as an object with `type` or `name`, and `version`.
const TYPES: [&str; 8] = [
    "clientType",
    "client_type",
    "clientName",
    "type",
    "client",
    "ide",
    "editor",
    "name",
];
/// Where the version stands, the first that is there.
const VERSIONS: [&str; 4] = [
    "version",
    "clientVersion",
    "client_version",
    "extensionVersion",
];
/// Where they stand in a query, and in the `auth` of Socket.IO, in which `type` and `name` mean anything.
pub(crate) const IN_PARAMS: [&str; 5] = [
    "clientType",
    "client_type",
    "version",
    "clientVersion",
    "client_version",
];
/// Types and versions that are counted one by one; all others are counted together.
const MAX_COUNTED: usize = 100;

/// See the module's description.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct ClientInfo {
    /// The program, such as `vscode`.
    pub(crate) client_type: Option<Box<str>>,
    /// Its version.
    pub(crate) version: Option<Box<str>>,
}

impl ClientInfo {
    /// What an object says.
    pub(crate) fn read(said: impl Fn(&str) -> Option<Value>) -> Self {
        let mut version = VERSIONS.into_iter().find_map(|key| text(&said(key)?));
        let client_type = TYPES.into_iter().find_map(|key| {
            let value = said(key)?;
            let Value::Object(within) = value else {
                return text(&value);
            };
            version = version
                .take()
                .or_else(|| within.get("version").and_then(text));
            let mut names = ["type", "name", "clientType"].into_iter();
            names.find_map(|key| text(within.get(key)?))
        });
        Self {
            client_type,
            version,
        }
    }

    /// What a query or the `auth` of Socket.IO says.
    pub(crate) fn in_params(said: impl Fn(&str) -> Option<Value>) -> Self {
        Self::read(|key| said(IN_PARAMS.contains(&key).then_some(key)?))
    }

    /// What a query says.
    pub(crate) fn in_query(query: Option<&str>) -> Self {
        Self::in_params(|key| from_query(query, key).map(Value::String))
    }

    /// Takes over what the client says now.
    pub(super) fn update(&mut self, said: Self) {
        for (known, said) in [
            (&mut self.client_type, said.client_type),
            (&mut self.version, said.version),
        ] {
            if said.is_some() {
                *known = said;
            }
        }
    }
}

/// How many clients there are of each type and version, the most common first. What is beyond a hundred is the rest.
pub(crate) fn count(infos: impl Iterator<Item = ClientInfo>) -> (Vec<(ClientInfo, usize)>, usize) {
    let mut counts: HashMap<ClientInfo, usize> = HashMap::new();
    for info in infos {
        *counts.entry(info).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    let by_name = |info: &ClientInfo| (info.client_type.clone(), info.version.clone());
    counts.sort_by(|(one, count), (other, others)| {
        let by_count = others.cmp(count);
        by_count.then_with(|| by_name(one).cmp(&by_name(other)))
    });
    let kept = counts.len().min(MAX_COUNTED);
    let rest = counts.drain(kept..).map(|(_, count)| count).sum();
    (counts, rest)
}

/// A text, or a number as text, without control characters and not too long.
fn text(value: &Value) -> Option<Box<str>> {
    let said = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let mut clean: String = said.chars().filter(|char| !char.is_control()).collect();
    clean.truncate(clean.floor_char_boundary(MAX_BYTES));
    (!clean.is_empty()).then(|| clean.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn info(client_type: Option<&str>, version: Option<&str>) -> ClientInfo {
        ClientInfo {
            client_type: client_type.map(Into::into),
            version: version.map(Into::into),
        }
    }

    #[test]
    fn type_and_version_are_found_where_extensions_put_them() {
        let long = "é".repeat(MAX_BYTES);
        for (said, client_type, version) in [
            (json!({}), None, None),
            (
                json!({"clientType": "vscode", "version": "1.2.3"}),
                Some("vscode"),
                Some("1.2.3"),
            ),
            (
                json!({"type": "cursor", "clientVersion": 2}),
                Some("cursor"),
                Some("2"),
            ),
            (
                json!({"client": {"name": "jetbrains", "version": "2026.1"}}),
                Some("jetbrains"),
                Some("2026.1"),
            ),
            (
                json!({"ide": {"version": "9"}, "name": "vim\n", "version": null}),
                Some("vim"),
                Some("9"),
            ),
            (json!({"type": " ", "client": [1], "ide": true}), None, None),
            (json!({"type": long}), Some(&long[..MAX_BYTES]), None),
        ] {
            let found = ClientInfo::read(|key| said.get(key).cloned());
            assert_eq!(found, info(client_type, version), "{said}");
        }
    }

    #[test]
    fn query_has_names_of_its_own() {
        for (query, client_type) in [
            ("type=other&name=other&version=3", None),
            ("clientType=vim&version=3", Some("vim")),
        ] {
            let found = ClientInfo::in_query(Some(query));
            assert_eq!(found, info(client_type, Some("3")), "{query}");
        }
    }

    #[test]
    fn what_is_said_later_counts() {
        let mut known = info(Some("vscode"), Some("1"));
        known.update(info(None, Some("2")));
        assert_eq!(known, info(Some("vscode"), Some("2")));
    }

    #[test]
    fn many_versions_are_counted_as_the_rest() {
        let versions = (0..150).map(|number| info(None, Some(&number.to_string())));
        let common = std::iter::repeat_n(info(Some("vscode"), None), 5);
        let (counts, rest) = count(versions.chain(common));
        assert_eq!(counts[0], (info(Some("vscode"), None), 5));
        assert_eq!((counts.len(), rest), (MAX_COUNTED, 51));
    }
}

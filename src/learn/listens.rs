//! What a page listens to, and what it reads of what it hears.

use serde_json::Value;

/// Events that one frontend may listen to.
pub(super) const MAX_LISTENS: usize = 1_000;
/// Values of an event that a page may read.
pub(super) const MAX_NEEDS: usize = 64;

/// An event that a page listens to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listen {
    /// Its name.
    pub event: String,
    /// What the page reads of its payload.
    pub needs: Vec<Need>,
    /// The namespace in which it listens, if it is not `/`.
    pub namespace: Option<String>,
}

/// What a page reads of a payload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The payload, whatever it is.
    Anything,
    /// The payload as a text.
    Text,
    /// The payload as a list.
    List,
    /// A value in it, by the keys that lead there.
    Path(Vec<String>),
}

/// What a frontend listens to, and how it connects, as far as that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listens {
    /// The events.
    pub events: Vec<Listen>,
    /// The namespaces to which it connects.
    pub namespaces: Vec<String>,
    /// The path at which it expects Engine.IO, if it names one.
    pub paths: Vec<String>,
    /// The keys of its `auth`.
    pub auth: Vec<String>,
}

impl Need {
    /// Reads `=any`, `=string`, `=array` or a path such as `task.id`.
    #[must_use]
    pub fn read(text: &str) -> Self {
        match text {
            "=any" | "=object" | "" => Self::Anything,
            "=string" | "=number" | "=id" => Self::Text,
            "=array" | "=list" => Self::List,
            path => Self::Path(path.split('.').map(str::to_owned).collect()),
        }
    }
}

impl Listens {
    /// Adds what is known from elsewhere: an event that is known already needs both.
    pub fn extend(&mut self, other: Self) {
        for listen in other.events {
            let known = self
                .events
                .iter()
                .position(|known| known.event == listen.event);
            if let Some(known) = known {
                let needs = &mut self.events[known].needs;
                needs.extend(listen.needs);
                needs.sort();
                needs.dedup();
                needs.truncate(MAX_NEEDS);
            } else if self.events.len() < MAX_LISTENS {
                self.events.push(listen);
            }
        }
        for (own, others) in [
            (&mut self.namespaces, other.namespaces),
            (&mut self.paths, other.paths),
            (&mut self.auth, other.auth),
        ] {
            own.extend(others);
            own.sort_unstable();
            own.dedup();
        }
    }

    /// Reads a file of facts: `{"listens": [{"event", "needs", "ns"}], "connect": {"namespace", "path", "auth"}}`, or a list
    /// of listens alone.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the text.
    pub fn from_facts(text: &str) -> Result<Self, String> {
        let facts: Value =
            serde_json::from_str(text).map_err(|error| format!("is no JSON: {error}"))?;
        let listens = match &facts {
            Value::Array(listens) => listens,
            facts => facts["listens"].as_array().ok_or(
                "has no `listens`: write {\"listens\": [{\"event\": \"task:created\", \"needs\": [\"id\"]}]}",
            )?,
        };
        let mut all = Self::default();
        for listen in listens.iter().take(MAX_LISTENS) {
            let event = listen["event"].as_str().or(listen.as_str());
            let event = event.ok_or("has a listen without `event`")?.to_owned();
            let needs = listen["needs"].as_array().into_iter().flatten();
            let needs = needs.filter_map(Value::as_str).map(Need::read);
            let namespace = listen["ns"].as_str().or(listen["namespace"].as_str());
            let namespace = namespace.filter(|name| *name != "/").map(str::to_owned);
            all.namespaces.extend(namespace.clone());
            let events = vec![Listen {
                event,
                needs: needs.take(MAX_NEEDS).collect(),
                namespace,
            }];
            all.extend(Self {
                events,
                ..Self::default()
            });
        }
        let connect = &facts["connect"];
        let texts = |value: &Value| -> Vec<String> {
            let list = value
                .as_array()
                .map_or(std::slice::from_ref(value), Vec::as_slice);
            list.iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect()
        };
        let auth = connect["auth"].as_object().into_iter().flatten();
        all.extend(Self {
            namespaces: texts(&connect["namespace"]),
            paths: texts(&connect["path"]),
            auth: auth.map(|(key, _)| key.clone()).collect(),
            ..Self::default()
        });
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read() {
        let text = r#"{"connect":{"namespace":["/","/chat"],"path":"/socket.io","auth":{"token":"jwt"}},
            "listens":[{"event":"a","needs":["x.y","=any"]},{"event":"b","needs":["=array"],"ns":"/c"},
                       {"event":"a","needs":["z"]}]}"#;
        let listens = Listens::from_facts(text).unwrap();
        assert_eq!(listens.events.len(), 2);
        assert_eq!(listens.events[0].needs.len(), 3);
        assert_eq!(listens.events[1].needs, [Need::List]);
        assert_eq!(listens.namespaces, ["/", "/c", "/chat"]);
        assert_eq!(listens.auth, ["token"]);
        let bare = Listens::from_facts(r#"["a", {"event": "b"}]"#).unwrap();
        assert_eq!(bare.events.len(), 2);
        for wrong in ["{", "{}", "7", "[7]"] {
            assert!(Listens::from_facts(wrong).is_err(), "{wrong}");
        }
    }
}

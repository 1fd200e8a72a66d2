//! What those hear of an event who speak a dialect.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use super::Dialect;
use super::template::{Root, Scope};
use crate::contract::json_text;
use crate::domain::Kind;

/// An event, as it is told.
#[derive(Debug, Clone)]
pub struct Told {
    /// The name.
    pub name: Arc<str>,
    /// The payload.
    pub payload: Arc<RawValue>,
    /// Whether whoever caused it is left out.
    pub to_others: bool,
}

/// Something that happened, and is to be told.
pub struct Happened<'a> {
    /// Its name, as `--event-style colon` spells it, or as others gave it.
    pub name: &'a str,
    /// The name under which it is told without a rule.
    pub spelled: &'a str,
    /// Its payload.
    pub payload: &'a Arc<RawValue>,
    /// The project's id.
    pub room: Option<Value>,
    /// Who caused it, or of whom it tells.
    pub user: &'a dyn Fn() -> Value,
    /// The public id of the connection that caused it.
    pub socket: Option<String>,
    /// Who is in the room.
    pub presence: &'a dyn Fn() -> Value,
    /// The time, as the roots say it.
    pub now: &'a dyn Fn() -> Value,
    /// Whether an own word of the server's is told, which has no shape.
    pub is_ours: bool,
}

impl Dialect {
    /// What those hear who speak the dialect.
    #[must_use]
    pub fn tell(&self, happened: &Happened<'_>) -> Vec<Told> {
        let kind = kind_in(happened);
        let as_it_is = |payload: Arc<RawValue>| {
            vec![Told {
                name: happened.spelled.into(),
                payload,
                to_others: false,
            }]
        };
        let Some(rules) = self.tell_rules(happened.name) else {
            let Some(kind) = kind.filter(|kind| self.shapes(*kind)) else {
                return as_it_is(Arc::clone(happened.payload));
            };
            let Ok(data) = serde_json::from_str::<Value>(happened.payload.get()) else {
                return as_it_is(Arc::clone(happened.payload));
            };
            return as_it_is(json_text(&self.shaped(kind, data)).into());
        };
        let data = serde_json::from_str::<Value>(happened.payload.get()).unwrap_or_default();
        let uses = |root| {
            let mut rules = rules.iter();
            rules.any(|rule| {
                let templates = [&rule.when, &rule.data];
                let mut templates = templates.into_iter().flatten();
                templates.any(|template| template.roots().contain(root))
            })
        };
        let mut scope = Scope::new().with(Root::Data, &data);
        if uses(Root::Entity) {
            let entity = data.clone();
            scope.set(
                Root::Entity,
                kind.map_or(entity.clone(), |kind| self.shaped(kind, entity)),
            );
        }
        if let Some(room) = &happened.room {
            scope.set(Root::Room, room.clone());
        }
        if let Some(socket) = &happened.socket {
            scope.set(Root::Socket, serde_json::json!({ "id": socket }));
        }
        let late: [(Root, &dyn Fn() -> Value); 3] = [
            (Root::User, happened.user),
            (Root::Presence, happened.presence),
            (Root::Now, happened.now),
        ];
        for (root, value) in late {
            if uses(root) {
                scope.set(root, value());
            }
        }
        let shaped = || match kind.filter(|kind| self.shapes(*kind)) {
            Some(kind) => json_text(&self.shaped(kind, data.clone())).into(),
            None => Arc::clone(happened.payload),
        };
        let mut told = Vec::new();
        for rule in rules.iter() {
            if rule.when.as_ref().is_some_and(|when| !when.holds(&scope)) {
                continue;
            }
            let payload = match &rule.data {
                Some(data) => json_text(&data.render(&scope).unwrap_or_default()).into(),
                None => shaped(),
            };
            told.extend(rule.names.iter().map(|name| Told {
                name: name.as_str().into(),
                payload: Arc::clone(&payload),
                to_others: rule.to_others,
            }));
        }
        told
    }

    fn shapes(&self, kind: Kind) -> bool {
        let mut kinds = self.kinds.iter();
        kinds.any(|rule| rule.kind == kind && !rule.is_plain())
    }
}

/// The kind of the entity that an event of ours is about.
fn kind_in(happened: &Happened<'_>) -> Option<Kind> {
    let (noun, _) = happened.name.split_once(':').filter(|_| happened.is_ours)?;
    noun.parse().ok()
}

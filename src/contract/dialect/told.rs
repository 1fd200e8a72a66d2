//! What those hear of an event who speak a dialect.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Dialect;
use super::rule::TellRule;
use super::template::{Root, Roots, Scope};
use crate::contract::{EventStyle, json_text, unpack};
use crate::domain::{EventType, Kind};

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

/// Renderings that are kept: as many as there are recent events of a channel, in which subscribers may be at different places.
const MAX_KEPT: usize = 1024;
/// Bytes of payloads that are kept with them.
const MAX_KEPT_BYTES: usize = 4 * 1024 * 1024;

/// The last events as they were told: all who speak the dialect are told the same.
#[derive(Debug, Default)]
pub(super) struct ToldCache {
    /// Guards what was rendered last. Nothing is rendered under it.
    kept: Mutex<AllKept>,
}

/// By the place of the payload in memory: it is the same event as long as it is the same payload, and a payload that is kept has
/// its place to itself.
type CacheKey = (usize, EventStyle, Nouns);

#[derive(Debug, Default)]
struct AllKept {
    by_payload: HashMap<CacheKey, Kept>,
    /// The oldest first.
    order: VecDeque<CacheKey>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    payload: Arc<RawValue>,
    told: Arc<[Told]>,
}

impl Kept {
    fn bytes(&self) -> usize {
        let told = self.told.iter().map(|told| told.payload.get().len());
        told.sum::<usize>() + self.payload.get().len()
    }
}

fn cache_key(payload: &Arc<RawValue>, style: EventStyle, nouns: Nouns) -> CacheKey {
    (Arc::as_ptr(payload).cast::<u8>() as usize, style, nouns)
}

impl ToldCache {
    fn get(&self, payload: &Arc<RawValue>, style: EventStyle, nouns: Nouns) -> Option<Arc<[Told]>> {
        let kept = self.kept.lock();
        let found = kept.by_payload.get(&cache_key(payload, style, nouns))?;
        Some(Arc::clone(&found.told))
    }

    fn put(&self, style: EventStyle, nouns: Nouns, new: Kept) {
        if new.bytes() > MAX_KEPT_BYTES {
            return;
        }
        let key = cache_key(&new.payload, style, nouns);
        let mut dropped = Vec::new();
        let mut kept = self.kept.lock();
        if kept.by_payload.contains_key(&key) {
            // Somebody else was told at the same time.
            return;
        }
        kept.bytes += new.bytes();
        kept.by_payload.insert(key, new);
        kept.order.push_back(key);
        while kept.order.len() > MAX_KEPT || kept.bytes > MAX_KEPT_BYTES {
            let oldest = kept.order.pop_front();
            let Some(oldest) = oldest.and_then(|oldest| kept.by_payload.remove(&oldest)) else {
                break;
            };
            kept.bytes -= oldest.bytes();
            dropped.push(oldest);
        }
        drop(kept);
    }
}

/// What a client calls tasks and projects, if not as we do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Nouns {
    /// Its noun for a task.
    pub task: Option<&'static str>,
    /// Its noun for a project.
    pub project: Option<&'static str>,
}

impl Nouns {
    /// Whether it calls both as we do.
    #[must_use]
    pub fn are_ours(self) -> bool {
        self == Self::default()
    }

    fn of(self, kind: Kind) -> Option<&'static str> {
        match kind {
            Kind::Task => self.task,
            Kind::Project => self.project,
            _ => None,
        }
    }
}

/// The end of the type of an event that carries a list.
const LISTED: &str = ".listed";

/// Something that happened, and is to be told.
pub struct Happened<'a> {
    /// What happened.
    pub event_type: &'a EventType,
    /// How its name is spelled.
    pub style: EventStyle,
    /// What the client calls tasks and projects.
    pub nouns: Nouns,
    /// Its payload.
    pub payload: &'a Arc<RawValue>,
    /// The project's id.
    pub room: Option<Value>,
    /// Who caused it, or of whom it tells.
    pub user: &'a dyn Fn(&Value) -> Value,
    /// The public id of the connection that caused it.
    pub socket: Option<String>,
    /// Who is in the room.
    pub presence: &'a dyn Fn() -> Value,
    /// The time.
    pub now: &'a dyn Fn() -> Value,
}

impl Dialect {
    /// What those hear who speak the dialect, if it was rendered already.
    #[must_use]
    pub fn told(
        &self,
        payload: &Arc<RawValue>,
        style: EventStyle,
        nouns: Nouns,
    ) -> Option<Arc<[Told]>> {
        self.cache.get(payload, style, nouns)
    }

    /// What those hear who speak the dialect. It is rendered once for all.
    #[must_use]
    pub fn tell(&self, happened: &Happened<'_>) -> Arc<[Told]> {
        let (payload, style, nouns) = (happened.payload, happened.style, happened.nouns);
        if let Some(told) = self.told(payload, style, nouns) {
            return told;
        }
        let told: Arc<[Told]> = self.render(happened).into();
        let kept = Kept {
            payload: Arc::clone(payload),
            told: Arc::clone(&told),
        };
        self.cache.put(style, nouns, kept);
        told
    }

    fn render(&self, happened: &Happened<'_>) -> Vec<Told> {
        let name = EventStyle::Colon.name(happened.event_type);
        let kind = kind_in(happened, &name);
        let to_others = self.to_others.get(&name).is_some();
        let rules = self.tell_rules(&name);
        // What a backend, or a frontend, says under a name of ours is in the frontend's words already.
        let Some(rules) = rules.filter(|_| !is_in_their_words(happened)) else {
            return vec![Told {
                name: happened.spelled(kind).into(),
                payload: self.without_rule(happened, kind),
                to_others,
            }];
        };
        let data = happened.named();
        let shaped = || match kind {
            Some(kind) => self.shaped_in(happened.event_type, kind, data.clone()),
            None => data.clone(),
        };
        let scope = happened.scope(rules, &data, &shaped);
        let mut told = Vec::new();
        for rule in rules.iter() {
            if rule.when.as_ref().is_some_and(|when| !when.holds(&scope)) {
                continue;
            }
            let payload: Arc<RawValue> = match &rule.data {
                Some(data) => json_text(&data.render(&scope).unwrap_or_default()).into(),
                None if unpack(happened.payload).is_some() => Arc::clone(happened.payload),
                None => json_text(&shaped()).into(),
            };
            told.extend(rule.names.iter().map(|name| Told {
                name: name.as_str().into(),
                payload: Arc::clone(&payload),
                to_others: rule.to_others || to_others,
            }));
        }
        told
    }

    /// The payload of an event for which there is no rule.
    fn without_rule(&self, happened: &Happened<'_>, kind: Option<Kind>) -> Arc<RawValue> {
        let is_named = happened.event_type.is_ours() && !happened.nouns.are_ours();
        match kind {
            Some(kind) if is_named || self.shapes(kind) => {
                json_text(&self.shaped_in(happened.event_type, kind, happened.named())).into()
            }
            None if is_named => json_text(&happened.named()).into(),
            _ => Arc::clone(happened.payload),
        }
    }

    /// What an event carries, in the frontend's shape: the entity, or each one of a list.
    fn shaped_in(&self, event_type: &EventType, kind: Kind, mut data: Value) -> Value {
        if !event_type.as_str().ends_with(LISTED) {
            return self.shaped(kind, data);
        }
        if let Some(Value::Array(items)) = data.get_mut("items") {
            for item in items {
                *item = self.shaped(kind, item.take());
            }
        }
        data
    }

    fn shapes(&self, kind: Kind) -> bool {
        let mut kinds = self.kinds.iter();
        kinds.any(|rule| rule.kind == kind && !rule.is_plain())
    }
}

impl Happened<'_> {
    /// The name under which it is told without a rule.
    fn spelled(&self, kind: Option<Kind>) -> String {
        let own = kind.and_then(|kind| Some((kind, self.nouns.of(kind)?)));
        let Some((kind, noun)) = own else {
            return self.style.name(self.event_type);
        };
        let dotted = self.event_type.as_str();
        let rest = dotted.strip_prefix(kind.as_str()).unwrap_or(dotted);
        self.style.spell(&format!("{noun}{rest}"))
    }

    /// The payload with the ids that the client has names of its own for.
    fn named(&self) -> Value {
        let arguments = unpack(self.payload);
        let first = arguments.as_ref().and_then(|arguments| arguments.first());
        let first = first.map_or(self.payload.get(), |first| first.get());
        let mut data = serde_json::from_str(first).unwrap_or_default();
        if let Value::Object(object) = &mut data {
            for kind in [Kind::Task, Kind::Project] {
                if let Some(noun) = self.nouns.of(kind)
                    && let Some(id) = object.get(kind.id_key()).cloned()
                {
                    object.entry(format!("{noun}Id")).or_insert(id);
                }
            }
        }
        data
    }

    /// What the rules see of it. Only what one of them uses is looked up.
    fn scope<'a>(
        &self,
        rules: &[TellRule],
        data: &'a Value,
        shaped: &dyn Fn() -> Value,
    ) -> Scope<'a> {
        let templates = rules.iter().flat_map(|rule| [&rule.when, &rule.data]);
        let roots = templates
            .flatten()
            .fold(Roots::default(), |roots, template| {
                roots.and(template.roots())
            });
        let mut scope = Scope::new().with(Root::Data, data);
        if let Some(room) = &self.room {
            scope.set(Root::Room, room.clone());
        }
        let socket = data.get("connectionId").cloned();
        let socket = socket.or_else(|| self.socket.clone().map(Value::from));
        if let Some(socket) = socket {
            scope.set(Root::Socket, json!({ "id": socket }));
        }
        let user = || (self.user)(data);
        let late: [(Root, &dyn Fn() -> Value); 4] = [
            (Root::Entity, shaped),
            (Root::User, &user),
            (Root::Presence, self.presence),
            (Root::Now, self.now),
        ];
        for (root, value) in late {
            if roots.contain(root) {
                scope.set(root, value());
            }
        }
        scope
    }
}

/// Whether somebody else says something under a name of ours.
fn is_in_their_words(happened: &Happened<'_>) -> bool {
    let name = happened.event_type.as_str();
    let dotted = name.replacen(':', ".", 1);
    !happened.event_type.is_ours() && EventType::restore(dotted).is_ours()
}

/// The kind of the entity that an event of ours is about.
fn kind_in(happened: &Happened<'_>, name: &str) -> Option<Kind> {
    if !happened.event_type.is_ours() {
        return None;
    }
    name.split_once(':')?.0.parse().ok()
}

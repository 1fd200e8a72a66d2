//! The rules of a dialect: what a client's event means, and what clients hear of ours.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::template::{Root, Roots, Scope, Template};
use crate::contract::toml_node::{DialectError, Key, Node, or};
use crate::contract::vocabulary::Vocabulary;
use crate::contract::{EventClass, EventName};

/// Rules of one event.
const MAX_RULES_OF_ONE: usize = 32;
/// Names that the client library says itself, or would end the connection.
const OF_THE_LIBRARY: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];

/// What is known when a message comes in.
const COMING_IN: Roots = Roots::of(&[
    Root::Data,
    Root::Args,
    Root::User,
    Root::Socket,
    Root::Auth,
    Root::Query,
    Root::Token,
    Root::Server,
    Root::Now,
]);
const IN_A_ROOM: Roots = COMING_IN.and(Roots::of(&[Root::Room]));
/// What is known when what was asked for was done.
const DONE: Roots = IN_A_ROOM.and(Roots::of(&[
    Root::Entity,
    Root::Ack,
    Root::Presence,
    Root::State,
]));
const REFUSED: Roots = IN_A_ROOM.and(Roots::of(&[Root::Error]));
/// What is known when a client has connected.
pub(super) const GREETING: Roots = Roots::of(&[
    Root::User,
    Root::Socket,
    Root::Auth,
    Root::Query,
    Root::Token,
    Root::Server,
    Root::Now,
    Root::Room,
    Root::Presence,
    Root::State,
]);
/// What is known of an event that is told.
const TOLD: Roots = Roots::of(&[
    Root::Data,
    Root::Room,
    Root::User,
    Root::Socket,
    Root::Entity,
    Root::Presence,
    Root::Now,
]);

/// What a client's event means.
#[derive(Debug)]
pub struct OnRule {
    when: Option<Template>,
    /// The event of ours.
    pub is: Option<EventName>,
    /// A list, for each of which the event happens, as `$it`.
    pub each: Option<Template>,
    with: Option<Template>,
    room: Option<Template>,
    present: Option<Template>,
    /// Whether its sender joins without being seen by the others.
    pub hides: bool,
    /// What its sender is told.
    pub reply: Vec<Said>,
    /// What the room is told.
    pub relay: Vec<Relay>,
    ack: Option<Template>,
    /// What its sender is told when it is refused.
    pub refused: Option<Said>,
}

/// An event that the server says.
#[derive(Debug)]
pub struct Said {
    /// Its name.
    pub event: String,
    /// Its payload; without it what was sent.
    pub data: Option<Template>,
}

/// An event that is passed on.
#[derive(Debug)]
pub struct Relay {
    /// The name under which it is told; without it that of the message.
    pub event: Option<String>,
    /// Its payload; without it what was sent.
    pub data: Option<Template>,
    /// To whom.
    pub to: Audience,
    /// How.
    pub keep: Keep,
}

/// To whom something is passed on.
#[derive(Debug)]
pub enum Audience {
    /// To the others in the room.
    Others,
    /// To everyone in the room.
    All,
    /// To the connections of a user.
    User(Template),
}

impl Audience {
    /// Whether it is the others in the room.
    #[must_use]
    pub fn is_others(&self) -> bool {
        matches!(self, Self::Others)
    }
}

/// How something is passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// To those who are there.
    Signal,
    /// Kept, and numbered.
    Log,
}

/// What clients hear in place of an event of ours.
#[derive(Debug)]
pub struct TellRule {
    /// When it counts.
    pub when: Option<Template>,
    /// The names under which it is told.
    pub names: Vec<String>,
    /// Its payload; without it ours.
    pub data: Option<Template>,
    /// Whether whoever caused it is left out.
    pub to_others: bool,
}

/// The rules of one event, and what its messages count as.
#[derive(Debug)]
pub struct OnRules {
    /// The rules, in order.
    pub rules: Vec<OnRule>,
    /// What a message counts as.
    pub class: EventClass,
}

/// Things by name; a name that ends in `*` stands for all that begin like it.
#[derive(Debug)]
pub(super) struct ByName<T> {
    exact: HashMap<String, Arc<T>>,
    /// The longest first.
    beginnings: Vec<(String, Arc<T>)>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self {
            exact: HashMap::new(),
            beginnings: Vec::new(),
        }
    }
}

impl<T> ByName<T> {
    pub(super) fn insert(&mut self, name: &str, what: T) {
        match name.strip_suffix('*') {
            Some(beginning) => {
                let beginning = (beginning.to_owned(), Arc::new(what));
                self.beginnings.push(beginning);
                self.beginnings
                    .sort_by_key(|(beginning, _)| std::cmp::Reverse(beginning.len()));
            }
            None => {
                self.exact.insert(name.to_owned(), Arc::new(what));
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.exact.get(name).or_else(|| {
            let mut beginnings = self.beginnings.iter();
            let found = beginnings.find(|(beginning, _)| name.starts_with(beginning.as_str()));
            found.map(|(_, what)| what)
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.beginnings.is_empty()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &T> {
        let beginnings = self.beginnings.iter().map(|(_, what)| &**what);
        self.exact.values().map(|what| &**what).chain(beginnings)
    }
}

impl OnRule {
    fn read(node: &Node<'_>, vocabulary: &'static Vocabulary) -> Result<Self, DialectError> {
        node.only(&[
            "when", "is", "each", "with", "room", "present", "reply", "relay", "ack", "refused",
        ])?;
        let template = |key: &str, allowed| {
            let value = node.get(key);
            value
                .map(|value| Template::read(value, allowed))
                .transpose()
        };
        let is = match node.get("is") {
            None => None,
            Some(is) => Some(vocabulary.find(is.name()?).ok_or_else(|| {
                let message = "there is no such event of ours, such as join:project or task:create";
                is.error(message)
            })?),
        };
        let replies = node.get("reply").map_or(&[][..], Node::items);
        let relays = node.get("relay").map_or(&[][..], Node::items);
        let each = template("each", IN_A_ROOM)?;
        let in_with = match &each {
            Some(_) => IN_A_ROOM.and(Roots::of(&[Root::It, Root::Index])),
            None => IN_A_ROOM,
        };
        let hides = hides(node, is)?;
        let rule = Self {
            when: template("when", COMING_IN)?,
            with: template("with", in_with)?,
            room: template("room", COMING_IN)?,
            present: if hides {
                None
            } else {
                template("present", IN_A_ROOM)?
            },
            hides,
            each,
            reply: replies
                .iter()
                .map(|reply| Said::read(reply, DONE))
                .collect::<Result<_, _>>()?,
            relay: relays.iter().map(Relay::read).collect::<Result<_, _>>()?,
            ack: template("ack", DONE)?,
            refused: match node.get("refused") {
                Some(refused) => Some(Said::read(refused, REFUSED)?),
                None => None,
            },
            is,
        };
        if rule.is.is_none() && rule.with.is_some() {
            return Err(node.error("`with` needs `is`: say which event of ours is meant"));
        }
        if let (Some(each), false) = (node.get("each"), rule.is_complete_for_each()) {
            let message = "`each` needs `is`, a command such as task:update, and `with`, in which \
                           $it is one of the list";
            return Err(each.error(message));
        }
        if rule.is.is_none() && rule.present.is_none() && replies.is_empty() && relays.is_empty() {
            let wanted = or(&["`is`", "`relay`", "`reply`", "`present`"]);
            return Err(node.error(format!("says nothing: write {wanted}")));
        }
        Ok(rule)
    }

    fn is_complete_for_each(&self) -> bool {
        let is_command = |event: EventName| event.class() == EventClass::Command;
        self.is.is_some_and(is_command) && self.with.is_some()
    }

    /// Whether it counts for a message.
    #[must_use]
    pub fn holds(&self, scope: &Scope<'_>) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(scope))
    }

    /// The room's id, if the rule says how it is found.
    #[must_use]
    pub fn room(&self, scope: &Scope<'_>) -> Option<Option<Value>> {
        self.room.as_ref().map(|room| room.render(scope))
    }

    /// The first argument of the event that is meant, if it is not as it was sent.
    #[must_use]
    pub fn argument(&self, scope: &Scope<'_>) -> Option<Value> {
        let with = self.with.as_ref()?;
        Some(with.render(scope).unwrap_or_default())
    }

    /// What others see of the client in the room.
    #[must_use]
    pub fn present(&self, scope: &Scope<'_>) -> Option<Value> {
        self.present.as_ref()?.render(scope)
    }

    /// The acknowledgement, if it is not ours.
    #[must_use]
    pub fn ack(&self, scope: &Scope<'_>) -> Option<Value> {
        self.ack.as_ref()?.render(scope)
    }

    /// Whether anything is to be done once its event was served.
    #[must_use]
    pub fn has_consequences(&self) -> bool {
        !self.reply.is_empty()
            || !self.relay.is_empty()
            || self.ack.is_some()
            || self.refused.is_some()
    }

    /// Whether it needs to know the room.
    #[must_use]
    pub fn needs_room(&self) -> bool {
        let mut roots = Roots::default();
        for template in self.templates() {
            roots = roots.and(template.roots());
        }
        let needing = [Root::Room, Root::Presence, Root::State];
        self.present.is_some()
            || !self.relay.is_empty()
            || needing.into_iter().any(|root| roots.contain(root))
    }

    /// The templates by which something is said.
    pub fn templates(&self) -> impl Iterator<Item = &Template> {
        let said = self.reply.iter().chain(&self.refused);
        let said = said.filter_map(|said| said.data.as_ref());
        let relays = self.relay.iter().filter_map(|relay| relay.data.as_ref());
        let own = [&self.with, &self.present, &self.ack];
        said.chain(relays).chain(own.into_iter().flatten())
    }

    /// The templates that decide whether, and where, it counts.
    pub(super) fn conditions(&self) -> impl Iterator<Item = &Template> {
        [&self.when, &self.room, &self.each].into_iter().flatten()
    }

    fn class(&self) -> EventClass {
        let keeps = self.relay.iter().any(|relay| relay.keep == Keep::Log);
        match self.is.map(EventName::class) {
            Some(class @ (EventClass::Command | EventClass::Read)) if !keeps => class,
            _ if keeps => EventClass::Command,
            _ if !self.reply.is_empty() => EventClass::Read,
            _ => EventClass::Signal,
        }
    }
}

/// Whether a rule lets its sender join without being seen.
fn hides(node: &Node<'_>, is: Option<EventName>) -> Result<bool, DialectError> {
    let Some(present) = node.get("present") else {
        return Ok(false);
    };
    let joins = is.is_some_and(|event| event.as_str() == "join:project");
    match present.plain() {
        Some(Value::Bool(false)) if joins => Ok(true),
        Some(Value::Bool(false)) => {
            Err(present.error("`present = false` needs `is = \"join:project\"`"))
        }
        Some(Value::Bool(true)) => Err(present.error("must be false, or what others see")),
        _ => Ok(false),
    }
}

impl OnRules {
    pub(super) fn read(
        node: &Node<'_>,
        vocabulary: &'static Vocabulary,
    ) -> Result<Self, DialectError> {
        let items = node.items();
        if items.len() > MAX_RULES_OF_ONE {
            return Err(node.error(format!("has more than {MAX_RULES_OF_ONE} rules")));
        }
        let rules = items.iter().map(|rule| OnRule::read(rule, vocabulary));
        let rules = rules.collect::<Result<Vec<_>, _>>()?;
        let classes = rules.iter().map(OnRule::class);
        let class = classes.min_by_key(|class| match class {
            EventClass::Command => 0,
            EventClass::Read => 1,
            EventClass::Signal => 2,
        });
        Ok(Self {
            rules,
            class: class.unwrap_or(EventClass::Signal),
        })
    }
}

impl Said {
    pub(super) fn read(node: &Node<'_>, allowed: Roots) -> Result<Self, DialectError> {
        if node.plain().is_some() {
            let event = event_name(node)?;
            return Ok(Self { event, data: None });
        }
        node.only(&["event", "data"])?;
        let Some(event) = node.get("event") else {
            return Err(node.error("needs `event`: the name under which it is told"));
        };
        Ok(Self {
            event: event_name(event)?,
            data: match node.get("data") {
                Some(data) => Some(Template::read(data, allowed)?),
                None => None,
            },
        })
    }

    /// The payload.
    #[must_use]
    pub fn payload(&self, scope: &Scope<'_>, sent: &Value) -> Value {
        match &self.data {
            Some(data) => data.render(scope).unwrap_or_default(),
            None => sent.clone(),
        }
    }
}

impl Relay {
    fn read(node: &Node<'_>) -> Result<Self, DialectError> {
        if node.plain().is_some() {
            return Ok(Self {
                event: Some(event_name(node)?),
                data: None,
                to: Audience::Others,
                keep: Keep::Signal,
            });
        }
        node.only(&["event", "data", "to", "user", "keep"])?;
        let event = node.get("event").map(event_name).transpose()?;
        let data = match node.get("data") {
            Some(data) => Some(Template::read(data, DONE)?),
            None => None,
        };
        let to = match (node.get("to"), node.get("user")) {
            (None, None) => Audience::Others,
            (Some(to), user) => match (to.text()?, user) {
                ("others", None) => Audience::Others,
                ("all", None) => Audience::All,
                ("user", Some(user)) => Audience::User(Template::read(user, DONE)?),
                ("user", None) => return Err(to.error("needs `user`: a template of the user's id")),
                ("others" | "all", Some(user)) => {
                    return Err(user.error("needs `to = \"user\"`"));
                }
                _ => return Err(to.error("must be \"others\", \"all\" or \"user\"")),
            },
            (None, Some(user)) => Audience::User(Template::read(user, DONE)?),
        };
        let keep = match node.get("keep") {
            None => Keep::Signal,
            Some(keep) => match keep.text()? {
                "signal" => Keep::Signal,
                "log" => Keep::Log,
                _ => return Err(keep.error("must be \"signal\" or \"log\"")),
            },
        };
        Ok(Self {
            event,
            data,
            to,
            keep,
        })
    }
}

impl TellRule {
    pub(super) fn read(name: &Key<'_>, node: &Node<'_>) -> Result<Self, DialectError> {
        node.only(&["when", "as", "data", "to"])?;
        let template = |key: &str| {
            let value = node.get(key);
            value.map(|value| Template::read(value, TOLD)).transpose()
        };
        let names = match node.get("as") {
            Some(names) => names
                .items()
                .iter()
                .map(event_name)
                .collect::<Result<_, _>>()?,
            None => vec![name.name.to_string()],
        };
        let to_others = match node.get("to") {
            None => false,
            Some(to) => match to.text()? {
                "all" => false,
                "others" => true,
                _ => return Err(to.error("must be \"all\" or \"others\"")),
            },
        };
        Ok(Self {
            when: template("when")?,
            names,
            data: template("data")?,
            to_others,
        })
    }

    pub(super) fn of(name: &Key<'_>, node: &Node<'_>) -> Result<Vec<Self>, DialectError> {
        let items = node.items();
        if items.len() > MAX_RULES_OF_ONE {
            return Err(node.error(format!("has more than {MAX_RULES_OF_ONE} rules")));
        }
        items.iter().map(|rule| Self::read(name, rule)).collect()
    }
}

fn event_name(node: &Node<'_>) -> Result<String, DialectError> {
    let name = node.name()?;
    if OF_THE_LIBRARY.contains(&name) {
        let message = format!("{name:?} is a word of the client library; choose another name");
        return Err(node.error(message));
    }
    Ok(name.to_owned())
}

//! A dialect file in the making.

use std::collections::BTreeMap;

use super::super::listens::Listens;
use super::super::report::Learned;
use super::value::Toml;

/// Rules of one event.
const MAX_RULES_OF_ONE: usize = 32;

/// What is proposed.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) about: String,
    pub(super) namespaces: Vec<String>,
    pub(super) paths: Vec<String>,
    /// The keys of `auth`.
    pub(super) auth: Vec<String>,
    /// The project that is meant where none is named, and whether everybody is in it.
    pub(super) room: Option<(String, bool)>,
    pub(super) on: BTreeMap<String, OnRule>,
    pub(super) tell: BTreeMap<String, Vec<TellRule>>,
    pub(super) greet: Vec<(String, Option<Toml>)>,
    pub(super) has_user_room: bool,
    pub(super) names_users: bool,
    pub(super) person: Option<Toml>,
    /// Other words for our kinds.
    pub(super) aliases: BTreeMap<String, Vec<String>>,
    /// Kinds whose entities have an `_id`.
    pub(super) with_underscore: Vec<String>,
    /// Kinds of the frontend's own.
    pub(super) kinds: Vec<String>,
    /// What a person must decide about no rule in particular.
    pub(super) notes: Vec<String>,
}

/// What an event that clients send means.
#[derive(Debug, Default, Clone)]
pub(super) struct OnRule {
    pub(super) is: Option<String>,
    pub(super) with: Option<Toml>,
    pub(super) room: Option<Toml>,
    pub(super) present: Option<Toml>,
    pub(super) reply: Vec<(String, Option<Toml>)>,
    pub(super) relay: Vec<Relay>,
    pub(super) refused: Option<(String, Option<Toml>)>,
    pub(super) notes: Vec<String>,
}

/// What is passed on.
#[derive(Debug, Clone)]
pub(super) struct Relay {
    pub(super) event: String,
    pub(super) data: Option<Toml>,
    /// The user to whom; without it the others in the room.
    pub(super) user: Option<Toml>,
    pub(super) is_kept: bool,
}

/// What clients hear of an event of ours.
#[derive(Debug, Clone)]
pub(super) struct TellRule {
    pub(super) names: Vec<String>,
    pub(super) data: Option<Toml>,
    pub(super) to_others: bool,
    pub(super) notes: Vec<String>,
}

impl OnRule {
    /// Whether it says more than the default dialect does.
    pub(super) fn is_needed(&self) -> bool {
        self.is.is_some()
            || self.present.is_some()
            || !self.reply.is_empty()
            || !self.relay.is_empty()
    }

    /// Adds an answer, once for each name.
    pub(super) fn add_reply(&mut self, event: &str, data: Option<Toml>) {
        if !self.reply.iter().any(|(known, _)| known == event) {
            self.reply.push((event.to_owned(), data));
        }
    }
}

impl Draft {
    pub(super) fn new(emits: usize, listens: usize, is_guessed: bool) -> Self {
        let about = format!(
            "Proposed from {emits} events that clients send and {listens} that pages listen to"
        );
        let mut notes = Vec::new();
        if is_guessed {
            notes.push(
                "what pages listen to was guessed from what they send; give their source with --listens for a better \
                 proposal"
                    .to_owned(),
            );
        }
        Self {
            about,
            notes,
            ..Self::default()
        }
    }

    /// Where the frontend connects, if that is not where all others do.
    pub(super) fn matching(&mut self, learned: &Learned, listens: &Listens) {
        let ways = &learned.connections;
        let names = ways.iter().map(|way| way.namespace.clone());
        let mut namespaces: Vec<_> = names.chain(listens.namespaces.iter().cloned()).collect();
        namespaces.retain(|name| name.starts_with('/') && !name.contains('<'));
        namespaces.sort_unstable();
        namespaces.dedup();
        let elsewhere = listens
            .events
            .iter()
            .any(|listen| listen.namespace.is_none());
        if namespaces.iter().any(|name| name != "/") {
            if elsewhere
                && !namespaces.iter().any(|name| name == "/")
                && ways.is_empty()
                && listens.namespaces.is_empty()
            {
                namespaces.insert(0, "/".to_owned());
            }
            self.namespaces = namespaces;
        }
        let paths = ways.iter().map(|way| &way.path).chain(&listens.paths);
        let is_other = |path: &&String| {
            let path = path.trim_end_matches('/');
            path.starts_with('/') && path != "/socket.io" && !path.contains(['<', ' ', '*'])
        };
        let paths = paths.filter(is_other);
        self.paths = paths
            .map(|path| path.trim_end_matches('/').to_owned())
            .filter(|path| !path.is_empty())
            .collect();
        self.paths.sort_unstable();
        self.paths.dedup();
    }

    /// The rule of an event.
    pub(super) fn on(&mut self, event: &str) -> &mut OnRule {
        self.on.entry(event.to_owned()).or_default()
    }

    /// Adds a rule of what clients hear of an event of ours; the same template under several names is one rule.
    pub(super) fn tell(
        &mut self,
        ours: &str,
        name: &str,
        data: Option<Toml>,
        to_others: bool,
        notes: Vec<String>,
    ) {
        let rules = self.tell.entry(ours.to_owned()).or_default();
        if rules.len() >= MAX_RULES_OF_ONE {
            return;
        }
        if rules
            .iter()
            .any(|rule| rule.names.iter().any(|known| known == name))
        {
            return;
        }
        let same = rules
            .iter_mut()
            .find(|rule| rule.data == data && rule.to_others == to_others);
        if let Some(same) = same.filter(|_| notes.is_empty()) {
            same.names.push(name.to_owned());
            return;
        }
        rules.push(TellRule {
            names: vec![name.to_owned()],
            data,
            to_others,
            notes,
        });
    }
}

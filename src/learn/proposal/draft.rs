//! A dialect file in the making.

use std::collections::BTreeMap;

use super::super::listens::Listens;
use super::super::report::Learned;
use super::value::{Toml, key_text, quoted};

/// What is proposed.
#[derive(Debug, Default)]
pub(super) struct Draft {
    about: String,
    namespaces: Vec<String>,
    paths: Vec<String>,
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

    /// The file.
    pub(super) fn write(&self) -> String {
        let mut file = String::new();
        let mut line = |text: &str| {
            file.push_str(text);
            file.push('\n');
        };
        line(
            "# A proposal: read it through, try it with `boardcast dialect try`, and keep it. What it says is explained in",
        );
        line("# dialects/README.md. Lines that begin with `# decide:` are for you.");
        line(&format!("about = {}", quoted(&self.about)));
        for note in &self.notes {
            line(&decide(note));
        }
        if !self.paths.is_empty() || !self.namespaces.is_empty() {
            line("\n[match]");
            if !self.paths.is_empty() {
                line(&format!("paths = {}", Toml::texts(&self.paths)));
            }
            if !self.namespaces.is_empty() {
                line(&format!("namespaces = {}", Toml::texts(&self.namespaces)));
            }
        }
        if let Some((default, is_joined)) = &self.room {
            line("\n# decide: the project in which everything happens that names none.\n[room]");
            line(&format!("default = {}", quoted(default)));
            if *is_joined {
                line("join = true");
            }
        }
        self.write_people(&mut line);
        self.write_kinds(&mut line);
        for (event, rule) in self.on.iter().filter(|(_, rule)| rule.is_needed()) {
            write_on(event, rule, &mut line);
        }
        for (event, rules) in &self.tell {
            line("");
            for rule in rules {
                write_tell(event, rule, rules.len() > 1, &mut line);
            }
        }
        for (event, data) in &self.greet {
            line("\n[[greet]]");
            line(&format!("event = {}", quoted(event)));
            if let Some(data) = data {
                line(&format!("data = {data}"));
            }
        }
        file
    }

    fn write_people(&self, line: &mut impl FnMut(&str)) {
        if self.has_user_room || self.names_users {
            line("\n[user]");
            let key = |names: &[&str]| {
                let known = names
                    .iter()
                    .filter(|name| self.auth.iter().any(|key| key == *name));
                known
                    .map(|name| format!("$auth.{name}"))
                    .collect::<Vec<_>>()
            };
            let mut ids = key(&["userId", "user_id", "uid", "id"]);
            if ids.is_empty() {
                ids.push("$auth.userId".to_owned());
            }
            ids.extend(
                ["$query.userId", "$token.sub", "$token.userId", "$token.id"].map(str::to_owned),
            );
            line(&format!("id = {}", quoted(&ids.join(" ?? "))));
            let mut names = key(&["userName", "username", "name", "displayName"]);
            names.extend(["$token.name", "$token.username"].map(str::to_owned));
            line(&format!("name = {}", quoted(&names.join(" ?? "))));
            line("image = \"$auth.avatar ?? $token.picture ?? $token.image ?? $token.avatar\"");
            if self.has_user_room {
                line(
                    "# Backends tell a user something on the channel `user:<id>`; it is heard under its own name.",
                );
                line("room = true");
            }
        }
        if let Some(person) = &self.person {
            line("\n[person]");
            line(&format!("shape = {person}"));
        }
    }

    fn write_kinds(&self, line: &mut impl FnMut(&str)) {
        let mut ours: Vec<&str> = self.aliases.keys().map(String::as_str).collect();
        ours.extend(self.with_underscore.iter().map(String::as_str));
        ours.sort_unstable();
        ours.dedup();
        let with_underscore = |kind: &str| self.with_underscore.iter().any(|known| known == kind);
        let shape = "shape = { \"...\" = \"$it\", _id = \"$it.id\" }";
        for kind in ours
            .iter()
            .filter(|kind| !self.kinds.iter().any(|own| own == *kind))
        {
            line(&format!("\n[kinds.{}]", key_text(kind)));
            if let Some(aliases) = self.aliases.get(*kind) {
                line(&format!("names = {}", Toml::texts(aliases)));
            }
            if with_underscore(kind) {
                line(shape);
            }
        }
        for kind in &self.kinds {
            line(&format!(
                "\n# decide: what is kept of each {kind}; without this kind its events are only passed on."
            ));
            line(&format!("[kinds.{}]", key_text(kind)));
            line(&format!(
                "plural = {}",
                quoted(&super::super::words::plural(kind))
            ));
            if with_underscore(kind) {
                line(shape);
            }
        }
    }
}

fn decide(note: &str) -> String {
    let clean: String = note.chars().filter(|char| !char.is_control()).collect();
    format!("# decide: {clean}")
}

fn write_on(event: &str, rule: &OnRule, line: &mut impl FnMut(&str)) {
    line("");
    for note in &rule.notes {
        line(&decide(note));
    }
    line(&format!("[on.{}]", quoted(event)));
    if let Some(is) = &rule.is {
        line(&format!("is = {}", quoted(is)));
    }
    for (key, value) in [
        ("with", &rule.with),
        ("room", &rule.room),
        ("present", &rule.present),
    ] {
        if let Some(value) = value {
            line(&format!("{key} = {value}"));
        }
    }
    write_all(
        "reply",
        rule.reply
            .iter()
            .map(|(event, data)| said(event, data.as_ref()))
            .collect(),
        line,
    );
    write_all("relay", rule.relay.iter().map(relay).collect(), line);
    if let Some((event, data)) = &rule.refused {
        line(&format!("refused = {}", said(event, data.as_ref())));
    }
}

/// One, or a list of several, each in a line.
fn write_all(key: &str, all: Vec<Toml>, line: &mut impl FnMut(&str)) {
    match all.as_slice() {
        [] => {}
        [one] => line(&format!("{key} = {one}")),
        several => {
            line(&format!("{key} = ["));
            for one in several {
                line(&format!("  {one},"));
            }
            line("]");
        }
    }
}

fn said(event: &str, data: Option<&Toml>) -> Toml {
    let said = Toml::table([("event", Toml::text(event))]);
    match data {
        Some(data) => said.with("data", data.clone()),
        None => said,
    }
}

fn relay(relay: &Relay) -> Toml {
    let mut table = Toml::table([("event", Toml::text(&relay.event))]);
    if let Some(user) = &relay.user {
        table = table
            .with("to", Toml::text("user"))
            .with("user", user.clone());
    }
    if relay.is_kept {
        table = table.with("keep", Toml::text("log"));
    }
    match &relay.data {
        Some(data) => table.with("data", data.clone()),
        None => table,
    }
}

fn write_tell(event: &str, rule: &TellRule, is_one_of_several: bool, line: &mut impl FnMut(&str)) {
    for note in &rule.notes {
        line(&decide(note));
    }
    let name = quoted(event);
    line(&if is_one_of_several {
        format!("[[tell.{name}]]")
    } else {
        format!("[tell.{name}]")
    });
    match rule.names.as_slice() {
        [name] => line(&format!("as = {}", quoted(name))),
        names => line(&format!("as = {}", Toml::texts(names))),
    }
    if let Some(data) = &rule.data {
        line(&format!("data = {data}"));
    }
    if rule.to_others {
        line("to = \"others\"");
    }
}

//! Writes a draft as a file.

use super::draft::{Draft, OnRule, Relay, TellRule};
use super::value::{Toml, key_text, quoted};

impl Draft {
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
    let replies = rule.reply.iter();
    let replies: Vec<_> = replies
        .map(|(event, data)| said(event, data.as_ref()))
        .collect();
    write_all("reply", &replies, line);
    let relays: Vec<_> = rule.relay.iter().map(relay).collect();
    write_all("relay", &relays, line);
    if let Some((event, data)) = &rule.refused {
        line(&format!("refused = {}", said(event, data.as_ref())));
    }
}

/// One, or a list of several, each in a line.
fn write_all(key: &str, all: &[Toml], line: &mut impl FnMut(&str)) {
    match all {
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

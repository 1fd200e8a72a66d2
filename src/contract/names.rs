//! The names of the events that clients may send: the one table, and how spellings are recognised.
//!
//! A name is a set of words however it is joined: `task:update`, `taskUpdate`, `update-task`. The noun may
//! stand anywhere, the verb's words keep their order. The past tense belongs to the server.

use super::reply::MAX_NAME_CHARS;
use super::{ErrorCode, Reply, SignalKind};
use crate::domain::Kind;

/// What an event asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Join,
    Leave,
    JoinList,
    LeaveList,
    Snapshot,
    Sync,
    Subscribe,
    Unsubscribe,
    /// To go on with a new token.
    Refresh,
    Command(Kind, Verb),
    /// Whether what it tells of has begun or ended, if the name says so.
    Signal(SignalKind, Option<bool>),
}

/// What a message costs, told from its event's name alone: each class has limits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventClass {
    /// A change.
    Command,
    /// What reads, or changes what is heard.
    Read,
    /// What is told to others and not kept.
    Signal,
}

/// The name of an event that clients may send, whatever its spelling. It is looked up once for each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventName(&'static Entry);

impl EventName {
    /// Finds the event that a name means.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        find(name).map(Self)
    }

    /// The name as documented, such as `task:update`.
    #[must_use]
    pub fn documented(self) -> &'static str {
        self.0.canonical
    }

    /// The refusal of an event that is not in the table.
    #[must_use]
    pub fn unknown(name: &str) -> Reply {
        let name: String = name.chars().take(MAX_NAME_CHARS).collect();
        let message = format!("there is no event {name:?}");
        Reply::refused(ErrorCode::UnknownEvent, message).with_field("event")
    }

    /// What a message of this name counts as.
    #[must_use]
    pub fn class(self) -> EventClass {
        match self.0.name {
            Name::Command(..) => EventClass::Command,
            Name::Signal(..) => EventClass::Signal,
            Name::Join
            | Name::Leave
            | Name::JoinList
            | Name::LeaveList
            | Name::Snapshot
            | Name::Sync
            | Name::Subscribe
            | Name::Unsubscribe
            | Name::Refresh => EventClass::Read,
        }
    }

    /// Whether it is a command about a project, and not about something in one.
    #[must_use]
    pub fn is_about_project(self) -> bool {
        matches!(self.0.name, Name::Command(Kind::Project, _))
    }

    pub(super) const fn entry(self) -> &'static Entry {
        self.0
    }
}

/// What a command does to an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Create,
    Update,
    Delete,
    Restore,
    Status,
    Move,
    Start,
    Complete,
}

/// A row of the table.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The name as documented.
    pub(super) canonical: &'static str,
    pub(super) name: Name,
    noun: &'static str,
    /// The words besides the noun, in each of their orders.
    verbs: &'static [&'static str],
    /// Words that may stand beside them and say nothing new.
    fillers: &'static [&'static str],
}

impl Entry {
    fn is_named_by(&self, words: &[String]) -> bool {
        let Some(noun) = words.iter().position(|word| word == self.noun) else {
            return false;
        };
        let telling = |&(at, word): &(usize, &str)| at != noun && !self.fillers.contains(&word);
        let words = words.iter().map(String::as_str).enumerate();
        let rest = words.filter(telling).map(|(_, word)| word);
        let mut verbs = self.verbs.iter();
        verbs.any(|verb| rest.clone().eq(verb.split_whitespace()))
    }
}

const fn project(canonical: &'static str, name: Name, verbs: &'static [&'static str]) -> Entry {
    Entry {
        canonical,
        name,
        noun: Kind::Project.as_str(),
        verbs,
        fillers: &[],
    }
}

const fn command(
    canonical: &'static str,
    kind: Kind,
    verb: Verb,
    verbs: &'static [&'static str],
) -> Entry {
    Entry {
        canonical,
        name: Name::Command(kind, verb),
        noun: kind.as_str(),
        verbs,
        fillers: &[],
    }
}

const fn member(canonical: &'static str, verb: Verb, verbs: &'static [&'static str]) -> Entry {
    Entry {
        fillers: &["project"],
        ..command(canonical, Kind::Member, verb, verbs)
    }
}

const fn signal(
    canonical: &'static str,
    name: Name,
    noun: &'static str,
    verbs: &'static [&'static str],
) -> Entry {
    Entry {
        canonical,
        name,
        noun,
        verbs,
        fillers: &["user", "task", "comment", "is"],
    }
}

const fn channel(canonical: &'static str, name: Name) -> Entry {
    Entry {
        canonical,
        name,
        noun: canonical,
        verbs: &[""],
        fillers: &["channel", "channels"],
    }
}

const fn list(canonical: &'static str, name: Name, verbs: &'static [&'static str]) -> Entry {
    Entry {
        canonical,
        name,
        noun: "projects",
        verbs,
        fillers: &[],
    }
}

const AUTH_REFRESH: Entry = Entry {
    canonical: "auth:refresh",
    name: Name::Refresh,
    noun: "auth",
    verbs: &["refresh"],
    fillers: &["token"],
};
const STATUS: &[&str] = &[
    "status",
    "status change",
    "change status",
    "status update",
    "update status",
];
const TYPING: SignalKind = SignalKind::Typing;
const EDITING: SignalKind = SignalKind::Editing;
const START: &[&str] = &["start", "begin"];
const STOP: &[&str] = &["stop", "end", "finish"];

#[rustfmt::skip]
pub(super) static TABLE: [Entry; 41] = [
    AUTH_REFRESH,
    channel("subscribe", Name::Subscribe),
    channel("unsubscribe", Name::Unsubscribe),
    project("join:project", Name::Join, &["join"]),
    project("leave:project", Name::Leave, &["leave"]),
    list("join:projects", Name::JoinList, &["join", "subscribe"]),
    list("leave:projects", Name::LeaveList, &["leave", "unsubscribe"]),
    project("project:snapshot", Name::Snapshot, &["snapshot"]),
    project("project:sync", Name::Sync, &["sync"]),
    command("project:create", Kind::Project, Verb::Create, &["create"]),
    command("project:update", Kind::Project, Verb::Update, &["update"]),
    command("project:delete", Kind::Project, Verb::Delete, &["delete"]),
    command("project:restore", Kind::Project, Verb::Restore, &["restore"]),
    command("task:create", Kind::Task, Verb::Create, &["create"]),
    command("task:update", Kind::Task, Verb::Update, &["update"]),
    command("task:delete", Kind::Task, Verb::Delete, &["delete"]),
    command("task:restore", Kind::Task, Verb::Restore, &["restore"]),
    command("task:status", Kind::Task, Verb::Status, STATUS),
    command("task:move", Kind::Task, Verb::Move, &["move"]),
    command("epic:create", Kind::Epic, Verb::Create, &["create"]),
    command("epic:update", Kind::Epic, Verb::Update, &["update"]),
    command("epic:delete", Kind::Epic, Verb::Delete, &["delete"]),
    command("epic:restore", Kind::Epic, Verb::Restore, &["restore"]),
    command("sprint:create", Kind::Sprint, Verb::Create, &["create"]),
    command("sprint:update", Kind::Sprint, Verb::Update, &["update"]),
    command("sprint:delete", Kind::Sprint, Verb::Delete, &["delete"]),
    command("sprint:restore", Kind::Sprint, Verb::Restore, &["restore"]),
    command("sprint:start", Kind::Sprint, Verb::Start, &["start"]),
    command("sprint:complete", Kind::Sprint, Verb::Complete, &["complete"]),
    member("member:add", Verb::Create, &["add"]),
    member("member:role", Verb::Update, &["role", "change role", "update role", "role change", "role update"]),
    member("member:remove", Verb::Delete, &["remove"]),
    signal("typing", Name::Signal(TYPING, None), "typing", &[""]),
    signal("typing:start", Name::Signal(TYPING, Some(true)), "typing", START),
    signal("typing:stop", Name::Signal(TYPING, Some(false)), "typing", STOP),
    signal("task:editing", Name::Signal(EDITING, None), "editing", &[""]),
    signal("task:editing:start", Name::Signal(EDITING, Some(true)), "editing", START),
    signal("task:editing:stop", Name::Signal(EDITING, Some(false)), "editing", STOP),
    signal("task:edit:start", Name::Signal(EDITING, Some(true)), "edit", START),
    signal("task:edit:stop", Name::Signal(EDITING, Some(false)), "edit", STOP),
    signal("presence:update", Name::Signal(SignalKind::Presence, None), "presence", &["update"]),
];

/// No spelling of a known name is longer.
const MAX_NAME_BYTES: usize = 64;

/// The row that a name means, in whatever spelling.
pub(super) fn find(event: &str) -> Option<&'static Entry> {
    if event.len() > MAX_NAME_BYTES {
        return None;
    }
    // As documented, which most are, a name is found without taking it apart.
    let documented = TABLE.iter().find(|entry| entry.canonical == event);
    documented.or_else(|| {
        let words = words(event);
        TABLE.iter().find(|entry| entry.is_named_by(&words))
    })
}

/// The words of a name in lower case, split at separators and at the humps of camelCase.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for char in name.chars() {
        let hump =
            char.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        let separator = matches!(char, ':' | '-' | '_' | '.' | ' ');
        if hump || separator {
            words.push(String::new());
        }
        if let (false, Some(word)) = (separator, words.last_mut()) {
            word.push(char.to_ascii_lowercase());
        }
        before = char;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(event: &str) -> Option<&'static str> {
        find(event).map(|entry| entry.canonical)
    }

    /// Joins words in one of the spellings that frontends use.
    fn spell(words: &[&str], style: usize) -> String {
        let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
        match style {
            0..=4 => words.join([":", "-", "_", ".", " "][style]),
            5 => words.join("_").to_uppercase(),
            6 => words.iter().map(|word| capital(word)).collect(),
            7 if words.len() > 1 => format!("{}:{}", words[0], spell(&words[1..], 8)),
            _ => {
                words[0].to_owned()
                    + &words[1..]
                        .iter()
                        .map(|word| capital(word))
                        .collect::<String>()
            }
        }
    }

    proptest! {
        #[test]
        fn every_spelling_means_its_row(
            row in 0..TABLE.len(),
            alias in 0_usize..8,
            noun_first: bool,
            style in 0_usize..9,
        ) {
            let entry = &TABLE[row];
            let mut words: Vec<_> = entry.verbs[alias % entry.verbs.len()].split_whitespace().collect();
            words.insert(if noun_first { 0 } else { words.len() }, entry.noun);
            prop_assert_eq!(canonical(&spell(&words, style)), Some(entry.canonical));
        }

        #[test]
        fn any_text_is_a_name_or_not(name: String) {
            prop_assert!(canonical(&name).is_none() || name.is_ascii());
        }
    }

    #[test]
    fn the_documented_name_is_its_own_spelling() {
        for entry in &TABLE {
            let words = words(entry.canonical);
            assert_eq!(
                TABLE.iter().find(|row| row.is_named_by(&words)),
                Some(entry)
            );
            assert_eq!(find(entry.canonical), Some(entry));
        }
    }

    #[test]
    fn status_has_many_names() {
        for name in [
            "task:status",
            "task:status_change",
            "task:statusChange",
            "task:changeStatus",
            "task:updateStatus",
            "updateTaskStatus",
            "change-task-status",
        ] {
            assert_eq!(canonical(name), Some("task:status"), "{name}");
        }
    }

    #[test]
    fn signals_have_many_names() {
        for (name, expected) in [
            ("isTyping", "typing"),
            ("user:typing", "typing"),
            ("task:typing", "typing"),
            ("user_is_typing", "typing"),
            ("start-typing", "typing:start"),
            ("user:typing:start", "typing:start"),
            ("stop typing", "typing:stop"),
            ("user:stopTyping", "typing:stop"),
            ("typing:end", "typing:stop"),
            ("user:finish-typing", "typing:stop"),
            ("editing:task", "task:editing"),
            ("userEditing", "task:editing"),
            ("task:editing-start", "task:editing:start"),
            ("startEditingTask", "task:editing:start"),
            ("task:stop_editing", "task:editing:stop"),
            ("task:end-edit", "task:edit:stop"),
            ("updatePresence", "presence:update"),
        ] {
            assert_eq!(canonical(name), Some(expected), "{name}");
        }
    }

    #[test]
    fn every_name_has_a_class() {
        for (name, expected) in [
            ("createTask", EventClass::Command),
            ("project_delete", EventClass::Command),
            ("join:project", EventClass::Read),
            ("auth:refresh", EventClass::Read),
            ("presence-update", EventClass::Signal),
            ("isTyping", EventClass::Signal),
        ] {
            let class = EventName::find(name).map(EventName::class);
            assert_eq!(class, Some(expected), "{name}");
        }
    }

    #[test]
    fn refuses_the_past_tense_and_strangers() {
        for name in [
            "",
            ":",
            "task",
            "task:updated",
            "task:status_changed",
            "update",
            "member:restore",
            "task:start",
            "join",
            "task:update:all",
            "taskupdate",
            "task:task:update",
            "task:edit",
            "typing:stopped",
            "start",
            "presence",
            "sprint:typing",
        ] {
            assert_eq!(canonical(name), None, "{name}");
        }
        assert_eq!(canonical(&format!("task:{}update", ":".repeat(100))), None);
    }
}

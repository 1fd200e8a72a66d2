//! The names of the events that clients may send: the one table, and how spellings are recognised.
//!
//! A name is a set of words however it is joined: `task:update`, `taskUpdate`, `update-task`. The noun may
//! stand anywhere, the verb's words keep their order. The past tense belongs to the server.

use crate::domain::Kind;

/// What an event asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Join,
    Leave,
    Snapshot,
    Sync,
    Command(Verb),
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
    pub(super) kind: Kind,
    /// The words besides the noun, in each of their orders.
    verbs: &'static [&'static str],
}

const fn entry(
    canonical: &'static str,
    name: Name,
    kind: Kind,
    verbs: &'static [&'static str],
) -> Entry {
    Entry {
        canonical,
        name,
        kind,
        verbs,
    }
}

const CREATE: Name = Name::Command(Verb::Create);
const UPDATE: Name = Name::Command(Verb::Update);
const DELETE: Name = Name::Command(Verb::Delete);
const STATUS: &[&str] = &[
    "status",
    "status change",
    "change status",
    "status update",
    "update status",
];

pub(super) static TABLE: [Entry; 21] = [
    entry("join:project", Name::Join, Kind::Project, &["join"]),
    entry("leave:project", Name::Leave, Kind::Project, &["leave"]),
    entry(
        "project:snapshot",
        Name::Snapshot,
        Kind::Project,
        &["snapshot"],
    ),
    entry("project:sync", Name::Sync, Kind::Project, &["sync"]),
    entry("project:create", CREATE, Kind::Project, &["create"]),
    entry("project:update", UPDATE, Kind::Project, &["update"]),
    entry("project:delete", DELETE, Kind::Project, &["delete"]),
    entry("task:create", CREATE, Kind::Task, &["create"]),
    entry("task:update", UPDATE, Kind::Task, &["update"]),
    entry("task:delete", DELETE, Kind::Task, &["delete"]),
    entry(
        "task:restore",
        Name::Command(Verb::Restore),
        Kind::Task,
        &["restore"],
    ),
    entry(
        "task:status",
        Name::Command(Verb::Status),
        Kind::Task,
        STATUS,
    ),
    entry(
        "task:move",
        Name::Command(Verb::Move),
        Kind::Task,
        &["move"],
    ),
    entry("epic:create", CREATE, Kind::Epic, &["create"]),
    entry("epic:update", UPDATE, Kind::Epic, &["update"]),
    entry("epic:delete", DELETE, Kind::Epic, &["delete"]),
    entry("sprint:create", CREATE, Kind::Sprint, &["create"]),
    entry("sprint:update", UPDATE, Kind::Sprint, &["update"]),
    entry("sprint:delete", DELETE, Kind::Sprint, &["delete"]),
    entry(
        "sprint:start",
        Name::Command(Verb::Start),
        Kind::Sprint,
        &["start"],
    ),
    entry(
        "sprint:complete",
        Name::Command(Verb::Complete),
        Kind::Sprint,
        &["complete"],
    ),
];

/// No spelling of a known name is longer.
const MAX_NAME_BYTES: usize = 64;

/// The row that a name means, in whatever spelling.
pub(super) fn find(event: &str) -> Option<&'static Entry> {
    if event.len() > MAX_NAME_BYTES {
        return None;
    }
    let mut words = words(event);
    let noun = words.iter().position(|word| word.parse::<Kind>().is_ok())?;
    let kind: Kind = words.remove(noun).parse().ok()?;
    let verb = words.join(" ");
    TABLE
        .iter()
        .find(|entry| entry.kind == kind && entry.verbs.contains(&verb.as_str()))
}

/// The words of a name in lower case, split at separators and at the humps of camelCase.
fn words(name: &str) -> Vec<String> {
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
            7 => format!("{}:{}", words[0], spell(&words[1..], 8)),
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
            let mut words: Vec<_> = entry.verbs[alias % entry.verbs.len()].split(' ').collect();
            words.insert(if noun_first { 0 } else { words.len() }, entry.kind.as_str());
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
            assert_eq!(canonical(entry.canonical), Some(entry.canonical));
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
    fn refuses_the_past_tense_and_strangers() {
        for name in [
            "",
            ":",
            "task",
            "task:updated",
            "task:status_changed",
            "update",
            "epic:restore",
            "task:start",
            "join",
            "task:update:all",
            "taskupdate",
            "task:task:update",
        ] {
            assert_eq!(canonical(name), None, "{name}");
        }
        assert_eq!(canonical(&format!("task:{}update", ":".repeat(100))), None);
    }
}

//! The names of the events that clients may send, and how spellings are recognised. Which there are, and how they are called,
//! stands in `dialects/default.toml`; other dialects add to it ([`Vocabulary`]).
//!
//! A name is a set of words however it is joined: `task:update`, `taskUpdate`, `update-task`. The noun may
//! stand anywhere, the verb's words keep their order. The past tense belongs to the server.

use serde_json::Value;

use super::field::PROJECT_ID;
use super::reply::MAX_NAME_CHARS;
use super::{ErrorCode, Reply, SignalKind};
use crate::domain::{Fields, Kind, ProjectId};

/// What an event asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Join,
    Leave,
    JoinList,
    LeaveList,
    Snapshot,
    Sync,
    /// A page of the entities of a kind.
    List(Kind),
    Subscribe,
    Unsubscribe,
    /// To go on with a new token.
    Refresh,
    Command(Kind, Verb),
    /// Whether what it tells of has begun or ended, if the name says so.
    Signal(SignalKind, Option<bool>),
}

impl Name {
    /// The event of a documented name; nothing if there is none of that name.
    pub(super) fn documented(name: &str) -> Option<Self> {
        const TYPING: SignalKind = SignalKind::Typing;
        const EDITING: SignalKind = SignalKind::Editing;
        Some(match name {
            "auth:refresh" => Self::Refresh,
            "subscribe" => Self::Subscribe,
            "unsubscribe" => Self::Unsubscribe,
            "join:project" => Self::Join,
            "leave:project" => Self::Leave,
            "join:projects" => Self::JoinList,
            "leave:projects" => Self::LeaveList,
            "project:snapshot" => Self::Snapshot,
            "project:sync" => Self::Sync,
            "typing" => Self::Signal(TYPING, None),
            "typing:start" => Self::Signal(TYPING, Some(true)),
            "typing:stop" => Self::Signal(TYPING, Some(false)),
            "task:editing" => Self::Signal(EDITING, None),
            "task:editing:start" | "task:edit:start" => Self::Signal(EDITING, Some(true)),
            "task:editing:stop" | "task:edit:stop" => Self::Signal(EDITING, Some(false)),
            "presence:update" => Self::Signal(SignalKind::Presence, None),
            _ => {
                let (kind, verb) = name.split_once(':')?;
                let kind: Kind = kind.parse().ok()?;
                if verb == "list" {
                    return Some(Self::List(kind));
                }
                Self::Command(kind, Verb::of(kind, verb)?)
            }
        })
    }
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
#[derive(Debug, Clone, Copy)]
pub struct EventName {
    entry: &'static Entry,
    noun: Option<&'static str>,
}

impl PartialEq for EventName {
    fn eq(&self, other: &Self) -> bool {
        (self.as_str(), self.noun) == (other.as_str(), other.noun)
    }
}

impl Eq for EventName {}

impl EventName {
    pub(super) const fn new(entry: &'static Entry, noun: Option<&'static str>) -> Self {
        Self { entry, noun }
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
        match self.entry.name {
            Name::Command(..) => EventClass::Command,
            Name::Signal(..) => EventClass::Signal,
            Name::Join
            | Name::Leave
            | Name::JoinList
            | Name::LeaveList
            | Name::Snapshot
            | Name::Sync
            | Name::List(_)
            | Name::Subscribe
            | Name::Unsubscribe
            | Name::Refresh => EventClass::Read,
        }
    }

    /// The name as documented.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        &self.entry.canonical
    }

    /// Whether it is a command about a project, and not about something in one.
    #[must_use]
    pub fn is_about_project(self) -> bool {
        matches!(self.entry.name, Name::Command(Kind::Project, _))
    }

    /// The kind of what it is about, and the noun that the sender has for it, if that is another one.
    #[must_use]
    pub fn noun(self) -> Option<(Kind, &'static str)> {
        let kind = match self.entry.name {
            Name::Command(kind, _) | Name::List(kind) => kind,
            _ => Kind::Project,
        };
        self.noun.map(|noun| (kind, noun))
    }

    /// The kind of what a command is about.
    #[must_use]
    pub fn kind(self) -> Option<Kind> {
        match self.entry.name {
            Name::Command(kind, _) => Some(kind),
            _ => None,
        }
    }

    /// Whether it is about a room, or about something in one.
    #[must_use]
    pub fn is_in_room(self) -> bool {
        match self.entry.name {
            Name::Join | Name::Leave | Name::Snapshot | Name::Sync | Name::Signal(..) => true,
            Name::Command(kind, _) | Name::List(kind) => kind != Kind::Project,
            Name::JoinList
            | Name::LeaveList
            | Name::Subscribe
            | Name::Unsubscribe
            | Name::Refresh => false,
        }
    }

    /// Makes a message's first argument name this room, whatever room it names.
    pub(super) fn set_room(self, argument: &mut Value, room: &ProjectId) {
        if !self.is_in_room() {
            return;
        }
        if let Value::Object(object) = argument {
            let theirs = self.entry.project_ids.iter().map(String::as_str);
            let keys = theirs.chain(PROJECT_ID).chain(ROOM_IDS);
            for key in keys.chain(["project"]) {
                if object.get(key).is_some_and(|value| !value.is_object()) {
                    object.remove(key);
                }
            }
            object.insert(PROJECT_ID[0].to_owned(), room.to_json());
            return;
        }
        let names_room = matches!(
            self.entry.name,
            Name::Join | Name::Leave | Name::Snapshot | Name::Sync
        );
        if names_room {
            *argument = room.to_json();
        }
    }

    /// The same event, said by somebody who has named a message so: `card:drag` speaks of cards.
    #[must_use]
    pub fn in_words_of(self, name: &str) -> Self {
        if self.noun.is_some() || name.len() > MAX_NAME_BYTES {
            return self;
        }
        let words = words(name);
        let nouns = self.entry.nouns.iter();
        let mut own = nouns.filter(|noun| words.contains(&noun.word));
        Self {
            noun: own.find_map(|noun| noun.own.as_deref()),
            ..self
        }
    }

    pub(super) const fn entry(self) -> &'static Entry {
        self.entry
    }

    /// Gives ids and wrappers in a message's first argument the names that are ours: `cardId` of a `card:update` is `taskId`,
    /// and `boardId` is `projectId` where that is missing. If anything is changed, the argument as it was.
    pub(super) fn translate(self, arguments: &mut [Value]) -> Option<Fields> {
        let Some(Value::Object(object)) = arguments.first_mut() else {
            return None;
        };
        let mut renames: Vec<(String, &str)> = Vec::new();
        if let Some((kind, noun)) = self.noun() {
            let ids = [format!("{noun}Id"), format!("{noun}_id")];
            renames.extend(ids.into_iter().map(|id| (id, kind.id_key())));
            if object.get(noun).is_some_and(Value::is_object) {
                renames.push((noun.to_owned(), kind.as_str()));
            }
        }
        let mut projects = PROJECT_ID.iter().chain(&["project"]);
        if !projects.any(|key| object.get(*key).is_some_and(|value| !value.is_null())) {
            let rooms: &[&str] = match self.entry.name {
                Name::Join | Name::Leave | Name::Snapshot | Name::Sync => &ROOM_IDS,
                _ => &[],
            };
            let boards = self.entry.project_ids.iter().map(String::as_str);
            let mut rooms = boards.chain(rooms.iter().copied());
            if let Some(room) = rooms.find(|key| object.contains_key(*key)) {
                renames.push((room.to_owned(), PROJECT_ID[0]));
            }
        }
        renames.retain(|(theirs, ours)| object.contains_key(theirs) && !object.contains_key(*ours));
        if renames.is_empty() {
            return None;
        }
        let original = object.clone();
        for (theirs, ours) in renames {
            if let Some(value) = object.remove(&theirs) {
                object.entry(ours).or_insert(value);
            }
        }
        Some(original)
    }
}

/// Where a message that is about a room as a whole may name it.
const ROOM_IDS: [&str; 3] = ["roomId", "room_id", "room"];

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
    /// To set the field that says whether it is done to the opposite.
    Toggle,
}

impl Verb {
    /// The verb of a documented name, if there is such a command about this kind.
    fn of(kind: Kind, name: &str) -> Option<Self> {
        Some(match (kind, name) {
            (Kind::Member, "add") => Self::Create,
            (Kind::Member, "role") => Self::Update,
            (Kind::Member, "remove") => Self::Delete,
            (Kind::Member, _) => return None,
            (_, "create") => Self::Create,
            (_, "update") => Self::Update,
            (_, "delete") => Self::Delete,
            (_, "restore") => Self::Restore,
            (Kind::Project, _) => return None,
            (_, "toggle") => Self::Toggle,
            (Kind::Task, "status") => Self::Status,
            (Kind::Task, "move") => Self::Move,
            (Kind::Sprint, "start") => Self::Start,
            (Kind::Sprint, "complete") => Self::Complete,
            _ => return None,
        })
    }
}

/// An event, and how it is called.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    /// The name as documented.
    pub(super) canonical: String,
    pub(super) name: Name,
    /// The first is ours; the others mean the same.
    pub(super) nouns: Vec<Noun>,
    /// Whether one message may be about many entities.
    pub(super) bulk: bool,
    /// Whether the verb may stand without a noun.
    pub(super) alone: bool,
    /// The words besides the noun, in each of their orders.
    pub(super) verbs: Vec<Vec<String>>,
    /// Words that may stand beside them and say nothing new.
    pub(super) fillers: Vec<String>,
    /// Fields that the event gives a value if its sender does not.
    pub(super) set: Fields,
    /// Keys that mean another one: theirs, ours.
    pub(super) rename: Vec<(String, String)>,
    /// The key of a second argument that is a text.
    pub(super) second: Option<String>,
    /// Keys that name the project where `projectId` is not there, such as `boardId`.
    pub(super) project_ids: Vec<String>,
}

/// A word for a kind.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Noun {
    pub(super) word: String,
    /// The noun that its sender has for the kind, if it is none of ours.
    pub(super) own: Option<String>,
}

impl Entry {
    /// Whether words name it, and by which noun of the sender's own.
    pub(super) fn is_named_by(&'static self, words: &[String]) -> Option<EventName> {
        let is_noun = |word: &String| self.nouns.iter().find(|noun| noun.word == *word);
        let noun = words
            .iter()
            .enumerate()
            .find_map(|(at, word)| Some((at, is_noun(word)?)));
        if noun.is_none() && !self.alone {
            return None;
        }
        let noun_at = noun.map(|(at, _)| at);
        let telling =
            |&(at, word): &(usize, &String)| Some(at) != noun_at && !self.fillers.contains(word);
        let rest = words.iter().enumerate().filter(telling);
        let rest = rest.map(|(_, word)| word);
        let is_named = self.verbs.iter().any(|verb| rest.clone().eq(verb.iter()));
        let own = noun.and_then(|(_, noun)| noun.own.as_deref());
        is_named.then_some(EventName::new(self, own))
    }
}

/// No spelling of a known name is longer.
pub(super) const MAX_NAME_BYTES: usize = 64;

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
    use crate::contract::vocabulary::{all, find};

    fn canonical(event: &str) -> Option<&'static str> {
        EventName::find(event).map(EventName::as_str)
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
            row in 0..all().len(),
            alias in 0_usize..8,
            noun in 0_usize..8,
            noun_first: bool,
            style in 0_usize..9,
        ) {
            let entry = &all()[row];
            let verb = &entry.verbs[alias % entry.verbs.len()];
            let mut words: Vec<_> = verb.iter().map(String::as_str).collect();
            let noun = &entry.nouns[noun % entry.nouns.len()];
            words.insert(if noun_first { 0 } else { words.len() }, &noun.word);
            let found = find(&spell(&words, style));
            prop_assert_eq!(found.map(|found| found.name), Some(entry.name));
        }

        #[test]
        fn any_text_is_a_name_or_not(name: String) {
            prop_assert!(canonical(&name).is_none() || name.is_ascii());
        }
    }

    #[test]
    fn the_documented_name_is_its_own_spelling() {
        for entry in all() {
            let words = words(&entry.canonical);
            let named = all().iter().find_map(|row| row.is_named_by(&words));
            assert_eq!(named.map(EventName::as_str), Some(&*entry.canonical));
            assert_eq!(find(&entry.canonical), Some(entry));
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
    fn other_words_mean_the_same() {
        for (name, expected) in [
            ("tasks:create", "tasks:create"),
            ("cards:add", "tasks:create"),
            ("task:bulkUpdate", "task:bulk_update"),
            ("add-task", "task:create"),
            ("new-task", "task:create"),
            ("card:add", "task:create"),
            ("remove-task", "task:delete"),
            ("edit-task", "task:update"),
            ("task:edit", "task:update"),
            ("updateIssue", "task:update"),
            ("stories:move", "tasks:move"),
            ("task:complete", "task:complete"),
            ("archiveCard", "task:archive"),
            ("task:assign", "task:assign"),
            ("tasks:reorder", "task:reorder"),
            ("board:update", "project:update"),
            ("join", "join:project"),
            ("join_room", "join:project"),
            ("joinRoom", "join:project"),
            ("board:join", "join:project"),
            ("join_board", "join:project"),
            ("leave_room", "leave:project"),
            ("join:projects", "join:projects"),
            ("projects:join", "join:projects"),
        ] {
            assert_eq!(canonical(name), Some(expected), "{name}");
        }
        let noun = |name| EventName::find(name).unwrap().noun();
        assert_eq!(noun("card:move"), Some((Kind::Task, "card")));
        assert_eq!(noun("cards:move"), Some((Kind::Task, "card")));
        assert_eq!(noun("tasks:move"), None);
        assert_eq!(noun("board:join"), Some((Kind::Project, "board")));
        assert_eq!(noun("room:join"), None);
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
            "join:card",
            "task:update:all",
            "taskupdate",
            "task:task:update",
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

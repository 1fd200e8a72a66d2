//! The kinds of entities: those that are built in, and those that a configuration declares.
//!
//! All kinds have one shape, so a kind is no more than its names and who may change its entities. Kinds that are declared live
//! as long as the process and are never many: their names are checked, and their number is bounded.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use parking_lot::RwLock;

/// Names of kinds besides the built-in ones, whether they were declared or found in the database.
const MAX_KINDS: usize = 256;
/// Definitions that are ever made: a name may be declared again, with another plural.
const MAX_DEFINITIONS: usize = 4 * MAX_KINDS;
/// Longest name and plural, in bytes.
const MAX_NAME_BYTES: usize = 32;

/// First words of our own events and signals that are no kinds.
const WORDS: [&str; 7] = [
    "presence",
    "typing",
    "session",
    "system",
    "auth",
    "channel",
    "boardcast",
];
/// What stands where the plural of a kind does: in paths below a project, and in its state.
const NO_PLURALS: [&str; 17] = [
    "snapshot", "events", "commands", "import", "restore", "project", "seq", "cursor", "more",
    "ok", "success", "reset", "reason", "room", "channel", "presence", "error",
];

/// Guards the definitions of the kinds that are not built in, each name once, in the order in which they came.
static OTHERS: RwLock<Others> = RwLock::new(Others {
    kinds: Vec::new(),
    definitions: 0,
});

struct Others {
    kinds: Vec<&'static KindDef>,
    /// Definitions that were made, those included that others have replaced.
    definitions: usize,
}

/// The kinds of entities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A project, which is also the scope of the others.
    Project,
    /// A task: a card on the board.
    Task,
    /// An epic, to which tasks belong by their `epicId`.
    Epic,
    /// A sprint, to which tasks belong by their `sprintId`.
    Sprint,
    /// Somebody who belongs to a project, by the user's id.
    Member,
    /// A comment, which belongs to a task or to another entity.
    Comment,
    /// A kind that the configuration declares, or that the database has.
    Other(&'static KindDef),
}

/// A kind that is not built in. Two definitions of one name are the same kind.
#[derive(Debug)]
pub struct KindDef {
    /// The name, in the database and in event types: `subtask`.
    pub name: &'static str,
    /// The name of a list of them: `subtasks`.
    pub plural: &'static str,
    /// The key under which payloads carry an id: `subtaskId`.
    pub id_key: &'static str,
    /// The same with an underscore: `subtask_id`.
    pub snake_id_key: &'static str,
    /// Who may change what others have made.
    pub change: ChangedBy,
    /// Whether a configuration declares it. The database may have entities of others, which nobody is shown.
    pub is_declared: bool,
    /// The types of events: created, updated, deleted, restored.
    pub(super) events: [&'static str; 4],
}

/// Who may change and delete an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangedBy {
    /// Everybody who may make one.
    Member,
    /// Who has made it, and admins.
    Author,
}

/// Why a kind cannot be declared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    /// A name has other characters, or too many of them.
    #[error(
        "{0:?} must begin with a letter from a to z and have no more than 32 of the letters a to z, the digits and _"
    )]
    Name(String),
    /// A name has a meaning already.
    #[error("{0:?} means something else already")]
    Taken(String),
    /// There are too many.
    #[error("there are 256 kinds already")]
    Full,
}

impl Kind {
    /// The kinds that are always there.
    pub const BUILT_IN: [Self; 6] = [
        Self::Project,
        Self::Task,
        Self::Epic,
        Self::Sprint,
        Self::Member,
        Self::Comment,
    ];

    /// All kinds: the built-in ones, then those that were declared, in their order.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = Self::BUILT_IN.to_vec();
        all.extend(Self::declared());
        all
    }

    /// The kinds that were declared, in their order.
    #[must_use]
    pub fn declared() -> Vec<Self> {
        let others = OTHERS.read();
        let declared = others.kinds.iter().filter(|kind| kind.is_declared);
        declared.map(|kind| Self::Other(kind)).collect()
    }

    /// Declares a kind. What is declared once more gets this plural and this rule.
    ///
    /// # Errors
    ///
    /// [`KindError`] says what is wrong with a name.
    pub fn declare(name: &str, plural: &str, author_only: bool) -> Result<Self, KindError> {
        check(name)?;
        check(plural)?;
        let built_in = |text: &str| {
            let mut kinds = Self::BUILT_IN.into_iter();
            kinds.any(|kind| kind.as_str() == text || kind.plural() == text)
        };
        if built_in(name) || WORDS.contains(&name) {
            return Err(KindError::Taken(name.to_owned()));
        }
        let mut others = OTHERS.write();
        let mut declared = others.kinds.iter().filter(|kind| kind.is_declared);
        let is_taken = declared.any(|kind| kind.plural == plural && kind.name != name);
        if is_taken || built_in(plural) || NO_PLURALS.contains(&plural) {
            return Err(KindError::Taken(plural.to_owned()));
        }
        let change = if author_only {
            ChangedBy::Author
        } else {
            ChangedBy::Member
        };
        let known = others.kinds.iter().find(|kind| kind.name == name);
        if let Some(same) = known
            && (same.plural, same.change, same.is_declared) == (plural, change, true)
        {
            return Ok(Self::Other(same));
        }
        others.define(name, plural, change, true)
    }

    /// The kind of this name in the database. One that nobody has declared is known from then on; `None` if there are too many
    /// of them, or if nothing of ours is called so.
    #[must_use]
    pub fn stored(name: &str) -> Option<Self> {
        if let Some(known) = Self::find(name, false) {
            return Some(known);
        }
        check(name).ok()?;
        let mut others = OTHERS.write();
        // It may have been declared a moment ago.
        match others.kinds.iter().find(|kind| kind.name == name) {
            Some(known) => Some(Self::Other(known)),
            None => others.define(name, name, ChangedBy::Member, false).ok(),
        }
    }

    /// The kind with this name for a list.
    #[must_use]
    pub fn of_plural(plural: &str) -> Option<Self> {
        Self::all().into_iter().find(|kind| kind.plural() == plural)
    }

    fn find(name: &str, must_be_declared: bool) -> Option<Self> {
        let mut built_in = Self::BUILT_IN.into_iter();
        built_in.find(|kind| kind.as_str() == name).or_else(|| {
            let others = OTHERS.read();
            let found = others.kinds.iter().find(|kind| kind.name == name)?;
            (found.is_declared || !must_be_declared).then_some(Self::Other(found))
        })
    }

    /// The name in the database and in event types.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Project => "project",
            Self::Task => "task",
            Self::Epic => "epic",
            Self::Sprint => "sprint",
            Self::Member => "member",
            Self::Comment => "comment",
            Self::Other(kind) => kind.name,
        }
    }

    /// The name of a list of them.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Project => "projects",
            Self::Task => "tasks",
            Self::Epic => "epics",
            Self::Sprint => "sprints",
            Self::Member => "members",
            Self::Comment => "comments",
            Self::Other(kind) => kind.plural,
        }
    }

    /// The key under which payloads carry this kind's id besides `id`.
    #[must_use]
    pub const fn id_key(self) -> &'static str {
        match self {
            Self::Project => "projectId",
            Self::Task => "taskId",
            Self::Epic => "epicId",
            Self::Sprint => "sprintId",
            Self::Member => "userId",
            Self::Comment => "commentId",
            Self::Other(kind) => kind.id_key,
        }
    }

    /// Who may change and delete what others have made, of those who may make one.
    #[must_use]
    pub const fn changed_by(self) -> ChangedBy {
        match self {
            Self::Project | Self::Task | Self::Epic | Self::Sprint | Self::Member => {
                ChangedBy::Member
            }
            Self::Comment => ChangedBy::Author,
            Self::Other(kind) => kind.change,
        }
    }

    /// Whether its entities stand beside the tasks of a board: comments, and all that is declared.
    #[must_use]
    pub const fn is_beside(self) -> bool {
        matches!(self, Self::Comment | Self::Other(_))
    }

    /// The kind of what a field such as `taskId` names, of those to which an entity may belong.
    #[must_use]
    pub fn of_reference(field: &str) -> Option<Self> {
        if !field.ends_with("Id") {
            return None;
        }
        match Self::BUILT_IN
            .into_iter()
            .find(|kind| kind.id_key() == field)
        {
            // Somebody's id is that of a user, who may be no member.
            Some(Self::Project | Self::Member) => None,
            Some(kind) => Some(kind),
            None => {
                let others = OTHERS.read();
                let mut declared = others.kinds.iter().filter(|kind| kind.is_declared);
                let found = declared.find(|kind| kind.id_key == field);
                found.map(|kind| Self::Other(kind))
            }
        }
    }

    /// The key of an id, by its spelling with underscores: `task_id` is `taskId`.
    #[must_use]
    pub fn id_key_of_snake(key: &str) -> Option<&'static str> {
        match key {
            "task_id" => Some(Self::Task.id_key()),
            "comment_id" => Some(Self::Comment.id_key()),
            key if key.ends_with("_id") => {
                let others = OTHERS.read();
                let mut declared = others.kinds.iter().filter(|kind| kind.is_declared);
                let found = declared.find(|kind| kind.snake_id_key == key);
                found.map(|kind| kind.id_key)
            }
            _ => None,
        }
    }
}

impl Others {
    fn define(
        &mut self,
        name: &str,
        plural: &str,
        change: ChangedBy,
        is_declared: bool,
    ) -> Result<Kind, KindError> {
        let place = self.kinds.iter().position(|kind| kind.name == name);
        let is_full = place.is_none() && self.kinds.len() >= MAX_KINDS;
        if is_full || self.definitions >= MAX_DEFINITIONS {
            return Err(KindError::Full);
        }
        let event = |verb: &str| keep(format!("{name}.{verb}"));
        let kind: &'static KindDef = Box::leak(Box::new(KindDef {
            name: keep(name.to_owned()),
            plural: keep(plural.to_owned()),
            id_key: keep(format!("{}Id", camel(name))),
            snake_id_key: keep(format!("{name}_id")),
            change,
            is_declared,
            events: VERBS.map(event),
        }));
        self.definitions += 1;
        match place {
            Some(place) => self.kinds[place] = kind,
            None => self.kinds.push(kind),
        }
        Ok(Kind::Other(kind))
    }
}

/// What becomes of entities, as the types of their events say it.
const VERBS: [&str; 4] = ["created", "updated", "deleted", "restored"];
/// What follows it in the answer to those who asked for a list without an ack.
const LISTED: &str = "listed";

/// Whether a type of event, by its first word and what follows it, tells of an entity that is no part of a board.
pub(super) fn is_event_beside(word: &str, verb: &str) -> bool {
    (VERBS.contains(&verb) || verb == LISTED) && Kind::find(word, true).is_some_and(Kind::is_beside)
}

/// Whether the names of our own events, or signals, begin with this word, whatever follows.
pub(super) fn is_our_word(word: &str) -> bool {
    let mut built_in = Kind::BUILT_IN.into_iter().filter(|kind| !kind.is_beside());
    WORDS.contains(&word) || built_in.any(|kind| kind.as_str() == word)
}

fn keep(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn check(name: &str) -> Result<(), KindError> {
    let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_lowercase());
    if begins && name.len() <= MAX_NAME_BYTES && name.bytes().all(is_letter) {
        return Ok(());
    }
    Err(KindError::Name(
        name.chars().take(2 * MAX_NAME_BYTES).collect(),
    ))
}

/// `check_item` as `checkItem`.
fn camel(name: &str) -> String {
    let mut words = name.split('_').filter(|word| !word.is_empty());
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |mut camel, word| {
        let (letter, rest) = word.split_at(1);
        camel.push_str(&letter.to_ascii_uppercase());
        camel.push_str(rest);
        camel
    })
}

impl PartialEq for KindDef {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for KindDef {}

impl PartialOrd for KindDef {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for KindDef {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name.cmp(other.name)
    }
}

impl Hash for KindDef {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = ();

    /// The kind of this name, built in or declared.
    fn from_str(name: &str) -> Result<Self, ()> {
        Self::find(name, true).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_kind_is_found_by_its_names() {
        let kind = Kind::declare("check_item", "check_items", true).unwrap();
        assert_eq!(kind.as_str(), "check_item");
        assert_eq!(kind.id_key(), "checkItemId");
        assert_eq!(kind.changed_by(), ChangedBy::Author);
        assert_eq!("check_item".parse(), Ok(kind));
        assert_eq!(Kind::of_plural("check_items"), Some(kind));
        assert_eq!(Kind::of_reference("checkItemId"), Some(kind));
        assert!(Kind::all().contains(&kind) && Kind::declared().contains(&kind));
    }

    #[test]
    fn kind_declared_again_is_the_same_kind_with_other_words() {
        let before = Kind::declare("pin", "pins", false).unwrap();
        let after = Kind::declare("pin", "needles", true).unwrap();
        assert_eq!(before, after);
        assert_eq!(
            (after.plural(), after.changed_by()),
            ("needles", ChangedBy::Author)
        );
        assert_eq!("pin".parse::<Kind>().unwrap().plural(), "needles");
        assert_eq!(Kind::of_plural("pins"), None);
    }

    #[test]
    fn kind_of_a_row_is_not_declared_by_that() {
        let stored = Kind::stored("relic").unwrap();
        assert_eq!("relic".parse::<Kind>(), Err(()));
        assert!(!Kind::all().contains(&stored));
        assert_eq!(Kind::of_reference("relicId"), None);
        let declared = Kind::declare("relic", "relics", false).unwrap();
        assert_eq!(declared, stored);
        assert_eq!(Kind::stored("task"), Some(Kind::Task));
        assert_eq!(Kind::stored("no kind"), None);
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for name in [
            "task",
            "tasks",
            "comment",
            "members",
            "presence",
            "boardcast",
            "auth",
        ] {
            let refused = Kind::declare(name, "xs", false);
            assert_eq!(refused, Err(KindError::Taken(name.to_owned())));
        }
        for plural in ["tasks", "comments", "events", "import"] {
            let refused = Kind::declare("x", plural, false);
            assert_eq!(refused, Err(KindError::Taken(plural.to_owned())));
        }
        for name in [
            "",
            "Column",
            "1st",
            "_x",
            "a-b",
            "a b",
            "ä",
            &"a".repeat(33),
        ] {
            let refused = Kind::declare(name, "xs", false);
            assert_eq!(refused, Err(KindError::Name(name.to_owned())));
        }
        Kind::declare("leaf", "leaves", false).unwrap();
        let refused = Kind::declare("leave", "leaves", false);
        assert_eq!(refused, Err(KindError::Taken("leaves".to_owned())));
    }
}

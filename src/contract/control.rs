//! Words of a payload that control a command instead of being fields: where something goes, and where it comes from.
//!
//! Frontends put such words together from a direction and what is meant by it: `toColumn`, `targetColumnId`,
//! `new_status`, `destination: {droppableId, index}`. So keys are read word by word, not looked up in a list of spellings.

use serde_json::Value;

use super::words::{LONGEST, Word, Words};
use crate::domain::{Fields, Kind};

const DIRECTIONS: [&str; 10] = [
    "to",
    "target",
    "dest",
    "destination",
    "dst",
    "new",
    "into",
    "drop",
    "move",
    "moved",
];
const ORIGINS: [&str; 8] = [
    "from", "source", "src", "old", "previous", "prev", "original", "origin",
];
/// Directions that say by themselves where something goes.
const SOMEWHERE: [&str; 4] = ["to", "target", "destination", "dest"];
const FILLERS: [&str; 3] = ["id", "name", "key"];
/// The longest key that is read word by word, in bytes: no word of control is as long.
const MAX_BYTES: usize = LONGEST;

/// The words of a key that is not too long.
pub(super) fn words(key: &str) -> impl Iterator<Item = Word> + Clone {
    let is_long = key.len() > MAX_BYTES;
    let unknown = is_long.then_some(Word::UNKNOWN);
    unknown
        .into_iter()
        .chain(Words::of(if is_long { "" } else { key }))
}

/// What a control word is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Control {
    /// The status afterwards.
    Status,
    /// The column afterwards, in whatever field the task has it.
    Column,
    Sprint,
    Epic,
    Project,
    /// A place counted from 0.
    Index,
    /// A place, perhaps in numbers or texts of the frontend's own.
    Position,
    /// A destination that does not say of what.
    Somewhere,
    /// Where it was before: says nothing that the server does not know.
    Origin,
}

/// What a key controls; `None` if it is the name of a field.
pub(super) fn control(key: &str) -> Option<Control> {
    let noun = noun(key);
    if noun == Noun::OtherWords {
        return None;
    }
    let is_one_of = |list: &[&str]| words(key).any(|word| list.contains(&word.as_str()));
    match (noun, is_one_of(&ORIGINS), is_one_of(&DIRECTIONS)) {
        (Noun::Of(_), true, _) => Some(Control::Origin),
        // Alone, the others are fields.
        (Noun::Of(noun), false, is_directed)
            if is_directed
                || matches!(noun, Control::Index | Control::Position)
                || begins_with(key, "droppable") =>
        {
            Some(noun)
        }
        (Noun::None, true, _) if matches!(key, "from" | "source" | "src") => Some(Control::Origin),
        (Noun::None, false, true) if SOMEWHERE.contains(&key) => Some(Control::Somewhere),
        _ => None,
    }
}

fn begins_with(key: &str, first: &str) -> bool {
    words(key).next().is_some_and(|word| word.as_str() == first)
}

/// What a key inside a destination controls, where the direction is clear: `{droppableId, index}`.
pub(super) fn inside(key: &str) -> Option<Control> {
    match noun(key) {
        _ if key == "id" => Some(Control::Column),
        Noun::Of(control) => Some(control),
        Noun::None | Noun::OtherWords => None,
    }
}

fn is_direction(word: &str) -> bool {
    DIRECTIONS.contains(&word) || ORIGINS.contains(&word) || FILLERS.contains(&word)
}

/// What is meant beside directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noun {
    Of(Control),
    None,
    /// There is a word that is none of this.
    OtherWords,
}

fn noun(key: &str) -> Noun {
    let mut found = Noun::None;
    for word in words(key) {
        let control = match word.as_str() {
            "status" | "state" => Control::Status,
            "column" | "col" | "list" | "lane" | "swimlane" | "droppable" | "bucket"
            | "section" => Control::Column,
            "sprint" | "iteration" => Control::Sprint,
            "epic" => Control::Epic,
            "project" => Control::Project,
            "index" | "idx" => Control::Index,
            "position" | "pos" => Control::Position,
            word if is_direction(word) => continue,
            _ => return Noun::OtherWords,
        };
        let noun = Noun::Of(control);
        if found != Noun::None && found != noun {
            return Noun::OtherWords;
        }
        found = noun;
    }
    found
}

/// Whether a key is the name of a wrapper: `updates`, `data`, `task`, `updatedData`, `taskUpdates`, `newTask`.
pub(super) fn is_wrapper(kind: Kind, key: &str) -> bool {
    const ALONE: [&str; 12] = [
        "updates",
        "update",
        "patch",
        "changes",
        "change",
        "data",
        "fields",
        "payload",
        "delta",
        "diff",
        "modifications",
        "dto",
    ];
    const VALUES: [&str; 6] = [
        "values",
        "value",
        "attributes",
        "attrs",
        "props",
        "properties",
    ];
    const MODIFIERS: [&str; 7] = [
        "updated", "new", "changed", "modified", "edited", "partial", "update",
    ];
    if ALONE.contains(&key) || key == kind.as_str() {
        return true;
    }
    let mut words = words(key);
    let Some(first) = words.next() else {
        return false;
    };
    let is_kind = |word: &str| word == kind.as_str();
    let is_modifier = |word: &str| is_kind(word) || MODIFIERS.contains(&word);
    let ends = |word: &str| is_kind(word) || ALONE.contains(&word) || VALUES.contains(&word);
    if !is_modifier(first.as_str()) {
        return false;
    }
    let mut last = None;
    for word in words {
        if !is_modifier(word.as_str()) && !ends(word.as_str()) {
            return false;
        }
        last = Some(word);
    }
    last.is_some_and(|last| ends(last.as_str()))
}

/// Whether a key sounds as if it controlled a command, for servers that refuse what they do not understand.
pub(super) fn sounds_like_control(kind: Kind, key: &str) -> bool {
    const VERSIONS: [&str; 5] = ["version", "revision", "rev", "etag", "generation"];
    const WHOSE: [&str; 9] = [
        "expected", "base", "client", "known", "last", "seen", "current", "if", "local",
    ];
    const KEYS: [&str; 5] = ["idempotency", "nonce", "dedupe", "dedup", "idempotent"];
    const NEIGHBOURS: [&str; 8] = [
        "before", "after", "above", "below", "over", "prev", "previous", "next",
    ];
    const CARDS: [&str; 5] = ["task", "card", "item", "issue", "sibling"];
    let has = |list: &[&str]| words(key).any(|word| list.contains(&word.as_str()));
    control(key).is_some()
        || is_wrapper(kind, key)
        || (has(&VERSIONS) && has(&WHOSE))
        || has(&KEYS)
        || (has(&NEIGHBOURS) && (has(&CARDS) || has(&["id"])))
        || (has(&DIRECTIONS[..5]) && has(&["id", "ids", "tasks", "backlog"]))
        || completion(key)
}

/// Whether a key says where the unfinished tasks of a sprint go: `moveTo`, `targetSprintId`,
/// `moveIncompleteToSprintId`, `moveToBacklog`.
pub(super) fn completion(key: &str) -> bool {
    const VERBS: [&str; 11] = [
        "move",
        "moved",
        "to",
        "into",
        "target",
        "destination",
        "dest",
        "carry",
        "rollover",
        "spill",
        "transfer",
    ];
    const REST: [&str; 18] = [
        "incomplete",
        "unfinished",
        "open",
        "remaining",
        "unresolved",
        "undone",
        "tasks",
        "task",
        "issues",
        "items",
        "cards",
        "sprint",
        "id",
        "next",
        "over",
        "new",
        "backlog",
        "not",
    ];
    let known = |word: Word| VERBS.contains(&word.as_str()) || REST.contains(&word.as_str());
    let is = |a: &str| words(key).any(|word| word.as_str() == a);
    words(key).all(known)
        && (words(key).any(|word| VERBS.contains(&word.as_str())) || (is("next") && is("sprint")))
}

/// Where a task is to go, as far as its payload says so besides fields.
#[derive(Debug, Default)]
pub(super) struct Destination<'a> {
    pub(super) status: Option<Said<'a>>,
    pub(super) column: Option<Said<'a>>,
    pub(super) sprint: Option<Said<'a>>,
    pub(super) epic: Option<Said<'a>>,
    pub(super) project: Option<Said<'a>>,
    pub(super) index: Option<Said<'a>>,
    pub(super) position: Option<Said<'a>>,
    /// The column from which it comes.
    pub(super) from: Option<&'a Value>,
}

/// A key and its value.
pub(super) type Said<'a> = (&'a str, &'a Value);

impl<'a> Destination<'a> {
    /// Reads the control words of a payload's levels; what stands on an earlier one counts.
    pub(super) fn read(levels: impl Iterator<Item = &'a Fields>) -> Self {
        let mut all = Self::default();
        for (key, value) in levels.flatten().filter(|(_, value)| !value.is_null()) {
            match (control(key), value) {
                (None, _) => {}
                (Some(Control::Origin), Value::Object(origin)) => {
                    for (key, value) in origin {
                        if inside(key) == Some(Control::Column) {
                            all.from.get_or_insert(value);
                        }
                    }
                }
                (Some(Control::Origin), _) => {
                    if !matches!(noun(key), Noun::Of(Control::Index | Control::Position)) {
                        all.from.get_or_insert(value);
                    }
                }
                (Some(Control::Somewhere | Control::Column), Value::Object(there)) => {
                    for (key, value) in there.iter().filter(|(_, value)| !value.is_null()) {
                        if let Some(meant) = inside(key) {
                            all.take(meant, key, value);
                        }
                    }
                }
                (Some(Control::Somewhere), _) => all.take(Control::Column, key, value),
                (Some(meant), _) => all.take(meant, key, value),
            }
        }
        all
    }

    fn take(&mut self, meant: Control, key: &'a str, value: &'a Value) {
        let place = match meant {
            Control::Status => &mut self.status,
            Control::Column => &mut self.column,
            Control::Sprint => &mut self.sprint,
            Control::Epic => &mut self.epic,
            Control::Project => &mut self.project,
            Control::Index => &mut self.index,
            Control::Position => &mut self.position,
            Control::Somewhere | Control::Origin => return,
        };
        place.get_or_insert((key, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_word_by_word() {
        const STATUS: &str = "newStatus toStatus to_status targetStatus statusTo destinationState";
        const COLUMN: &str =
            "toColumn targetColumnId to_column_id newListId destinationLane droppableId";
        const PROJECT: &str = "toProjectId targetProject new_project_id";
        const ORIGIN: &str =
            "from source fromColumn sourceColumnId oldIndex old_status previousStatus";
        const FIELDS: &str = "status columnId listId column targetDate newsletter title to_do \
                              previous state projectId new";
        for (keys, meant) in [
            (STATUS, Some(Control::Status)),
            (COLUMN, Some(Control::Column)),
            ("toSprintId target_sprint", Some(Control::Sprint)),
            (PROJECT, Some(Control::Project)),
            (
                "index newIndex toIndex destination_index",
                Some(Control::Index),
            ),
            ("position newPosition toPosition", Some(Control::Position)),
            ("to target destination", Some(Control::Somewhere)),
            (ORIGIN, Some(Control::Origin)),
            (FIELDS, None),
        ] {
            for key in keys.split_whitespace() {
                assert_eq!(control(key), meant, "{key}");
            }
        }
    }

    #[test]
    fn wrappers_are_recognised_as_a_kind() {
        const NAMES: &str = "updates data task updatedData taskData newData task_updates newTask \
                             updatedTask updatedFields taskPayload newValues";
        const FIELDS: &str = "title newStatus metadata values customFields updatedAt epic dataset \
                              taskType newsletter";
        for name in NAMES.split_whitespace() {
            assert!(is_wrapper(Kind::Task, name), "{name}");
        }
        for field in FIELDS.split_whitespace() {
            assert!(!is_wrapper(Kind::Task, field), "{field}");
        }
    }

    #[test]
    fn a_completion_says_where_tasks_go_in_many_words() {
        const NAMES: &str = "moveTo move_unfinished_to moveToSprintId moveIncompleteToSprintId \
                             targetSprintId nextSprintId moveToBacklog rolloverTo";
        for key in NAMES.split_whitespace() {
            assert!(completion(key), "{key}");
        }
        for key in "openTasks completedAt velocity sprintId remaining id".split_whitespace() {
            assert!(!completion(key), "{key}");
        }
    }
}

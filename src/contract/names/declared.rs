//! The names of commands about entities of declared kinds: `subtask:create`, in the spellings of all others.

use parking_lot::RwLock;

use super::{Entry, Verb, command, words};
use crate::domain::Kind;

/// What can be done with an entity of any kind.
const VERBS: [(&str, Verb, &[&str]); 5] = [
    ("create", Verb::Create, &["create"]),
    ("update", Verb::Update, &["update"]),
    ("delete", Verb::Delete, &["delete"]),
    ("restore", Verb::Restore, &["restore"]),
    ("toggle", Verb::Toggle, &["toggle"]),
];

type Rows = [Entry; VERBS.len()];

/// Guards the rows of the declared kinds. They are made when a name is looked up first; there are no more of them than
/// definitions of kinds.
static ROWS: RwLock<Vec<(Kind, &'static Rows)>> = RwLock::new(Vec::new());

/// The row with this documented name.
pub(super) fn documented(event: &str) -> Option<&'static Entry> {
    let (noun, _) = event.split_once(':')?;
    let kind: Kind = noun.parse().ok()?;
    let mut rows = rows_of(kind)?.iter();
    rows.find(|row| row.canonical == event)
}

/// The row that these words mean.
pub(super) fn spelled(event: &str) -> Option<&'static Entry> {
    let declared = Kind::declared();
    if declared.is_empty() {
        return None;
    }
    let words = words(event);
    let mut rows = declared.into_iter().filter_map(rows_of).flatten();
    rows.find(|row| row.is_named_by(&words))
}

fn rows_of(kind: Kind) -> Option<&'static Rows> {
    let Kind::Other(definition) = kind else {
        return None;
    };
    let is_current =
        |known: &Kind| matches!(known, Kind::Other(other) if std::ptr::eq(*other, definition));
    if let Some((_, rows)) = ROWS.read().iter().find(|(known, _)| is_current(known)) {
        return Some(rows);
    }
    let mut all = ROWS.write();
    all.retain(|(known, _)| *known != kind);
    let rows = VERBS.map(|(name, verb, verbs)| {
        let canonical: &'static str = Box::leak(format!("{kind}:{name}").into_boxed_str());
        command(canonical, kind, verb, verbs)
    });
    let rows: &'static Rows = Box::leak(Box::new(rows));
    all.push((kind, rows));
    Some(rows)
}

//! The rooms of which facts speak, and how a page enters them.

use serde_json::Value;

use super::arguments::words;
use super::facts::{Emit, Facts};

/// The project of a backend whose frontend names none.
const NO_ROOM: &str = "main";
/// Where messages name a room.
const ROOM_KEYS: [&str; 6] = [
    "projectId",
    "project_id",
    "boardId",
    "board_id",
    "roomId",
    "room",
];
/// Words of messages by which a page enters a room besides those that the facts list.
const ENTERING: [&str; 4] = ["join", "subscribe", "register", "identify"];

/// The messages by which a page enters all its rooms: the facts' joins, and messages that sound like one.
pub(super) fn entering(facts: &Facts) -> Vec<Emit> {
    let mut all: Vec<_> = facts
        .joins
        .iter()
        .filter_map(|join| as_emit(join))
        .collect();
    for emit in &facts.emits {
        let words = words(&emit.event);
        let enters = words.iter().any(|word| ENTERING.contains(&word.as_str()));
        if enters && !all.iter().any(|join| is_same(join, emit)) {
            all.push(emit.clone());
        }
    }
    all
}

/// The facts' joins that are not among what the page sends anyway.
pub(super) fn only_joins(facts: &Facts) -> Vec<Emit> {
    let joins = facts.joins.iter().filter_map(|join| as_emit(join));
    let is_sent = |join: &Emit| facts.emits.iter().any(|emit| is_same(join, emit));
    joins.filter(|join| !is_sent(join)).collect()
}

/// The project of which the backend speaks: that of the joins, or the dialect's default if there is none or if something
/// is for everybody.
pub(super) fn of_backend(facts: &Facts, default: Option<&str>) -> String {
    let mut joins = facts.joins.iter().filter_map(|join| join.get(1));
    let own = joins.find_map(room_in);
    let everybody = facts.listens.iter().any(|listen| listen.to.is_some());
    if let Some(room) = default.filter(|_| everybody || own.is_none()) {
        return room.to_owned();
    }
    let sent = || {
        let args = facts.emits.iter().filter_map(|emit| emit.args.first());
        args.filter(|arg| arg.is_object()).find_map(room_in)
    };
    own.or_else(sent).unwrap_or_else(|| NO_ROOM.to_owned())
}

/// A join as a message.
fn as_emit(join: &[Value]) -> Option<Emit> {
    let (event, args) = join.split_first()?;
    Some(Emit {
        event: event.as_str()?.to_owned(),
        args: args.to_vec(),
        used_by_ui: true,
        ack: Value::Null,
        ns: None,
        own_relay: None,
    })
}

fn is_same(one: &Emit, other: &Emit) -> bool {
    one.event == other.event && one.args == other.args
}

/// The room that a message names.
fn room_in(value: &Value) -> Option<String> {
    match value {
        Value::String(room) => Some(room.clone()),
        Value::Number(room) => Some(room.to_string()),
        Value::Object(fields) => {
            let mut rooms = ROOM_KEYS.iter();
            rooms.find_map(|key| fields.get(*key)?.as_str().map(str::to_owned))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(text: &str) -> Facts {
        Facts::parse(text).unwrap()
    }

    #[test]
    fn the_backend_speaks_of_the_room_that_is_joined() {
        let joining = r#"{"frontend": "f", "joins": [["board:join", {"boardId": "b1"}]]}"#;
        assert_eq!(of_backend(&facts(joining), None), "b1");
        assert_eq!(of_backend(&facts(joining), Some("main")), "b1");
        let told = r#"{"frontend": "f", "joins": [["join", "b1"]],
            "listens": [{"event": "e", "source": "backend", "to": "everybody"}]}"#;
        assert_eq!(of_backend(&facts(told), Some("all")), "all");
        let nothing = r#"{"frontend": "f"}"#;
        assert_eq!(of_backend(&facts(nothing), None), "main");
    }

    #[test]
    fn a_page_enters_by_its_joins_and_by_what_sounds_like_one() {
        let facts = facts(
            r#"{"frontend": "f", "joins": [["board:join", "b1"]],
                "emits": [{"event": "board:join", "args": ["b1"]}, {"event": "user:join", "args": ["ua-1"]},
                          {"event": "card:move"}]}"#,
        );
        let names: Vec<_> = entering(&facts)
            .into_iter()
            .map(|emit| emit.event)
            .collect();
        assert_eq!(names, ["board:join", "user:join"]);
        assert!(only_joins(&facts).is_empty());
    }
}

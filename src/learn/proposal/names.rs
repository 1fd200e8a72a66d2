//! What the name of an event says it is for.

use super::super::words::{group, has, is_one_of, is_past, meaning, singular, split, stem};
use crate::contract::{EventClass, EventName};

/// Words for people.
pub(super) const PEOPLE: [&str; 16] = [
    "user",
    "member",
    "people",
    "person",
    "participant",
    "viewer",
    "editor",
    "collaborator",
    "presence",
    "peer",
    "attendee",
    "client",
    "developer",
    "assignee",
    "team",
    "teammate",
];
/// Words for who is there, and who comes and goes.
const ATTENDANCE: [&str; 14] = [
    "join",
    "leave",
    "count",
    "list",
    "online",
    "offline",
    "active",
    "presence",
    "connect",
    "disconnect",
    "viewer",
    "enter",
    "exit",
    "here",
];
const JOIN: [&str; 5] = ["join", "enter", "subscribe", "watch", "follow"];
const LEAVE: [&str; 5] = ["leave", "exit", "unsubscribe", "unwatch", "unfollow"];
const IDENTIFY: [&str; 6] = [
    "register",
    "identify",
    "setup",
    "login",
    "authenticate",
    "auth",
];
/// Words for what clients are in.
const ROOMS: [&str; 5] = ["project", "board", "room", "workspace", "channel"];
const HEARTBEAT: [&str; 4] = ["ping", "heartbeat", "keepalive", "alive"];
const REQUEST: [&str; 8] = [
    "get", "list", "fetch", "load", "request", "check", "query", "find",
];
/// Words for what is done with things, which a `list` may be.
const CHANGES: [&str; 9] = [
    "create", "add", "update", "edit", "delete", "remove", "move", "reorder", "rename",
];
/// Words for what comes and goes while somebody looks at something.
const PASSING: [&str; 12] = [
    "typing",
    "cursor",
    "mouse",
    "pointer",
    "presence",
    "selection",
    "viewing",
    "editing",
    "hover",
    "focus",
    "scroll",
    "drag",
];
const REFUSAL: [&str; 10] = [
    "error",
    "reject",
    "fail",
    "failure",
    "deny",
    "denied",
    "conflict",
    "invalid",
    "unauthorized",
    "forbidden",
];
const GREETING: [&str; 10] = [
    "connected",
    "welcome",
    "hello",
    "ready",
    "authenticated",
    "authorized",
    "server",
    "connection",
    "info",
    "session",
];
const STATE: [&str; 12] = [
    "state",
    "init",
    "initial",
    "initialize",
    "sync",
    "snapshot",
    "load",
    "all",
    "list",
    "data",
    "current",
    "full",
];
/// Words that say nothing about what an event is for.
const FILLERS: [&str; 9] = [
    "user",
    "client",
    "server",
    "is",
    "event",
    "by",
    "broadcast",
    "on",
    "room",
];
/// Words of the answer to a question.
const ANSWER: [&str; 7] = [
    "response", "result", "reply", "success", "confirm", "ack", "status",
];
/// Other words for our kinds.
const ALIASES: [(&str, &str); 5] = [
    ("card", "task"),
    ("issue", "task"),
    ("ticket", "task"),
    ("story", "task"),
    ("board", "project"),
];
/// Events that the client library says itself.
const OF_THE_LIBRARY: [&str; 14] = [
    "connect",
    "connect_error",
    "connect_timeout",
    "connecting",
    "disconnect",
    "disconnecting",
    "error",
    "message",
    "reconnect",
    "reconnect_attempt",
    "reconnect_error",
    "reconnect_failed",
    "reconnecting",
    "newListener",
];

/// What a client sends an event for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To hear of a room, of this sort.
    Join(String),
    /// To hear of it no longer.
    Leave(String),
    /// To say who it is.
    Identify,
    /// To see whether the server is there.
    Heartbeat,
    /// To say that it is there.
    Attend,
    /// To be told something.
    Request,
    /// One of our commands.
    Command(Known),
    /// Another event of ours.
    Ours,
    /// To tell others something.
    Tell,
}

/// One of our commands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// As it is documented: `task:create`.
    pub(super) command: String,
    /// What it is about: `task`.
    pub(super) kind: String,
    /// As clients hear of it: `task:created`.
    pub(super) told: String,
    /// Whether others are told of it as of another command: of `task:assign` as of `task:update`.
    pub(super) is_another: bool,
    /// The word that stands for the kind, if it is not the kind's own.
    pub(super) alias: Option<&'static str>,
    /// Whether the name is known as it is spelled.
    pub(super) is_spelled: bool,
}

/// What a page listens to an event for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hearing {
    /// The client library's own.
    Library,
    /// That somebody came.
    Came,
    /// That somebody went.
    Went,
    /// Who is there.
    People,
    /// That the server is there.
    Pong,
    /// That something was refused.
    Refusal,
    /// That it is connected.
    Greeting,
    /// How things stand.
    State,
    /// Something else.
    Other,
}

/// What an event that clients send is for.
pub(super) fn purpose(name: &str) -> Purpose {
    let words = split(name);
    if words.iter().any(|word| is_past(word)) {
        return Purpose::Tell;
    }
    if let Some(known) = EventName::find(name).filter(|known| known.class() != EventClass::Command)
        && known.class() == EventClass::Signal
    {
        return if has(name, &["presence"]) {
            Purpose::Attend
        } else {
            Purpose::Tell
        };
    }
    if let Some(purpose) = room_word(name, &words) {
        return purpose;
    }
    if let Some(known) = known_command(name) {
        return Purpose::Command(known);
    }
    // A room is opened, and closed; anything else that is opened is none.
    let room = words.iter().find(|word| ROOMS.contains(&word.as_str()));
    if let (2, Some(room)) = (words.len(), room) {
        if has(name, &["open", "visit"]) {
            return Purpose::Join(room.clone());
        }
        if has(name, &["close"]) {
            return Purpose::Leave(room.clone());
        }
    }
    if EventName::find(name).is_some() {
        return Purpose::Ours;
    }
    if has(name, &HEARTBEAT) {
        return Purpose::Heartbeat;
    }
    if has(name, &IDENTIFY) && words.len() < 3 {
        return Purpose::Identify;
    }
    if has(name, &REQUEST) && !has(name, &CHANGES) {
        return Purpose::Request;
    }
    if has(name, &["presence", "online", "active"]) {
        return Purpose::Attend;
    }
    Purpose::Tell
}

/// What an event is for that has a word of joining or leaving in its name.
fn room_word(name: &str, words: &[String]) -> Option<Purpose> {
    let mut verbs = [(JOIN, true), (LEAVE, false)].into_iter();
    let (verbs, is_join) = verbs.find(|(verbs, _)| has(name, verbs))?;
    let rest = words.iter().filter(|word| !is_one_of(word, &verbs));
    let rest: Vec<_> = rest.collect();
    let is_about_people = has(name, &PEOPLE) && rest.iter().all(|word| is_one_of(word, &PEOPLE));
    if is_join && is_about_people {
        return Some(Purpose::Identify);
    }
    let sort = rest.first().map_or("room", |word| singular(word));
    let sort = sort.to_owned();
    Some(if is_join {
        Purpose::Join(sort)
    } else {
        Purpose::Leave(sort)
    })
}

/// The command of ours that a name means, perhaps with another word for the kind.
pub(super) fn known_command(name: &str) -> Option<Known> {
    let found = EventName::find(name);
    let mut alias = None;
    let mut command = found;
    if command.is_none() {
        let words: Vec<_> = split(name)
            .into_iter()
            .map(|word| {
                let known = ALIASES.iter().find(|(of, _)| is_one_of(&word, &[of]));
                known.map_or(word, |(of, kind)| {
                    alias = Some(*of);
                    (*kind).to_owned()
                })
            })
            .collect();
        command = EventName::find(&words.join(":"));
    } else {
        let aliases = ALIASES.iter().find(|(of, _)| has(name, &[of]));
        alias = aliases.map(|(of, _)| *of);
    }
    let command = command.filter(|command| command.class() == EventClass::Command)?;
    let documented = command.as_str();
    let (kind, verb) = documented.split_once(':')?;
    let (event, is_another) = match (kind, verb) {
        (_, "status") => ("status_changed".to_owned(), false),
        (_, "role") => ("updated".to_owned(), false),
        (_, "toggle") => ("updated".to_owned(), true),
        ("task", "reorder") => ("moved".to_owned(), true),
        ("task", "complete" | "archive" | "unarchive" | "assign" | "unassign") => {
            ("updated".to_owned(), true)
        }
        (_, verb) => (super::super::words::past(verb), false),
    };
    Some(Known {
        command: documented.to_owned(),
        kind: kind.to_owned(),
        told: format!("{kind}:{event}"),
        is_another,
        alias,
        is_spelled: found.is_some(),
    })
}

/// The command of ours whose event a page listens to: `taskUpdated`, `task-update`, `taskUpdateName`.
pub(super) fn known_event(name: &str) -> Option<Known> {
    let present: Vec<String> = split(name).iter().map(|word| present(word)).collect();
    let spelled = |words: &[String]| known_command(&words.join(":"));
    if let Some(known) = spelled(&present) {
        return Some(known);
    }
    // One word more says which field was changed.
    let shorter = (0..present.len()).rev().map(|left_out| {
        let mut words = present.clone();
        let word = words.remove(left_out);
        (word, words)
    });
    let mut shorter = shorter.filter(|(word, _)| {
        [
            "name",
            "title",
            "description",
            "priority",
            "assignee",
            "label",
            "date",
            "deadline",
        ]
        .contains(&word.as_str())
    });
    shorter
        .find_map(|(_, words)| spelled(&words))
        .map(|known| Known {
            is_another: true,
            ..known
        })
}

/// The present tense of a word, so far as our commands have it.
fn present(word: &str) -> String {
    const VERBS: [&str; 22] = [
        "create", "update", "delete", "restore", "move", "change", "start", "complete", "add",
        "remove", "edit", "toggle", "assign", "archive", "reorder", "role", "status", "new",
        "insert", "unassign", "comment", "join",
    ];
    let same = VERBS
        .iter()
        .find(|verb| is_past(word) && stem(verb) == stem(word));
    same.map_or(word, |verb| verb).to_owned()
}

/// What a page listens to an event for, told from its name.
pub(super) fn hearing(name: &str) -> Hearing {
    let words = split(name);
    if OF_THE_LIBRARY.contains(&name) {
        return Hearing::Library;
    }
    if has(name, &["pong", "heartbeat"]) {
        return Hearing::Pong;
    }
    if words.last().is_some_and(|word| is_one_of(word, &REFUSAL)) {
        return Hearing::Refusal;
    }
    let is_about_people = has(name, &PEOPLE) || has(name, &["online"]);
    if is_about_people && has(name, &ATTENDANCE) && known_event(name).is_none() {
        if has(name, &["count", "list", "active"]) {
            return Hearing::People;
        }
        if has(name, &["leave", "offline", "disconnect", "exit"]) {
            return Hearing::Went;
        }
        if has(name, &["join", "enter", "connect"])
            || (has(name, &["online"]) && !is_plural(&words))
        {
            return Hearing::Came;
        }
        return Hearing::People;
    }
    if known_event(name).is_some() {
        return Hearing::Other;
    }
    let is_told = words.iter().any(|word| is_past(word));
    let last = words.last().map(std::slice::from_ref);
    if !is_told && last.is_some_and(|last| is_plural(last) || last == ["people"]) {
        return Hearing::People;
    }
    if has(name, &GREETING)
        && !words
            .iter()
            .any(|word| is_one_of(word, &["task", "board", "card", "project"]))
    {
        return Hearing::Greeting;
    }
    let is_change = words
        .iter()
        .any(|word| is_past(word) && is_one_of(word, &CHANGES));
    if is_change {
        return Hearing::Other;
    }
    if has(name, &STATE) || (words.len() == 1 && singular(&words[0]) != words[0]) {
        return Hearing::State;
    }
    Hearing::Other
}

fn is_plural(words: &[String]) -> bool {
    words
        .iter()
        .any(|word| is_one_of(word, &PEOPLE) && singular(word) != word)
}

/// Whether an event is about what comes and goes, and needs not be kept.
pub(super) fn is_passing(name: &str) -> bool {
    has(name, &PASSING) && !has(name, &["drop", "move", "end"])
        || has(name, &["typing", "cursor", "mouse", "pointer"])
}

/// How well the name of what is listened to fits the name of what is sent; `None` if not at all.
pub(super) fn fit(heard: &str, sent: &str) -> Option<u8> {
    if heard == sent {
        return Some(4);
    }
    if meaning(heard) == meaning(sent) {
        return Some(3);
    }
    let without = |name: &str, left_out: &[&str]| -> Vec<String> {
        let mut words = meaning(name);
        words.retain(|word| !left_out.iter().any(|out| group(out) == *word));
        words
    };
    let same = |left_out: &[&str]| {
        let (heard, sent) = (without(heard, left_out), without(sent, left_out));
        !heard.is_empty() && heard == sent
    };
    if same(&FILLERS) {
        return Some(2);
    }
    let answers = [&ANSWER[..], &REQUEST[..]].concat();
    let is_question = purpose(sent) == Purpose::Request;
    (is_question && same(&answers)).then_some(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_they_are_for() {
        for (name, expected) in [
            ("join:project", Purpose::Join("project".into())),
            ("joinBoard", Purpose::Join("board".into())),
            ("room_leave", Purpose::Leave("room".into())),
            ("join", Purpose::Join("room".into())),
            ("user:join", Purpose::Identify),
            ("ping", Purpose::Heartbeat),
            ("comments:fetch", Purpose::Request),
            ("board_presence", Purpose::Attend),
            ("typing:start", Purpose::Tell),
            ("task-created", Purpose::Tell),
            ("note:create", Purpose::Tell),
        ] {
            assert_eq!(purpose(name), expected, "{name}");
        }
        let Purpose::Command(known) = purpose("card:move") else {
            panic!()
        };
        assert_eq!(
            (known.told.as_str(), known.alias),
            ("task:moved", Some("card"))
        );
        assert!(
            matches!(purpose("create-task"), Purpose::Command(known) if known.told == "task:created")
        );
    }

    #[test]
    fn listens_tell_what_they_are_for() {
        for (name, expected) in [
            ("connect", Hearing::Library),
            ("user:joined", Hearing::Came),
            ("board:user-left", Hearing::Went),
            ("users:count", Hearing::People),
            ("project:online_users", Hearing::People),
            ("presence:update", Hearing::People),
            ("pong", Hearing::Pong),
            ("card:rejected", Hearing::Refusal),
            ("connected", Hearing::Greeting),
            ("init", Hearing::State),
            ("tasks:sync", Hearing::State),
            ("task:created", Hearing::Other),
            ("member:added", Hearing::Other),
            ("notification:new", Hearing::Other),
        ] {
            assert_eq!(hearing(name), expected, "{name}");
        }
    }

    #[test]
    fn what_is_heard_fits_what_is_sent() {
        assert_eq!(fit("a", "a"), Some(4));
        assert_eq!(fit("comment:added", "comment:new"), Some(3));
        assert_eq!(fit("typing-client", "typing"), Some(2));
        assert_eq!(
            fit("project:online_users", "project:get_online_users"),
            Some(1)
        );
        assert_eq!(fit("task:created", "task:delete"), None);
    }
}

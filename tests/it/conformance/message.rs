//! What clients are told, in the same words at every door.

use serde_json::{Value, json};

/// A message, and the cursor with which its client can come back once it has it.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) said: Said,
    pub(super) cursor: Option<String>,
}

/// What a message says.
#[derive(Debug, Clone)]
pub(super) enum Said {
    Event(Event),
    Notice(Notice),
    /// The answer to a command or a subscription, by the number of the question.
    Answer(u64, Value),
    /// A refusal of something that carried no number.
    Refusal,
    /// Anything else: a greeting, a cursor, a signal.
    Other,
}

/// An event of a channel's log.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Event {
    pub(super) channel: String,
    pub(super) seq: i64,
    pub(super) kind: String,
    pub(super) payload: Value,
}

/// What the server says of the connection or of a channel.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Notice {
    pub(super) kind: NoticeKind,
    /// The channel that it is about, if it is about one.
    pub(super) channel: Option<String>,
    pub(super) body: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoticeKind {
    Reset,
    AccessRevoked,
    Expiring,
    Notification,
}

impl Message {
    pub(super) fn new(said: Said, cursor: Option<String>) -> Self {
        Self { said, cursor }
    }
}

impl Said {
    /// A notice, if this is the name of one at some door.
    pub(super) fn notice(name: &str, body: &Value) -> Option<Self> {
        let kind = match name.rsplit(':').next()? {
            "reset" => NoticeKind::Reset,
            "access_revoked" => NoticeKind::AccessRevoked,
            "expiring" => NoticeKind::Expiring,
            "notification" => NoticeKind::Notification,
            _ => return None,
        };
        let channel = body["channel"].as_str().or(body["room"].as_str());
        let channel = channel.map(str::to_owned);
        let project = body["projectId"].as_str();
        Some(Self::Notice(Notice {
            kind,
            channel: channel.or(project.map(|id| format!("project:{id}"))),
            body: body.clone(),
        }))
    }

    /// An event in the form that event streams and pages of the log have.
    pub(super) fn logged(channel: &str, event: &Value, payload: &Value) -> Option<Self> {
        Some(Self::Event(Event {
            channel: channel.to_owned(),
            seq: event["seq"].as_i64()?,
            kind: event["type"].as_str()?.to_owned(),
            payload: payload.clone(),
        }))
    }
}

/// A cursor where it stands in a message.
pub(super) fn cursor_in(value: &Value) -> Option<String> {
    value["cursor"].as_str().map(str::to_owned)
}

/// What clients ask for when they subscribe.
pub(super) fn subscription(channels: &[String], types: &[String]) -> Value {
    let mut wish = json!({"channels": channels});
    if !types.is_empty() {
        wish["types"] = json!(types);
    }
    wish
}

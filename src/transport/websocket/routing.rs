//! Where a message goes whose type means nothing to the server: on which channel it is published. What has none is for a worker.

use super::format::Format;
use super::message::Message;
use super::raw_object::RawObject;
use crate::contract::Reply;
use crate::domain::ChannelName;

/// Channels of types that belong together, for those who name none.
const BY_TYPE: [(&str, &str); 6] = [
    ("system_", "system"),
    ("deployment_", "deployment"),
    ("github_", "github"),
    ("tdd_", "tdd"),
    ("test_", "tdd"),
    ("coverage_", "tdd"),
];

/// On which channel a message is published.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// On the one that it names, or to which its type or its session belongs.
    Channel(ChannelName),
    /// On the worker's, because it names none.
    Worker(ChannelName),
}

/// The channel on which a message is published; `session` is the one that its sender is in. What names no channel is
/// published on that of the `worker`, if there is one.
pub(super) fn route(
    format: Format,
    message: &Message,
    session: Option<&str>,
    worker: Option<&ChannelName>,
) -> Result<Route, Reply> {
    let session = message.session.as_deref().or(session);
    let session = session.map(|id| format!("session:{id}"));
    let found = match format {
        Format::Flat => message.resource.clone().or(session).ok_or(NO_SESSION),
        Format::Envelope => envelope(message, session),
    };
    if let (Err(NO_SESSION | NO_CHANNEL), Some(worker)) = (&found, worker) {
        return Ok(Route::Worker(worker.clone()));
    }
    let (field, name) = found
        .map(|name| ("channel", name))
        .map_err(|(field, what)| Reply::invalid(field, what))?;
    let channel = ChannelName::parse(&name).map_err(|error| Reply::invalid(field, error))?;
    Ok(Route::Channel(channel))
}

/// A field, and what is wrong with it.
type Missing = (&'static str, &'static str);

const NO_SESSION: Missing = (
    "sessionId",
    "is missing: this type is passed on to the others of a session (connect with ?sessionId=, or subscribe to one), or to a \
     worker if the server's WORKER_CHANNEL names its channel",
);
const NO_AGENT: Missing = ("data.agentId", "is missing");
const NO_WORKFLOW: Missing = ("data.workflowId", "is missing");
const NO_CHANNEL: Missing = (
    "data.channel",
    "is missing: this type has no channel of its own, and the server's WORKER_CHANNEL names none for a worker",
);

fn envelope(message: &Message, session: Option<String>) -> Result<String, Missing> {
    let data = RawObject::read(message.data.get());
    let id = |keys: [&str; 2]| keys.into_iter().find_map(|key| data.as_ref()?.id(key));
    let named = |family: &str| {
        let resource = message.resource.clone();
        resource.filter(|name| name.starts_with(family))
    };
    if message.name.starts_with("agent_") {
        let agent = id(["agentId", "agent_id"]).map(|id| format!("agent:{id}"));
        return agent.or_else(|| named("agent:")).ok_or(NO_AGENT);
    }
    if message.name.starts_with("workflow_") {
        let workflow = id(["workflowId", "workflow_id"]).map(|id| format!("workflow:{id}"));
        return workflow.or_else(|| named("workflow:")).ok_or(NO_WORKFLOW);
    }
    let channel = data.as_ref().and_then(|data| data.text("channel"));
    let by_type = || {
        let mut types = BY_TYPE.into_iter();
        let found = types.find(|(start, _)| message.name.starts_with(start));
        found.map(|(_, channel)| channel.to_owned())
    };
    let channel = channel.or_else(|| message.resource.clone()).or(session);
    channel.or_else(by_type).ok_or(NO_CHANNEL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel_of(format: Format, text: &str, session: Option<&str>) -> Result<String, String> {
        let message = Message::read(format, text).unwrap();
        let channel = route(format, &message, session, None).map(|route| match route {
            Route::Channel(channel) | Route::Worker(channel) => channel,
        });
        let field = |reply: Reply| reply.field().unwrap_or_default().to_owned();
        channel.map(|channel| channel.to_string()).map_err(field)
    }

    #[test]
    fn flat_messages_go_to_a_session() {
        for (text, session, expected) in [
            (r#"{"type":"codeContext"}"#, Some("s"), Ok("session:s")),
            (
                r#"{"type":"x","sessionId":"t"}"#,
                Some("s"),
                Ok("session:t"),
            ),
            (r#"{"type":"x","sessionId":7}"#, None, Ok("session:7")),
            (r#"{"type":"x"}"#, None, Err("sessionId")),
            (r#"{"type":"x"}"#, Some("a b"), Err("channel")),
            (
                r#"{"type":"agent_log","data":{"agentId":"a"}}"#,
                Some("s"),
                Ok("session:s"),
            ),
        ] {
            let found = channel_of(Format::Flat, text, session);
            assert_eq!(
                found.as_deref().map_err(|field| &**field),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn what_has_no_channel_is_for_the_worker() {
        let worker = ChannelName::restore("ai:worker");
        for (format, text, session, expected) in [
            (
                Format::Flat,
                r#"{"type":"codeContext"}"#,
                None,
                Some("ai:worker"),
            ),
            (
                Format::Flat,
                r#"{"type":"codeContext"}"#,
                Some("s"),
                Some("session:s"),
            ),
            (Format::Flat, r#"{"type":"codeContext"}"#, Some("a b"), None),
            (
                Format::Envelope,
                r#"{"type":"note"}"#,
                None,
                Some("ai:worker"),
            ),
            (Format::Envelope, r#"{"type":"agent_log"}"#, None, None),
        ] {
            let message = Message::read(format, text).unwrap();
            let found = route(format, &message, session, Some(&worker)).ok();
            let expected = expected.map(|name| match name {
                "ai:worker" => Route::Worker(worker.clone()),
                name => Route::Channel(ChannelName::restore(name)),
            });
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn envelopes_go_where_their_type_belongs() {
        for (name, rest, expected) in [
            ("agent_log", r#""data":{"agentId":"a"}"#, Ok("agent:a")),
            ("agent_log", r#""data":{"agent_id":7}"#, Ok("agent:7")),
            (
                "agent_log",
                r#""metadata":{"resource":"agent:b"}"#,
                Ok("agent:b"),
            ),
            (
                "agent_log",
                r#""metadata":{"resource":"x"}"#,
                Err("data.agentId"),
            ),
            ("agent_log", r#""data":{"agentId":"*"}"#, Ok("agent:*")),
            ("agent_log", r#""data":{"agentId":"a b"}"#, Err("channel")),
            (
                "workflow_failed",
                r#""data":{"workflowId":"w"}"#,
                Ok("workflow:w"),
            ),
            ("workflow_failed", "\"data\":{}", Err("data.workflowId")),
            ("system_alert", "\"data\":{}", Ok("system")),
            ("system_alert", r#""data":{"channel":"ops"}"#, Ok("ops")),
            (
                "system_alert",
                r#""metadata":{"resource":"ops"}"#,
                Ok("ops"),
            ),
            ("system_alert", r#""sessionId":"s""#, Ok("session:s")),
            ("test_result", "\"data\":{}", Ok("tdd")),
            ("github_pr_update", "\"data\":{}", Ok("github")),
            ("custom", "\"data\":{}", Err("data.channel")),
        ] {
            let text = format!(r#"{{"type":"{name}",{rest}}}"#);
            let found = channel_of(Format::Envelope, &text, None);
            assert_eq!(
                found.as_deref().map_err(|field| &**field),
                expected,
                "{text}"
            );
        }
    }
}

//! What a client wishes for, in the query of its request and in `Last-Event-ID`.

use axum::http::HeaderMap;
use serde_json::json;

use crate::contract::{EventStyle, Reply, Since, Subscribe};
use crate::domain::ChannelName;
use crate::transport::http::endpoint::Parameter;

/// Where browsers say what they were told last. It counts more than the query, which stays as it is when they come back.
const LAST_EVENT_ID: &str = "last-event-id";
/// Where polyfills add it to the query of the page, when they come back.
const LAST_IN_QUERY: &str = "lastEventId";
/// Where it is said by who comes for the first time.
const SINCE: [&str; 2] = ["since", "cursor"];

/// See the module.
#[derive(Debug)]
pub(super) struct StreamParams {
    pub(super) subscribe: Subscribe,
    /// Who chose the channels.
    pub(super) choice: Choice,
    /// Whether the client was here before.
    pub(super) returns: bool,
    /// How events are spelled, if not as everywhere.
    pub(super) style: Option<EventStyle>,
    pub(super) manner: Manner,
}

/// Who chose the channels of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// The client named them.
    Client,
    /// The client named none: it hears those of `EVENT_CHANNELS` that it may hear.
    Server,
}

/// What a client asks for besides its channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    /// Whether messages carry the event's type as their name.
    pub(super) named: bool,
    /// Whether signals are told as well.
    pub(super) signals: bool,
    /// Whether presence is told as well, if the client says so.
    pub(super) presence: Option<bool>,
}

impl StreamParams {
    /// Reads a request. One that names no channel is for those of `defaults`.
    ///
    /// # Errors
    ///
    /// The answer that says what is wrong with it.
    pub(super) fn read(
        query: Option<&str>,
        headers: &HeaderMap,
        defaults: &[ChannelName],
    ) -> Result<Self, Reply> {
        let query = query.unwrap_or_default();
        let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let values = |key: &'static str| {
            let found = pairs.iter().filter(move |(name, _)| name == key);
            found.map(|(_, value)| &**value)
        };
        let listed = |key| values(key).flat_map(|list| list.split(',')).map(str::trim);
        let listed = |key| listed(key).filter(|name| !name.is_empty());
        let is_set = |key| values(key).next().is_some_and(|value| !is_no(value));
        let last = headers.get(LAST_EVENT_ID);
        let last = last.map(|last| String::from_utf8_lossy(last.as_bytes()).into_owned());
        let first = |keys: &[&'static str]| {
            let mut found = keys.iter().flat_map(|key| values(key));
            found.find(|text| !text.is_empty()).map(str::to_owned)
        };
        let last = last.filter(|last| !last.is_empty());
        let last = last.or_else(|| first(&[LAST_IN_QUERY]));
        let returns = last.is_some();
        let since = last.or_else(|| first(&SINCE));
        let since = since.map(|text| Since::read(&text));
        let style = values("eventStyle").next().map(str::parse).transpose();
        let style = style.map_err(|error| Reply::invalid("eventStyle", error))?;
        let named: Vec<_> = listed("channels").chain(values("channel")).collect();
        let (choice, channels) = if named.is_empty() {
            let defaults = defaults.iter().map(ChannelName::as_str);
            (Choice::Server, defaults.collect())
        } else {
            (Choice::Client, named)
        };
        let subscribe = Subscribe::new(channels, listed("types"), since)?;
        Ok(Self {
            subscribe,
            choice,
            returns,
            style,
            manner: Manner {
                named: is_set("named"),
                signals: is_set("signals"),
                presence: values("presence").next().map(|value| !is_no(value)),
            },
        })
    }
}

fn is_no(value: &str) -> bool {
    matches!(value, "0" | "false" | "no")
}

/// What can be wished for, for the documentation.
pub(super) fn parameters() -> Vec<Parameter> {
    let text = |name, about| Parameter::query(name, about, json!({"type": "string"}));
    let flag = |name, about| Parameter::query(name, about, json!({"enum": ["1"]}));
    vec![
        text(
            "channels",
            "Names of channels, with commas between them; without any, those of `EVENT_CHANNELS`.",
        ),
        text("channel", "One name, commas and all. May be repeated."),
        text(
            "types",
            "Only events of these types are told, with commas between them.",
        ),
        text(
            "since",
            "A cursor, or with one channel a seq, after which to begin; from now on without.",
        ),
        flag(
            "named",
            "Whether messages have the event's type as their name.",
        ),
        flag(
            "signals",
            "Whether signals other than presence are told as well.",
        ),
        flag("presence", "Whether it is told who comes and goes."),
        Parameter::query(
            "eventStyle",
            "How the server's own types are spelled.",
            json!({"enum": ["colon", "dash", "snake", "camel"]}),
        ),
        Parameter::header("Last-Event-ID", "As `since`, and counts more.", "^[!-~]*$"),
    ]
}

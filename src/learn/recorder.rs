//! Counts messages by name and shape, within bounds.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::anonymous;
use super::client::{Client, ClientDescription};
use super::report::{
    ClientCount, Connected, Learned, LearnedEvent, LearnedPublication, OutcomeCount, ShapeCount,
};
use super::shape::Shape;
use crate::contract::{Arguments, Publication, Reply};
use crate::domain::Timestamp;

/// Names of events that are kept.
const MAX_EVENTS: usize = 500;
/// Shapes, programs and outcomes that are kept of a name.
const MAX_OF_A_NAME: usize = 8;
/// Types of publications that are kept.
const MAX_PUBLICATIONS: usize = 200;
/// Ways of connecting that are kept.
const MAX_CONNECTIONS: usize = 50;
/// Keys of `auth` and of a query that are kept.
const MAX_AUTH_KEYS: usize = 16;
/// Descriptions of programs that are kept.
const MAX_CLIENTS: usize = 256;

/// A message as it came in.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The event's name.
    pub name: &'a str,
    /// Its arguments.
    pub arguments: Arguments<'a>,
    /// Whether the client waits for an ack.
    pub wants_ack: bool,
    /// Which program the client is.
    pub client: &'a Client,
}

/// What a message was taken for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Taken<'a> {
    /// One of the server's events, or a rule such as `relay` or `custom`.
    For(&'a str),
    /// Nothing: it was refused.
    Refused(&'a Reply),
}

/// See the module's description.
#[derive(Debug)]
pub struct Recorder {
    is_learning: bool,
    since: Timestamp,
    /// Guards the counts; held for a few look-ups.
    log: Mutex<Log>,
    /// Guards the descriptions, which connections share.
    clients: Mutex<HashSet<Client>>,
}

#[derive(Debug, Default)]
struct Log {
    events: BTreeMap<String, Event>,
    other_events: u64,
    published: BTreeMap<(String, String), Published>,
    other_publications: u64,
    connections: BTreeMap<Way, u64>,
    refused_namespaces: BTreeMap<String, u64>,
}

/// What came under a name.
#[derive(Debug, Default)]
struct Event {
    count: u64,
    acks: u64,
    times: Option<(Timestamp, Timestamp)>,
    clients: Counts<Client>,
    shapes: Counts<Vec<Shape>>,
    outcomes: Counts<Outcome>,
}

#[derive(Debug, Default)]
struct Published {
    count: u64,
    shapes: Counts<Vec<Shape>>,
    refused: Option<&'static str>,
}

/// How somebody connected.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    namespace: String,
    path: String,
    auth: Vec<String>,
    query: Vec<String>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    TakenFor(String),
    Refused {
        code: &'static str,
        field: Option<String>,
        why: Option<String>,
    },
}

/// What a refused publication says.
#[derive(Default, Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    channel: Option<Cow<'a, str>>,
    #[serde(borrow, default, rename = "type")]
    event_type: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// Counts of a few things, and of all others together.
#[derive(Debug)]
struct Counts<T> {
    of: BTreeMap<T, u64>,
    others: u64,
}

impl<T> Default for Counts<T> {
    fn default() -> Self {
        Self {
            of: BTreeMap::new(),
            others: 0,
        }
    }
}

impl<T: Ord> Counts<T> {
    fn add(&mut self, thing: T) {
        if let Some(count) = self.of.get_mut(&thing) {
            *count += 1;
        } else if self.of.len() < MAX_OF_A_NAME {
            self.of.insert(thing, 1);
        } else {
            self.others += 1;
        }
    }
}

impl Outcome {
    fn of(taken: Taken<'_>) -> Self {
        match taken {
            Taken::For(what) => Self::TakenFor(what.to_owned()),
            Taken::Refused(reply) => {
                let field = reply.field();
                Self::Refused {
                    code: code_of(reply),
                    field: field.map(anonymous::path),
                    why: Some(anonymous::sentence(reply.message(), field)),
                }
            }
        }
    }
}

fn code_of(reply: &Reply) -> &'static str {
    reply.code().map_or("ok", |code| code.as_str())
}

impl Recorder {
    /// Begins to count: everything if it is to learn, and else what is refused.
    #[must_use]
    pub fn new(is_learning: bool, now: Timestamp) -> Self {
        Self {
            is_learning,
            since: now,
            log: Mutex::default(),
            clients: Mutex::default(),
        }
    }

    /// Whether what is understood is to be recorded as well.
    #[must_use]
    pub fn is_learning(&self) -> bool {
        self.is_learning
    }

    /// A description of a program, shared by all connections of it.
    #[must_use]
    pub fn client(&self, description: ClientDescription) -> Client {
        let mut clients = self.clients.lock();
        if let Some(known) = clients.get(&description) {
            return Arc::clone(known);
        }
        let is_full = clients.len() >= MAX_CLIENTS;
        let client = Arc::new(if is_full {
            ClientDescription::other()
        } else {
            description
        });
        if !is_full {
            clients.insert(Arc::clone(&client));
        }
        client
    }

    /// Records a message and what it was taken for. Call it for what is understood only if the server is learning.
    pub fn message(&self, message: Message<'_>, taken: Taken<'_>, now: Timestamp) {
        let name = anonymous::name(message.name);
        let shape = Shape::of_arguments(message.arguments);
        let outcome = Outcome::of(taken);
        let mut log = self.log.lock();
        let log = &mut *log;
        let is_known = log.events.contains_key(&*name);
        if !is_known && log.events.len() >= MAX_EVENTS {
            log.other_events += 1;
            return;
        }
        let event = log.events.entry(name.into_owned()).or_default();
        event.count += 1;
        event.acks += u64::from(message.wants_ack);
        event.times = Some((event.times.map_or(now, |(first, _)| first), now));
        event.clients.add(Arc::clone(message.client));
        event.shapes.add(shape);
        event.outcomes.add(outcome);
    }

    /// Records that a message that was understood has been refused by a rule, such as one about rights. The sentence may
    /// quote what is stored, so only the code and the field are kept.
    pub fn refused_later(&self, name: &str, reply: &Reply, now: Timestamp) {
        let name = anonymous::name(name);
        let outcome = Outcome::Refused {
            code: code_of(reply),
            field: reply.field().map(anonymous::path),
            why: None,
        };
        let mut log = self.log.lock();
        let log = &mut *log;
        if !log.events.contains_key(&*name) && log.events.len() >= MAX_EVENTS {
            return;
        }
        let event = log.events.entry(name.into_owned()).or_default();
        if !self.is_learning {
            // Else it was counted when it came.
            event.count += 1;
        }
        event.times = Some((event.times.map_or(now, |(first, _)| first), now));
        event.outcomes.add(outcome);
    }

    /// Records what a backend wants to publish: what is refused, and all of it if the server is learning. Without a channel
    /// the text names it.
    pub fn publication(
        &self,
        channel: Option<&str>,
        text: &str,
        read: Result<&Publication, &Reply>,
    ) {
        match read {
            Ok(publication) if self.is_learning => {
                let (channel, event_type) = (&publication.channel, &publication.event_type);
                let data = publication.payload.get();
                self.published(channel.as_str(), event_type.as_str(), data, None);
            }
            Ok(_) => {}
            Err(reply) => {
                let said: Said<'_> = serde_json::from_str(text).unwrap_or_default();
                let channel = channel.or(said.channel.as_deref()).unwrap_or_default();
                let event_type = said.event_type.as_deref().unwrap_or_default();
                let data = said.data.map_or("null", RawValue::get);
                self.published(channel, event_type, data, Some(reply));
            }
        }
    }

    /// Records what a backend has published, or why it could not.
    fn published(&self, channel: &str, event_type: &str, data: &str, refused: Option<&Reply>) {
        let family = channel.split(':').next().unwrap_or_default();
        let key = (
            anonymous::key(family).into_owned(),
            anonymous::name(event_type).into_owned(),
        );
        let shape = Shape::of_arguments(Arguments::One(data));
        let mut log = self.log.lock();
        if !log.published.contains_key(&key) && log.published.len() >= MAX_PUBLICATIONS {
            log.other_publications += 1;
            return;
        }
        let published = log.published.entry(key).or_default();
        published.count += 1;
        published.shapes.add(shape);
        if let Some(reply) = refused {
            published.refused = Some(code_of(reply));
        }
    }

    /// Records how somebody has connected: with which keys, and no values.
    pub fn connected<'a>(
        &self,
        namespace: &str,
        path: &str,
        auth: impl Iterator<Item = &'a str>,
        query: impl Iterator<Item = &'a str>,
    ) {
        let way = Way {
            namespace: anonymous::key(namespace).into_owned(),
            path: anonymous::key(path).into_owned(),
            auth: keys(auth),
            query: keys(query),
        };
        let mut log = self.log.lock();
        let is_full = log.connections.len() >= MAX_CONNECTIONS;
        if let Some(count) = log.connections.get_mut(&way) {
            *count += 1;
        } else if !is_full {
            log.connections.insert(way, 1);
        }
    }

    /// Records that a client has asked for a namespace that the server does not have.
    pub fn refused_namespace(&self, namespace: &str) {
        let namespace = anonymous::key(namespace);
        let refused = &mut self.log.lock().refused_namespaces;
        if let Some(count) = refused.get_mut(&*namespace) {
            *count += 1;
        } else if refused.len() < MAX_CONNECTIONS {
            refused.insert(namespace.into_owned(), 1);
        }
    }

    /// What was learned.
    #[must_use]
    pub fn report(&self) -> Learned {
        let log = self.log.lock();
        let mut events: Vec<_> = log
            .events
            .iter()
            .map(|(name, event)| event.report(name))
            .collect();
        events.sort_by(|one, two| two.count.cmp(&one.count).then(one.event.cmp(&two.event)));
        Learned {
            learning: self.is_learning,
            since: self.since.to_string(),
            events,
            other_events: log.other_events,
            published: log.published.iter().map(publication).collect(),
            other_publications: log.other_publications,
            connections: log.connections.iter().map(connection).collect(),
            refused_namespaces: log.refused_namespaces.clone(),
        }
    }
}

fn keys<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<String> {
    let keys = keys
        .take(MAX_AUTH_KEYS)
        .map(|key| anonymous::key(key).into_owned());
    let mut keys: Vec<_> = keys.collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

impl Event {
    fn report(&self, name: &str) -> LearnedEvent {
        let time = |pick: fn((Timestamp, Timestamp)) -> Timestamp| {
            self.times
                .map(|times| pick(times).to_string())
                .unwrap_or_default()
        };
        let clients = self.clients.of.iter().map(|(client, count)| ClientCount {
            client: (**client).clone(),
            count: *count,
        });
        LearnedEvent {
            event: name.to_owned(),
            count: self.count,
            first: time(|(first, _)| first),
            last: time(|(_, last)| last),
            acks: self.acks,
            clients: clients.collect(),
            shapes: shapes(&self.shapes),
            other_shapes: self.shapes.others,
            outcomes: self.outcomes.of.iter().map(outcome).collect(),
        }
    }
}

fn shapes(shapes: &Counts<Vec<Shape>>) -> Vec<ShapeCount> {
    let shapes = shapes.of.iter().map(|(args, count)| ShapeCount {
        args: args.clone(),
        count: *count,
    });
    shapes.collect()
}

fn outcome((outcome, count): (&Outcome, &u64)) -> OutcomeCount {
    match outcome {
        Outcome::TakenFor(what) => OutcomeCount {
            taken_for: Some(what.clone()),
            count: *count,
            ..OutcomeCount::default()
        },
        Outcome::Refused { code, field, why } => OutcomeCount {
            code: Some((*code).to_owned()),
            field: field.clone(),
            why: why.clone(),
            count: *count,
            ..OutcomeCount::default()
        },
    }
}

fn publication(
    ((family, event_type), published): (&(String, String), &Published),
) -> LearnedPublication {
    LearnedPublication {
        family: family.clone(),
        event_type: event_type.clone(),
        count: published.count,
        shapes: shapes(&published.shapes),
        refused: published.refused.map(str::to_owned),
    }
}

fn connection((way, count): (&Way, &u64)) -> Connected {
    Connected {
        namespace: way.namespace.clone(),
        path: way.path.clone(),
        auth: way.auth.clone(),
        query: way.query.clone(),
        count: *count,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::contract::{ErrorCode, EventName};

    fn recorder() -> Recorder {
        Recorder::new(true, Timestamp::from_millis(0))
    }

    fn send(recorder: &Recorder, name: &str, argument: &str, taken: Taken<'_>) {
        let client = recorder.client(ClientDescription::new(Some("Dart/3.5"), None, "websocket"));
        let message = Message {
            name,
            arguments: Arguments::One(argument),
            wants_ack: false,
            client: &client,
        };
        recorder.message(message, taken, Timestamp::from_millis(1000));
    }

    #[test]
    fn messages_are_counted_by_name_and_shape() {
        let recorder = recorder();
        send(
            &recorder,
            "card:move",
            r#"{"cardId":"c1"}"#,
            Taken::For("task:move"),
        );
        send(
            &recorder,
            "card:move",
            r#"{"cardId":"c2"}"#,
            Taken::For("task:move"),
        );
        send(
            &recorder,
            "card:move",
            r#"{"cardId":7}"#,
            Taken::Refused(&Reply::invalid("cardId", "is bad")),
        );
        send(
            &recorder,
            "zap",
            "7",
            Taken::Refused(&EventName::unknown("zap")),
        );
        let learned = recorder.report();
        let card = &learned.events[0];
        assert_eq!((card.event.as_str(), card.count), ("card:move", 3));
        assert_eq!(card.shapes.len(), 2);
        assert_eq!(card.clients[0].client.agent, "Dart/3.5");
        assert_eq!(
            serde_json::to_value(&card.outcomes).unwrap(),
            json!([
                {"takenFor": "task:move", "count": 2},
                {"code": "validation_failed", "field": "cardId", "why": "cardId is bad", "count": 1},
            ])
        );
        assert_eq!(
            learned.events[1].outcomes[0].why.as_deref(),
            Some("there is no event \"…\"")
        );
        let text = serde_json::to_string(&learned).unwrap();
        assert_eq!(serde_json::from_str::<Learned>(&text).unwrap(), learned);
    }

    #[test]
    fn everything_has_a_bound_and_what_is_beyond_is_counted() {
        let recorder = recorder();
        let letters = |number: usize| -> String {
            let digits = number.to_string();
            digits
                .bytes()
                .map(|digit| char::from(digit - b'0' + b'a'))
                .collect()
        };
        for number in 0..2 * MAX_EVENTS {
            send(
                &recorder,
                &format!("event {}", letters(number)),
                "1",
                Taken::For("relay"),
            );
        }
        for number in 0..20 {
            let argument = json!({letters(number): 1}).to_string();
            send(
                &recorder,
                "event a",
                &argument,
                Taken::For(&letters(number)),
            );
            recorder.connected("/", &letters(number), ["x"].into_iter(), [].into_iter());
        }
        for number in 0..2 * MAX_PUBLICATIONS {
            recorder.published("user:ann", &letters(number), "{}", None);
        }
        let learned = recorder.report();
        assert_eq!(learned.events.len(), MAX_EVENTS);
        assert_eq!(learned.other_events, MAX_EVENTS as u64);
        let first = &learned.events[0];
        assert_eq!(
            (first.shapes.len(), first.other_shapes),
            (MAX_OF_A_NAME, 13)
        );
        assert_eq!(first.outcomes.len(), MAX_OF_A_NAME);
        assert_eq!(learned.published.len(), MAX_PUBLICATIONS);
        assert_eq!(learned.other_publications, MAX_PUBLICATIONS as u64);
        assert_eq!(learned.connections.len(), 20);
        for number in 0..2 * MAX_CLIENTS {
            drop(recorder.client(ClientDescription::new(Some(&letters(number)), None, "ws")));
        }
        assert_eq!(recorder.clients.lock().len(), MAX_CLIENTS);
    }

    #[test]
    fn what_a_rule_refuses_is_counted_without_its_sentence() {
        let recorder = Recorder::new(false, Timestamp::from_millis(0));
        let reply = Reply::refused(ErrorCode::Forbidden, "ann may not");
        recorder.refused_later("task:update", &reply, Timestamp::from_millis(5));
        let learned = recorder.report();
        assert_eq!(learned.events[0].count, 1);
        assert_eq!(
            serde_json::to_value(&learned.events[0].outcomes).unwrap(),
            json!([{"code": "forbidden", "count": 1}])
        );
    }

    proptest! {
        #[test]
        fn no_value_is_kept(name in "[a-z:]{1,80}", secret in "SECRET[ a-zA-Z0-9\"]{0,20}") {
            let recorder = recorder();
            let argument = json!({"a": secret, "b": [{"c": secret}]}).to_string();
            send(&recorder, &name, &argument, Taken::For("relay"));
            let quoted = Reply::invalid("a", format!("must not be {secret:?}"));
            prop_assume!(!secret.contains('"'));
            send(&recorder, &name, &argument, Taken::Refused(&quoted));
            recorder.published(&format!("user:{secret}"), "note", &argument, Some(&quoted));
            let told = serde_json::to_string(&recorder.report()).unwrap();
            prop_assert!(!told.contains("SECRET"), "{told}");
        }
    }
}

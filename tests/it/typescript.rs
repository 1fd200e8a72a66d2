//! The TypeScript declarations are made from the wire types, and are current.
//!
//! `BOARDCAST_WRITE=1 cargo nextest run -E 'test(typescript)'` writes them anew.

mod printer;

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use boardcast::contract::EventStyle;
use boardcast::contract::schema::answer::Refused;
use boardcast::contract::schema::event::{DirectAbout, WorkerMessage};
use boardcast::contract::schema::flat::{FlatClientMessage, FlatServerMessage};
use boardcast::contract::schema::http::{
    Problem, Published, Replay, Sent, SocketStats, SocketStatus,
};
use boardcast::contract::schema::metrics::WebSocketMetrics;
use boardcast::contract::schema::stream::{StreamData, StreamRevoked};
use boardcast::contract::schema::{self, ERROR, SERVER_EVENTS, client_events};
use boardcast::contract::schema::{Describe, command::Publish};
use boardcast::domain::EventType;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::Value;

const FILE: &str = "clients/typescript/src/generated.ts";
const WRITE: &str = "BOARDCAST_WRITE=1 cargo nextest run -E 'test(typescript)'";

/// What does not follow from single types.
const GENERICS: &str = include_str!("typescript/generics.d.ts");

/// Types that no event carries.
const MORE: [Describe; 14] = [
    of::<Refused>,
    of::<Problem<'static>>,
    of::<Publish>,
    of::<Published>,
    of::<Sent>,
    of::<DirectAbout<'static>>,
    of::<Replay>,
    of::<SocketStats>,
    of::<SocketStatus>,
    of::<StreamData<'static>>,
    of::<StreamRevoked>,
    of::<WebSocketMetrics>,
    of::<FlatServerMessage>,
    of::<WorkerMessage<'static>>,
];

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A member of an event map, described as its payload is.
fn member(name: &str, doc: &str, arguments: &str) -> String {
    format!(
        "{}  '{name}': ({arguments}) => void;\n",
        printer::doc(doc, "  ")
    )
}

fn declarations() -> String {
    let mut generator = schema::settings().into_generator();
    let types =
        |describe: Describe, generator: &mut SchemaGenerator| Value::from(describe(generator));
    let mut heard: Vec<(String, Value, bool)> = Vec::new();
    for event in SERVER_EVENTS {
        let name = EventStyle::Colon.name(&EventType::known(event.event_type));
        heard.push((name, types(event.payload, &mut generator), event.has_cursor));
    }
    heard.push((
        "error".to_owned(),
        types(ERROR.payload, &mut generator),
        false,
    ));
    let mut sent = Vec::new();
    for event in client_events() {
        let payload = types(event.payload, &mut generator);
        sent.push((event.name, payload, types(event.answer, &mut generator)));
    }
    for describe in MORE
        .into_iter()
        .chain([of::<FlatClientMessage> as Describe])
    {
        describe(&mut generator);
    }
    let definitions = generator.take_definitions(true);

    let described = |schema: &Value| printer::described(schema, &definitions).to_owned();
    let mut text = format!(
        "// What crosses the wire of Boardcast. Made from the types in src/contract/schema by\n\
         //   {WRITE}\n// Do not edit.\n\n"
    );
    text.push_str(
        "/** What clients hear over Socket.IO. A cursor says how far they have been told. */\n",
    );
    text.push_str("export interface ServerToClientEvents {\n");
    for (name, payload, has_cursor) in &heard {
        let cursor = if *has_cursor { ", cursor?: string" } else { "" };
        let arguments = format!("payload: {}{cursor}", printer::type_of(payload));
        text.push_str(&member(name, &described(payload), &arguments));
    }
    text.push_str("}\n\n/** What clients may say over Socket.IO. */\n");
    text.push_str("export interface ClientToServerEvents {\n");
    for (name, payload, answer) in &sent {
        let [payload_type, answer_type] = [payload, answer].map(printer::type_of);
        let arguments = format!("payload: {payload_type}, ack?: Ack<{answer_type}>");
        text.push_str(&member(name, "", &arguments));
    }
    text.push_str("}\n\n");
    text.push_str(GENERICS);
    for (name, definition) in &definitions {
        write!(text, "\n{}", printer::declaration(name, definition)).expect("text takes text");
    }
    text
}

#[test]
fn typescript_declarations_are_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let made = declarations();
    if env::var_os("BOARDCAST_WRITE").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    assert!(there == made, "{FILE} is not current; run: {WRITE}");
}

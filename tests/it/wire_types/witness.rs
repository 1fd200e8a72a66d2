//! Looks at everything that crosses the wire, and remembers what it has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use boardcast::contract::schema::answer::Refused;
use boardcast::contract::schema::{
    self, ClientEvent, Describe, ERROR, SERVER_EVENTS, ServerEvent, client_event, client_events,
};
use boardcast::contract::{ErrorCode, EventStyle};
use boardcast::domain::EventType;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::support::client::{Client, Received};

/// The definitions of all types that events carry.
pub(super) fn definitions() -> Value {
    let mut generator = schema::settings().into_generator();
    generator.subschema_for::<ErrorCode>();
    generator.subschema_for::<Refused>();
    for event in SERVER_EVENTS.iter().chain([&ERROR]) {
        (event.payload)(&mut generator);
    }
    for event in client_events() {
        (event.payload)(&mut generator);
        (event.answer)(&mut generator);
    }
    generator.take_definitions(true).into()
}

/// See the module.
pub(super) struct Witness {
    refused: Validator,
    heard: BTreeMap<String, (ServerEvent, Validator)>,
    sent: BTreeMap<&'static str, (Validator, Validator)>,
    seen: Mutex<BTreeSet<String>>,
}

impl Witness {
    pub(super) fn of(style: EventStyle) -> Self {
        let definitions = definitions();
        let spelled = SERVER_EVENTS.into_iter().map(|event| {
            let name = style.name(&EventType::known(event.event_type));
            (name, event)
        });
        let heard = spelled.chain([("error".to_owned(), ERROR)]);
        let heard = heard.map(|(name, event)| {
            let payload = validator(event.payload, &definitions);
            (name, (event, payload))
        });
        let sent = client_events().map(|event: ClientEvent| {
            let of = |describe| validator(describe, &definitions);
            (event.name, (of(event.payload), of(event.answer)))
        });
        Self {
            refused: validator(schema_of_refused, &definitions),
            heard: heard.collect(),
            sent: sent.collect(),
            seen: Mutex::default(),
        }
    }

    /// Sends an event as its type says, and looks at the answer.
    pub(super) async fn call(&self, client: &Client, name: &'static str, payload: Value) -> Value {
        let (payloads, _) = &self.sent[name];
        check(payloads, &payload, &format!("payload of {name}"));
        let answer = client.call(name, payload).await;
        self.answered(name, &answer);
        answer
    }

    /// Looks at an answer to an event, however that is spelled.
    pub(super) fn answered(&self, name: &str, answer: &Value) {
        if answer["ok"] == false {
            return check(&self.refused, answer, &format!("refusal of {name}"));
        }
        let event = client_event(name).unwrap_or_else(|| panic!("{name} is answered: {answer}"));
        let (_, answers) = &self.sent[event.name];
        check(answers, answer, &format!("answer to {name}"));
        self.note(event.name.to_owned());
    }

    /// Looks at an event.
    pub(super) fn hear(&self, event: &Received) {
        let Received { name, args, .. } = event;
        let (known, payloads) = self
            .heard
            .get(name)
            .unwrap_or_else(|| panic!("an event that no type describes: {event:?}"));
        check(payloads, &args[0], &format!("payload of {name}"));
        match &args[1..] {
            [] => {}
            [Value::String(_)] => assert!(known.has_cursor, "{event:?}"),
            _ => panic!("more arguments than types say: {event:?}"),
        }
        self.note(format!("heard {}", known.event_type));
    }

    /// Takes events up to one of this name, and looks at all of them.
    pub(super) async fn until(&self, client: &Client, name: &str) {
        loop {
            let event = client.next().await;
            self.hear(&event);
            if event.name == name {
                return;
            }
        }
    }

    /// Takes signals up to one of this name, and looks at all of them.
    pub(super) async fn until_signal(&self, client: &Client, name: &str) {
        loop {
            let signal = client.next_signal().await;
            self.hear(&signal);
            if signal.name == name {
                return;
            }
        }
    }

    /// Events that can be sent and were never answered, and events that can be heard and never were.
    pub(super) fn missed(&self) -> Vec<String> {
        let sent = self.sent.keys().map(|name| (*name).to_owned());
        let heard = self.heard.values();
        let heard = heard.map(|(event, _)| format!("heard {}", event.event_type));
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let all = sent.chain(heard);
        all.filter(|what| !seen.contains(what)).collect()
    }

    fn note(&self, what: String) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert(what);
    }
}

fn schema_of_refused(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    generator.subschema_for::<Refused>()
}

fn validator(describe: Describe, definitions: &Value) -> Validator {
    let mut schema: Value = describe(&mut schema::settings().into_generator()).into();
    schema["$defs"] = definitions.clone();
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    options
        .build(&schema)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn check(validator: &Validator, value: &Value, what: &str) {
    let wrong: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{} ({})", error, error.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{what}: {wrong:?} in {value}");
}

/// A witness is shown to be one: it does not take anything.
#[test]
fn what_no_type_describes_is_noticed() {
    let witness = Witness::of(EventStyle::Colon);
    let refusal = json!({"ok": false, "success": false, "code": "nonsense", "retryable": false, "error": "x"});
    let wrong = [
        ("task:create", refusal),
        ("task:create", json!({"ok": true, "success": true})),
        (
            "join:project",
            json!({"ok": true, "success": true, "room": 1}),
        ),
    ];
    for (name, answer) in wrong {
        let looked = catch_unwind(AssertUnwindSafe(|| witness.answered(name, &answer)));
        assert!(looked.is_err(), "{answer}");
    }
}

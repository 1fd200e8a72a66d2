//! Ok means understood: whatever a create or an update carries, the answer, the event, the snapshot and a later read say the
//! same of every field that was sent, or the answer names what was not taken.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::support::chance::Chance;
use crate::support::client::Client;
use crate::support::rest::Rest;
use crate::support::server::{KINDS, Server, UNLIMITED};

const COMMANDS: usize = 600;

/// Fields, by the names under which they are sent and kept.
const FIELDS: [(&str, &str); 12] = [
    ("title", "title"),
    ("description", "description"),
    ("status", "status"),
    ("priority", "priority"),
    ("due_date", "dueDate"),
    ("storyPoints", "storyPoints"),
    ("tags", "tags"),
    ("weather", "weather"),
    ("custom_field", "custom_field"),
    ("position", "position"),
    ("metadata", "metadata"),
    ("columnId", "columnId"),
];
/// Fields beside which a wrapper's name is a field.
const USUAL: [&str; 9] = [
    "title",
    "description",
    "status",
    "priority",
    "due_date",
    "storyPoints",
    "tags",
    "position",
    "columnId",
];
const WRAPPERS: [&str; 8] = [
    "data",
    "updates",
    "changes",
    "patch",
    "fields",
    "payload",
    "updatedData",
    "newData",
];
/// Control and the server's own word: what is sent under these is obeyed, or named as ignored.
const OTHERS: [(&str, &str); 8] = [
    ("createdAt", "createdAt"),
    ("updated_by", "updatedBy"),
    ("rank", "rank"),
    ("seq", "seq"),
    ("requestId", "requestId"),
    ("deletedAt", "deletedAt"),
    ("cursor", "cursor"),
    ("created_by", "createdBy"),
];

/// Draws payloads.
struct Draw(Chance);

impl Draw {
    fn value(&mut self, depth: usize) -> Value {
        match self.0.below(if depth == 0 { 7 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.0.below(2) == 0),
            2 => json!(self.0.below(100)),
            3 => json!(-1.5 * f64::from(u8::try_from(self.0.below(100)).unwrap())),
            4 => json!(65_536 * self.0.below(100)),
            5 | 6 => json!(["", "x", "todo", "zwei Wörter", "0|hzzzzz:"][self.0.below(5)]),
            7 => (0..self.0.below(3))
                .map(|_| self.value(depth - 1))
                .collect(),
            _ => self.object(depth - 1).into(),
        }
    }

    fn object(&mut self, depth: usize) -> Map<String, Value> {
        let keys = (0..self.0.below(4))
            .map(|_| FIELDS[self.0.below(FIELDS.len())].0)
            .collect::<Vec<_>>();
        keys.into_iter()
            .map(|key| (key.to_owned(), self.value(depth)))
            .collect()
    }

    fn payload(&mut self) -> Map<String, Value> {
        let mut payload = self.object(2);
        for _ in 0..self.0.below(3) {
            let name = *self.0.pick(&WRAPPERS);
            let value = if self.0.below(4) == 0 {
                self.value(1)
            } else {
                self.object(1).into()
            };
            payload.insert(name.to_owned(), value);
        }
        for _ in 0..self.0.below(2) {
            let (key, _) = *self.0.pick(&OTHERS);
            payload.insert(key.to_owned(), self.value(1));
        }
        payload
    }
}

/// What was sent, by the names under which it is kept: beside usual fields a wrapper's name is a field.
fn meant(payload: &Map<String, Value>, known: &Value) -> Vec<(String, Value)> {
    let is_field = payload.keys().any(|key| USUAL.contains(&key.as_str()));
    let mut all = Vec::new();
    let mut wrapper = None;
    let order = [
        "updates",
        "patch",
        "changes",
        "data",
        "fields",
        "newData",
        "payload",
        "updatedData",
    ];
    for name in order {
        if let Some(Value::Object(inside)) = payload.get(name)
            && wrapper.is_none()
            && !is_field
        {
            // Unless the entity has a field of that name.
            let stays = known.get(name).is_some();
            wrapper = Some((name, if stays { None } else { Some(inside) }));
        }
    }
    let kept = |key: &str| {
        let mut names = FIELDS.iter().chain(&OTHERS);
        let found = names.find(|(sent, _)| *sent == key);
        found.map_or(key, |(_, kept)| kept).to_owned()
    };
    if let Some((_, Some(inside))) = &wrapper {
        all.extend(inside.iter().map(|(key, value)| (kept(key), value.clone())));
    }
    for (key, value) in payload {
        match &wrapper {
            Some((name, Some(_))) if name == key => {}
            _ => {
                all.retain(|(name, _)| *name != kept(key));
                all.push((kept(key), value.clone()));
            }
        }
    }
    all
}

/// Sends commands and compares what is said of their entities.
struct Board {
    client: Client,
    rest: Rest,
    /// What was said of each entity last.
    known: HashMap<String, Value>,
}

impl Board {
    /// Sends a command; whether it was taken.
    async fn send(
        &mut self,
        (kind, verb): (&str, &str),
        id: String,
        sent: &Map<String, Value>,
    ) -> bool {
        let mut payload = sent.clone();
        payload.insert("projectId".to_owned(), json!("p"));
        payload.insert("id".to_owned(), json!(id));
        let at = format!("{kind}:{verb} {}", Value::from(payload.clone()));
        let name = format!("{kind}:{verb}");
        let answer = self.client.call(&name, payload.into()).await;
        if answer["ok"] != true {
            let is_reused = answer["code"] == "idempotency_key_reused";
            assert!(is_reused || answer["field"].is_string(), "{at}: {answer}");
            return false;
        }
        if answer["duplicate"] == true {
            return false;
        }
        let before = match verb {
            "create" => &Value::Null,
            _ => self.known.get(&id).unwrap_or(&Value::Null),
        };
        for (name, value) in meant(sent, before) {
            let agrees = answer["data"].get(&name) == Some(&value);
            let is_key = name == "requestId";
            assert!(
                agrees || is_key || ignores(&answer, &name),
                "{name} of {at}: {answer}"
            );
        }
        self.hear(kind, &answer, &at).await;
        let read = self.rest.get(&format!("/projects/p/{kind}s/{id}")).await;
        assert_eq!(read.json(), answer["data"], "{at}");
        self.known.insert(id, answer["data"].clone());
        true
    }

    /// Hears the events of a command.
    async fn hear(&self, kind: &str, answer: &Value, at: &str) {
        let state = &answer["data"];
        loop {
            let event = self.client.next().await;
            let payload = &event.args[0];
            if payload["id"] == state["id"] && event.name.starts_with(kind) {
                for (name, value) in state.as_object().unwrap() {
                    assert_eq!(&payload[name], value, "{name} in {} of {at}", event.name);
                }
            }
            if event.seq() == answer["seq"] {
                return;
            }
        }
    }
}

/// Whether an answer says that what was sent under a name was not taken.
fn ignores(answer: &Value, name: &str) -> bool {
    let names = answer["ignored"].as_array().into_iter().flatten();
    let mut names = names.filter_map(Value::as_str);
    names.any(|key| {
        let is_spelling = |(sent, kept): &(&str, &str)| *sent == key && *kept == name;
        key == name || OTHERS.iter().any(is_spelling)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn ok_means_that_answer_event_snapshot_and_read_agree() {
    let mut draw = Draw(Chance::from_seed());
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("it.db").display());
    let server = Server::start_with(&url, &[&UNLIMITED[..], &[KINDS]].concat()).await;
    let mut board = Board {
        client: Client::connect(&server.address).await,
        rest: Rest::new(&server.address),
        known: HashMap::new(),
    };
    board.client.join("p").await;
    let mut taken = 0;
    for no in 0..COMMANDS {
        let kind = *draw
            .0
            .pick(&["task", "epic", "sprint", "comment", "subtask"]);
        let verb = *draw.0.pick(&["create", "update"]);
        let no = if verb == "create" {
            no
        } else {
            draw.0.below(no + 1)
        };
        let sent = draw.payload();
        let is_taken = board
            .send((kind, verb), format!("{kind}-{no}"), &sent)
            .await;
        taken += usize::from(is_taken);
    }
    assert!(taken > COMMANDS / 2, "{taken}");
    let project = json!({"projectId": "p"});
    let snapshot = board.client.call("project:snapshot", project).await;
    let kinds = ["tasks", "epics", "sprints", "comments", "subtasks"].into_iter();
    let entities = kinds.flat_map(|kind| snapshot[kind].as_array().unwrap());
    let seen = entities
        .inspect(|entity| assert_eq!(&board.known[entity["id"].as_str().unwrap()], *entity));
    let more = snapshot["more"]["comments"].as_u64().unwrap_or(0);
    assert_eq!(seen.count() as u64 + more, board.known.len() as u64);
}

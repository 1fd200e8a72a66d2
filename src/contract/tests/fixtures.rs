//! Every spelling of a payload in `fixtures/payloads` against the normaliser and the rules, without a server: what the
//! files expect of a real one is right before there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use super::*;
use crate::domain::{
    Actor, ChannelNo, Context, Epoch, EventType, Fields, ProjectId, Timestamp, World, apply,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fixture {
    name: String,
    #[serde(rename = "description")]
    _description: String,
    projects: Vec<Value>,
    #[serde(default)]
    event_style: Option<String>,
    #[serde(default = "yes")]
    joined: bool,
    steps: Vec<Step>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    emit: Value,
    ack: Value,
    events: Vec<Expected>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    name: String,
    payload: Value,
}

/// A server in which everything happens at once: one client, no I/O.
#[derive(Default)]
struct DryServer {
    style: EventStyle,
    worlds: BTreeMap<ProjectId, World>,
    logs: BTreeMap<ProjectId, Vec<(EventType, Value)>>,
    joined: BTreeSet<ProjectId>,
    answers: BTreeMap<(ProjectId, String), (i64, String)>,
    delivered: Vec<(String, Value)>,
}

const CHANNEL: ChannelNo = ChannelNo(1);

pub(super) fn epoch() -> Epoch {
    Epoch::restore("abc123".to_owned(), &"5e".repeat(32)).expect("this is a key")
}

impl DryServer {
    fn handle(&mut self, arguments: &Value) -> Reply {
        match parsed(arguments) {
            Ok(Request::Command(request)) => self.command(*request).unwrap_or_else(|reply| reply),
            Ok(Request::Join(join)) => self.join(join),
            Ok(Request::Leave { project }) => {
                self.joined.remove(&project);
                Reply::done(Fields::new())
            }
            Ok(Request::Read(
                ReadRequest::Snapshot { project, .. } | ReadRequest::Sync { project, .. },
            )) => self.standing(&project),
            Ok(
                Request::Refresh { .. }
                | Request::Subscribe(_)
                | Request::Unsubscribe { .. }
                | Request::Publish(_)
                | Request::ToWorker(_)
                | Request::Relay(_)
                | Request::Bulk(_)
                | Request::Read(ReadRequest::Replay { .. } | ReadRequest::List(_)),
            ) => Reply::done(Fields::new()),
            Ok(Request::Signal(signal)) => self.signal(&signal),
            Err(reply) => reply,
        }
    }

    fn standing(&self, project: &ProjectId) -> Reply {
        let seq = self.worlds.get(project).map_or(0, World::seq);
        let cursor = Cursor::single(epoch(), CHANNEL, seq).to_string();
        let extra = json!({"room": project.channel().as_str(), "seq": seq, "cursor": cursor});
        Reply::done(extra.as_object().unwrap().clone())
    }

    fn join(&mut self, join: Join) -> Reply {
        let since = match join.since {
            Some(Since::Seq(seq)) => Some(seq),
            Some(Since::Cursor(text)) => {
                Cursor::parse(&text, &epoch()).unwrap().get(&CHANNEL.into())
            }
            None => None,
        };
        let missed = since.and_then(|since| {
            self.logs
                .get(&join.project)?
                .get(usize::try_from(since).ok()?..)
        });
        let missed = missed.unwrap_or_default().iter();
        let style = self.style;
        self.delivered
            .extend(missed.map(|(event, payload)| (style.name(event), payload.clone())));
        self.joined.insert(join.project.clone());
        self.standing(&join.project)
    }

    /// Its sender does not hear it.
    fn signal(&self, signal: &SignalRequest) -> Reply {
        let joined = match &signal.project {
            Some(project) => self.joined.contains(project),
            None => self.joined.len() == 1,
        };
        if joined {
            Reply::done(Fields::new())
        } else {
            Reply::invalid("projectId", "is missing")
        }
    }

    fn command(&mut self, request: CommandRequest) -> Result<Reply, Reply> {
        let project = self.project_of(&request)?;
        let Some(key) = request.key.clone() else {
            return self.run(request, &project);
        };
        let key = (project.clone(), key);
        match self.answers.get(&key) {
            Some((fingerprint, _)) if *fingerprint != request.fingerprint() => {
                Err(Reply::refused(ErrorCode::IdempotencyKeyReused, "reused"))
            }
            Some((_, stored)) => Ok(Reply::duplicate_of(stored).unwrap()),
            None => {
                let fingerprint = request.fingerprint();
                let reply = self.run(request, &project).unwrap_or_else(|reply| reply);
                let stored = reply.to_raw().get().to_owned();
                self.answers.insert(key, (fingerprint, stored));
                Ok(reply)
            }
        }
    }

    fn run(&mut self, request: CommandRequest, project: &ProjectId) -> Result<Reply, Reply> {
        let command = request.into_command(project.clone());
        let (kind, id) = command.subject();
        let has_it = |other: &&ProjectId| {
            let task = self
                .worlds
                .get(*other)
                .and_then(|world| world.get(kind, id));
            *other != project && task.is_some_and(|task| task.deleted.is_none())
        };
        let elsewhere = self.joined.iter().find(has_it).cloned();
        let looked_for = command.may_be_elsewhere();
        let world = self
            .worlds
            .entry(project.clone())
            .or_insert_with(|| World::new(project.clone(), 0));
        world.load_elsewhere(elsewhere.filter(|_| looked_for));
        let cx = Context {
            project: command.project.clone(),
            founder: None,
            actor: Actor::new("anonymous:dry"),
            now: Timestamp::from_millis(1_700_000_000_000),
            strict: false,
        };
        let changes =
            apply(world, &command, &cx).map_err(|refusal| Reply::from_refusal(&refusal))?;
        for (seq, draft) in (world.seq() + 1..).zip(&changes.events) {
            let payload: Value =
                serde_json::from_str(payload::event(draft, &command.echo, seq).get()).unwrap();
            // Whoever makes a project hears of it.
            let is_told = draft.event_type.as_str() == "project.created";
            if is_told || self.joined.contains(project) {
                self.delivered
                    .push((self.style.name(&draft.event_type), payload.clone()));
            }
            let log = self.logs.entry(project.clone()).or_default();
            log.push((draft.event_type.clone(), payload));
        }
        world.accept(&changes);
        let ignored = payload::ignored(&command, &changes.subject);
        let reply = Reply::accepted(Accepted {
            seq: world.seq(),
            cursor: Cursor::single(epoch(), CHANNEL, world.seq()).to_string(),
            version: changes.subject.version,
            data: Arc::clone(&changes.subject),
            noop: changes.is_noop(),
            merged: changes.merged,
            pending: 0,
        });
        Ok(reply.with_ignored(ignored))
    }

    fn project_of(&self, request: &CommandRequest) -> Result<ProjectId, Reply> {
        if let Some(project) = &request.project {
            return Ok(project.clone());
        }
        let (kind, id) = request.subject();
        let mut found = self.joined.iter().filter(|project| {
            self.worlds
                .get(project)
                .is_some_and(|world| world.get(kind, id).is_some())
        });
        match (found.next(), found.next()) {
            (Some(project), None) => Ok(project.clone()),
            _ => Err(Reply::invalid("projectId", "is missing")),
        }
    }
}

/// The values bound by `$bind:NAME`.
#[derive(Default)]
struct Bindings(BTreeMap<String, Value>);

impl Bindings {
    fn fill(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match text.strip_prefix("$bind:") {
                Some(name) => self.0[name].clone(),
                None => value.clone(),
            },
            Value::Array(values) => values.iter().map(|value| self.fill(value)).collect(),
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| (key.clone(), self.fill(value)))
                .collect::<Fields>()
                .into(),
            _ => value.clone(),
        }
    }

    fn check(&mut self, expected: &Value, actual: Option<&Value>, at: &str) {
        match (expected, actual) {
            (Value::String(text), _) if text.starts_with('$') => self.check_kind(text, actual, at),
            (Value::Object(expected), Some(Value::Object(actual))) => {
                for (key, value) in expected {
                    self.check(value, actual.get(key), &format!("{at}.{key}"));
                }
            }
            (Value::Array(expected), Some(Value::Array(actual))) => {
                assert_eq!(expected.len(), actual.len(), "{at}: {actual:?}");
                for (index, value) in expected.iter().enumerate() {
                    self.check(value, actual.get(index), &format!("{at}.{index}"));
                }
            }
            _ => assert_eq!(Some(expected), actual, "{at}"),
        }
    }

    fn check_kind(&mut self, kind: &str, actual: Option<&Value>, at: &str) {
        let holds = match (kind, actual) {
            ("$absent", actual) => actual.is_none(),
            (_, None) => false,
            ("$any", _) => true,
            ("$string", Some(actual)) => actual.is_string(),
            ("$number", Some(actual)) => actual.is_number(),
            ("$uuid", Some(actual)) => actual
                .as_str()
                .is_some_and(|text| uuid::Uuid::parse_str(text).is_ok()),
            (_, Some(actual)) => {
                let name = kind
                    .strip_prefix("$bind:")
                    .unwrap_or_else(|| panic!("{at}: {kind}"));
                self.0
                    .entry(name.to_owned())
                    .or_insert_with(|| actual.clone())
                    == actual
            }
        };
        assert!(holds, "{at}: {kind} {actual:?}");
    }
}

fn run(fixture: &Fixture) {
    let mut bindings = Bindings::default();
    let mut server = DryServer {
        style: fixture
            .event_style
            .as_deref()
            .map_or(EventStyle::Colon, |style| style.parse().unwrap()),
        ..DryServer::default()
    };
    if fixture.joined {
        for project in &fixture.projects {
            assert!(server.handle(&json!(["join:project", project])).is_ok());
        }
    }
    for (index, step) in fixture.steps.iter().enumerate() {
        let at = format!("{} step {index} {}", fixture.name, step.emit);
        let emitted = bindings.fill(&step.emit);
        let reply = server.handle(&emitted);
        let answer: Value = serde_json::from_str(reply.to_raw().get()).unwrap();
        let mut events = std::mem::take(&mut server.delivered);
        if !step.ack.is_null() {
            bindings.check(&step.ack, Some(&answer), &at);
        } else if !reply.is_ok() {
            let event = reply.to_error_event(emitted[0].as_str().unwrap());
            events.push((
                "error".to_owned(),
                serde_json::from_str(event.get()).unwrap(),
            ));
        }
        let expected: Vec<_> = step.events.iter().map(|event| &event.name).collect();
        let names: Vec<_> = events.iter().map(|(name, _)| name).collect();
        assert_eq!(names, expected, "{at}: {answer}");
        for (expected, (name, payload)) in step.events.iter().zip(&events) {
            bindings.check(&expected.payload, Some(payload), &format!("{at} {name}"));
        }
    }
}

#[test]
fn every_payload_is_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/payloads");
    let mut projects = BTreeSet::new();
    let mut count = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let fixture: Fixture =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        assert_eq!(path.file_stem().unwrap(), &*fixture.name);
        for project in &fixture.projects {
            assert!(
                projects.insert(project.to_string()),
                "{project} in {path:?} is another's"
            );
        }
        run(&fixture);
        count += 1;
    }
    assert!(count > 40, "{count}");
}

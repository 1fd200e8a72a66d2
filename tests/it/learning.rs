//! What a server learns of what clients send, and what is proposed of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use boardcast::compatibility::{Facts, try_dialect};
use boardcast::learn::{Learned, Listens, propose};
use futures_util::SinkExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::client::{Client, open};
use crate::support::server::Server;
use crate::support::{eventually, http, sse};

const TOKEN: &str = "a token for tests";
/// How long an event may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// What must not be found anywhere.
const SECRET: &str = "SECRET";
/// Of a hundred listens of each frontend, so many are satisfied by the proposal as it is.
const AT_LEAST: usize = 80;

async fn server(settings: &[(&str, &str)]) -> Server {
    let all = [&[("ADMIN_TOKEN", TOKEN)], settings].concat();
    Server::start_with("sqlite::memory:", &all).await
}

async fn ask(server: &Server) -> (u16, String) {
    let head = format!(
        "GET /admin/learned HTTP/1.1\r\nHost: it\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    );
    http::request(&server.address, &head).await
}

/// What was learned, once it fulfils a condition.
async fn learned(server: &Server, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
    let mut learned = Value::Null;
    eventually(what, async || {
        let (status, body) = ask(server).await;
        assert_eq!(status, 200, "{body}");
        assert!(!body.contains(SECRET), "{body}");
        learned = serde_json::from_str(&body).unwrap();
        condition(&learned)
    })
    .await;
    learned
}

fn event<'a>(learned: &'a Value, name: &str) -> Option<&'a Value> {
    let events = learned["events"].as_array().unwrap();
    events.iter().find(|event| event["event"] == name)
}

fn boardcast(args: &[&str], settings: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_boardcast"))
        .args(args)
        .env_clear()
        .envs(settings.iter().copied())
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_understood_is_counted_without_learning() {
    let server = server(&[]).await;
    let ann = Client::connect(&server.address).await;
    ann.join("p").await;
    let told = json!({"taskId": SECRET, "a": {"b": [SECRET]}});
    for _ in 0..2 {
        assert_eq!(ann.call("zap", told.clone()).await["code"], "unknown_event");
    }
    let title = json!({"title": SECRET, "projectId": [SECRET]});
    assert_eq!(ann.call("task:create", title).await["ok"], false);
    let created = ann.call("task:create", json!({"projectId": "p", "title": SECRET}));
    assert_eq!(created.await["ok"], true);
    let learned = learned(&server, "all is counted", |_| true).await;
    assert_eq!(learned["learning"], false);
    let zap = event(&learned, "zap").unwrap();
    assert_eq!((&zap["count"], &zap["acks"]), (&json!(2), &json!(2)));
    assert_eq!(
        zap["shapes"],
        json!([{"args": [{"taskId": "string", "a": {"b": ["string"]}}], "count": 2}])
    );
    assert_eq!(
        zap["outcomes"],
        json!([{"code": "unknown_event", "field": "event", "why": "there is no event \"…\"", "count": 2}])
    );
    assert_eq!(zap["clients"][0]["transport"], "socketio EIO=4 websocket");
    let refused = event(&learned, "task:create").unwrap();
    assert_eq!(
        (&refused["count"], &refused["outcomes"][0]["code"]),
        (&json!(1), &json!("validation_failed"))
    );
    assert!(
        event(&learned, "join:project").is_none(),
        "what is understood is not kept"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn namespace_that_there_is_not_is_counted() {
    let server = server(&[]).await;
    let mut line = open(&server.address).await;
    for namespace in ["/board", "/board", "/chat?token=x"] {
        let connect = format!("40{namespace},{{\"token\":\"{SECRET}\"}}");
        line.send(Message::text(connect)).await.unwrap();
    }
    let learned = learned(&server, "both are counted", |learned| {
        learned["refusedNamespaces"] == json!({"/board": 2, "/chat": 1})
    })
    .await;
    assert_eq!(learned["instance"].as_str().map(str::is_empty), Some(false));
    assert!(
        learned["scope"]
            .as_str()
            .unwrap()
            .contains("this instance alone")
    );
    let learned = learned.to_string();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("learned.json");
    fs::write(&file, learned).unwrap();
    let shown = boardcast(&["learn", "--from", &file.display().to_string()], &[]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("no namespace /board"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn learning_server_passes_on_what_nobody_knows_and_writes_it_down() {
    let server = server(&[("LEARN", "true")]).await;
    let auth = json!({"userId": SECRET});
    let ann = Client::connect_with(&server.address, &auth).await.unwrap();
    let bob = Client::connect(&server.address).await;
    ann.join("p").await;
    bob.join("p").await;
    ann.emit("zap", &[json!({"n": 1})]);
    let heard = bob.try_signal("zap", PATIENCE).await.expect("bob hears it");
    assert_eq!(heard.args[0], json!({"n": 1}));
    let body = json!({"channel": "user:bob", "type": "note:new", "data": {"text": SECRET}});
    let (status, answer) = sse::post(&server.address, &body.to_string()).await;
    assert_eq!(status, 201, "{answer}");
    let learned = learned(&server, "all is written down", |learned| {
        event(learned, "zap").is_some() && !learned["published"].as_array().unwrap().is_empty()
    })
    .await;
    assert_eq!(
        event(&learned, "zap").unwrap()["outcomes"][0]["takenFor"],
        "custom event"
    );
    assert_eq!(
        event(&learned, "join:project").unwrap()["outcomes"][0]["takenFor"],
        "join:project"
    );
    assert_eq!(learned["published"][0]["type"], "note:new");
    assert_eq!(learned["published"][0]["family"], "user");
    let connections = learned["connections"].as_array().unwrap();
    assert!(
        connections
            .iter()
            .any(|way| way["auth"] == json!(["userId"])),
        "{connections:?}"
    );

    let url = format!("http://{}", server.address);
    let output = boardcast(&["learn", "--url", &url], &[("ADMIN_TOKEN", TOKEN)]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("zap  1 times"), "{table}{output:?}");
    assert!(table.contains("taken for custom event"), "{table}");
    let output = boardcast(
        &["learn", "--url", &url, "--token", TOKEN, "--propose"],
        &[],
    );
    let proposal = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(proposal.contains("[on.\"zap\"]"), "{proposal}{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_is_said() {
    let server = server(&[]).await;
    let url = format!("http://{}", server.address);
    for (args, expected) in [
        (&["learn", "--url", &url][..], "--token"),
        (
            &[
                "learn",
                "--url",
                &url,
                "--token",
                "another token, a wrong one",
            ],
            "401",
        ),
        (
            &["learn", "--from", "nowhere.json"],
            "cannot read nowhere.json",
        ),
        (
            &["learn", "--url", &url, "--token", TOKEN, "--propose"],
            "nothing was learned yet",
        ),
    ] {
        let output = boardcast(args, &[]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            error.contains(expected) && output.status.code() == Some(1),
            "{args:?}: {error}"
        );
    }
}

fn frontends() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/frontends");
    let files = fs::read_dir(folder).unwrap();
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Sends what a frontend sends to a learning server.
async fn play(facts: &Facts, auth: &Value) -> Learned {
    let server = server(&[("LEARN", "true")]).await;
    let client = Client::connect_with(&server.address, auth).await.unwrap();
    let mut names = Vec::new();
    for join in &facts.joins {
        if let [Value::String(name), args @ ..] = join.as_slice() {
            names.push(name.clone());
            client.emit(name, args);
        }
    }
    for emit in &facts.emits {
        names.push(emit.event.clone());
        client.emit(&emit.event, &emit.args);
    }
    let is_all = |learned: &Value| {
        let counts = learned["events"].as_array().unwrap().iter();
        counts
            .map(|event| event["count"].as_u64().unwrap())
            .sum::<u64>()
            >= names.len() as u64
    };
    let learned = learned(&server, "all is written down", is_all).await;
    serde_json::from_value(learned).unwrap()
}

/// A frontend, and what a server has learned of it.
struct Played {
    name: String,
    facts: Facts,
    listens: Listens,
    learned: Learned,
}

impl Played {
    async fn new(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        let facts = Facts::read(path).unwrap();
        let auth = facts.connect.auth.keys();
        let auth = auth.map(|key| (key.clone(), json!("x"))).collect();
        Self {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            learned: play(&facts, &Value::Object(auth)).await,
            listens: Listens::from_facts(&text).unwrap(),
            facts,
        }
    }

    /// Proposes a dialect, which nobody looks at.
    fn propose(self, folder: &Path) -> Proposed {
        let file = folder.join(format!("{}.toml", self.name));
        fs::write(&file, propose(&self.learned, Some(&self.listens))).unwrap();
        Proposed {
            name: self.name,
            facts: self.facts,
            file,
        }
    }
}

struct Proposed {
    name: String,
    facts: Facts,
    file: PathBuf,
}

impl Proposed {
    /// How many listens of the frontend it satisfies, and how many there are.
    async fn share(self) -> (String, usize, usize) {
        match try_dialect(self.file.to_str().unwrap(), &self.facts).await {
            Ok(report) => (self.name, report.sums.satisfied, report.sums.listens),
            Err(error) => panic!("{}: {error}", self.name),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn proposals_serve_frontends_unedited() {
    let folder = tempfile::tempdir().unwrap();
    let files = frontends();
    let played = join_all(files.iter().map(|path| Played::new(path))).await;
    // A proposal looks which kinds there are, and kinds are declared for the whole process. So one comes after the other.
    let proposals = played
        .into_iter()
        .map(|played| played.propose(folder.path()));
    let proposals: Vec<_> = proposals.collect();
    let tries = proposals.into_iter().map(Proposed::share);
    let mut shares = join_all(tries).await;
    shares.sort_unstable();
    assert!(shares.len() >= 13);
    let is_good = |(_, satisfied, all): &(String, usize, usize)| satisfied * 100 >= all * AT_LEAST;
    assert!(shares.iter().all(is_good), "{shares:#?}");
    eprintln!("{shares:#?}");
}

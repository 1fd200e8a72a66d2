//! A large state: as a stream that is byte for byte what a small one is, as lines, and to a client that does not read.

use std::fmt::Write as _;
use std::io::Read as _;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;

use crate::support::eventually;
use crate::support::postgres::Postgres;
use crate::support::rest::Rest;
use crate::support::server::{KINDS, Server, UNLIMITED};

/// Fills a project: some of everything, so many tasks, and of comments more than a state has.
async fn fill(rest: &Rest, tasks: usize) {
    rest.post("/projects", &json!({"id": "p", "title": "P"}))
        .await
        .expect(201);
    let mut lines = String::new();
    let mut item = |item: Value| writeln!(lines, "{item}").unwrap();
    for id in 0..3 {
        item(json!({"kind": "epic", "id": format!("e{id}"), "title": "É\n"}));
        item(json!({"kind": "sprint", "id": id, "title": "\"S\""}));
        item(json!({"kind": "note", "id": format!("n{id}"), "taskId": "t1"}));
    }
    for id in 0..tasks {
        item(
            json!({"kind": "task", "id": format!("t{id}"), "title": format!("Task {id}"), "text": "ü".repeat(100)}),
        );
    }
    for id in 0..25 {
        item(json!({"kind": "comment", "id": format!("c{id}"), "taskId": "t1", "text": "well"}));
    }
    import(rest, &lines).await;
}

async fn import(rest: &Rest, lines: &str) {
    let rest = rest.with("Content-Type", "application/x-ndjson");
    let imported = rest.send("POST", "/projects/p/import", Some(lines)).await;
    let imported = imported.text();
    assert!(imported.contains("\"refused\":0"), "{imported}");
}

fn unpacked(bytes: &[u8]) -> String {
    let mut text = String::new();
    let read = GzDecoder::new(bytes).read_to_string(&mut text);
    read.unwrap();
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_what_a_small_state_is_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    stream(&format!(
        "sqlite://{}",
        folder.path().join("it.db").display()
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_what_a_small_state_is_on_postgres() {
    let postgres = Postgres::start();
    stream(&postgres.create_database().await).await;
}

async fn stream(url: &str) {
    let start = async |bytes| {
        let settings = [&UNLIMITED[..], &[KINDS, ("SNAPSHOT_PAGE_BYTES", bytes)]].concat();
        Server::start_with(url, &settings).await
    };
    let mut server = start("67108864").await;
    let rest = Rest::new(&server.address);
    fill(&rest, 1500).await;
    rest.delete("/projects/p/tasks/t7").await.expect(200);
    let whole = rest.get("/projects/p/snapshot").await;
    assert!(whole.header("content-length").is_some());
    server.kill().await;

    let server = start("1024").await;
    let rest = Rest::new(&server.address);
    let streamed = rest.get("/projects/p/snapshot").await;
    assert_eq!(streamed.header("content-length"), None);
    assert_eq!(
        streamed.header("content-type"),
        whole.header("content-type")
    );
    assert_eq!(streamed.text(), whole.text());
    let packed = rest.with("Accept-Encoding", "gzip");
    let packed = packed.get("/projects/p/snapshot").await;
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert_eq!(unpacked(&packed.bytes), streamed.text());
    let whole = whole.json();
    assert_eq!(whole["tasks"].as_array().unwrap().len(), 1499);
    assert_eq!(whole["more"], json!({"comments": 5}));
    lines(&rest, &whole).await;

    rest.get("/projects/nowhere/snapshot").await.expect(200);
    rest.get("/projects/p/snapshot?page=7b7d")
        .await
        .problem(422, "validation_failed");
}

/// The state as lines has the entities of the whole one.
async fn lines(rest: &Rest, whole: &Value) {
    let lines = rest
        .with("Accept", "application/x-ndjson")
        .get("/projects/p/snapshot")
        .await;
    assert_eq!(lines.header("content-type"), Some("application/x-ndjson"));
    let text = lines.text();
    let mut lines = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let head = lines.next().unwrap();
    assert_eq!(
        (&head["seq"], &head["more"]),
        (&whole["seq"], &whole["more"])
    );
    let lines: Vec<_> = lines.collect();
    let (end, entities) = lines.split_last().unwrap();
    assert_eq!(*end, json!({"done": true, "entities": entities.len()}));
    for (kind, list) in [
        ("epic", "epics"),
        ("sprint", "sprints"),
        ("task", "tasks"),
        ("comment", "comments"),
        ("note", "notes"),
    ] {
        let of_kind = entities.iter().filter_map(|line| line.get(kind)).cloned();
        assert_eq!(Value::Array(of_kind.collect()), whole[list], "{list}");
    }
    assert_eq!(entities[0]["project"], whole["project"]);
}

/// Clients that ask for a large state and do not read it: what waits for them is bounded, others are served meanwhile, and they
/// are cut off.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_read_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("it.db").display());
    let server = Server::start_with(&url, &UNLIMITED).await;
    let rest = Rest::new(&server.address);
    fill_large(&rest).await;
    let mut stuck = Vec::new();
    for _ in 0..2 {
        let mut stream = rest.begin("GET", "/projects/p/snapshot", None).await;
        stream.read_exact(&mut [0; 64]).await.unwrap();
        stuck.push(stream);
    }
    for id in 0..20 {
        rest.post("/projects/p/tasks", &json!({"id": format!("new{id}")}))
            .await
            .expect(201);
    }
    rest.get("/projects/p/snapshot")
        .await
        .problem(503, "unavailable");
    server.tells("does not take a state in time").await;
    // Their places are free again.
    let free = async || rest.get("/projects/p/snapshot").await.status == 200;
    eventually("a state is read again", free).await;
    drop(stuck);
}

/// More than the kernel takes for a client that does not read.
async fn fill_large(rest: &Rest) {
    let text = "-".repeat(30_000);
    let mut lines = String::new();
    for id in 0..600 {
        writeln!(
            lines,
            "{}",
            json!({"kind": "task", "id": format!("t{id}"), "text": text})
        )
        .unwrap();
    }
    import(rest, &lines).await;
}

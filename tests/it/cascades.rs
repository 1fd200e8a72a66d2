//! Commands with many consequences: one logical change, whatever is killed in between, and others go on meanwhile.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::{Server, UNLIMITED};

/// More than a few steps, and not so many that the last step is over before a test has said a word.
const MANY: usize = 2_500;
/// What one command changes itself.
const STEP: usize = 200;

/// Runs a test once on each database.
macro_rules! both_databases {
    (async fn $name:ident($server:ident: &mut Server) $body:block) => {
        mod $name {
            use super::*;

            async fn run($server: &mut Server) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                let folder = tempfile::tempdir().unwrap();
                run(&mut Server::on_file_unlimited(folder.path()).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                let postgres = Postgres::start();
                run(&mut Server::start_with(&postgres.create_database().await, &UNLIMITED).await).await;
            }
        }
    };
}

async fn accepted(client: &Client, name: &str, payload: Value) -> Value {
    let ack = client.call(name, payload).await;
    assert_eq!(ack["ok"], true, "{name}: {ack}");
    ack
}

/// Makes so many tasks with these fields, `t0000` to the last one.
async fn fill(client: &Client, count: usize, fields: &Value) {
    let mut answers = Vec::new();
    for n in 0..count {
        let mut task = json!({"projectId": "p", "taskId": format!("t{n:04}")});
        let fields = fields.as_object().unwrap().clone();
        task.as_object_mut().unwrap().extend(fields);
        answers.push(client.ask("task:create", &[task]));
    }
    for answer in answers {
        let answer = answer.await.unwrap();
        assert_eq!(answer["ok"], true, "{answer}");
    }
}

async fn over(server: &Server) {
    server
        .health_becomes("no cascade is under way", |health| {
            health["writer"]["cascades"] == 0
        })
        .await;
}

/// The whole log of the project, whose seqs have no gap.
async fn log(client: &Client) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    loop {
        let since = json!({"projectId": "p", "since": events.len()});
        let page = accepted(client, "project:sync", since).await;
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        if page["hasMore"] != true {
            break;
        }
    }
    for (seq, event) in (1..).zip(&events) {
        assert_eq!(event["seq"], json!(seq));
    }
    events
}

/// How often each task has an event of this name after a seq; each has the same author.
fn counted(log: &[Value], name: &str, after: &Value) -> BTreeMap<String, usize> {
    let after = after.as_i64().unwrap();
    let mut counts = BTreeMap::new();
    let later = log
        .iter()
        .filter(|event| event["seq"].as_i64().unwrap() > after);
    for event in later.filter(|event| event["event"] == name) {
        let id = event["payload"]["id"].as_str().unwrap();
        *counts.entry(id.to_owned()).or_default() += 1;
    }
    counts
}

/// The seq of the one event of this name.
fn seq_of(log: &[Value], name: &str) -> Value {
    let mut found = log.iter().filter(|event| event["event"] == name);
    let seq = found.next().expect("it is in the log")["seq"].clone();
    assert_eq!(found.next(), None, "{name} happened once");
    seq
}

/// Of every task: what a field of it says, by the snapshot; and what the log says must be the same.
async fn states(client: &Client, log: &[Value], field: &str) -> BTreeMap<String, Value> {
    let snapshot = accepted(client, "project:snapshot", json!("p")).await;
    let tasks = snapshot["tasks"].as_array().unwrap();
    let mut replayed = BTreeMap::new();
    for event in log {
        let payload = &event["payload"];
        if payload["taskId"].is_string() {
            replayed.insert(payload["id"].as_str().unwrap(), payload);
        }
    }
    let state = |task: &Value| {
        let id = task["id"].as_str().unwrap();
        let last = replayed[id];
        assert_eq!(
            (&last[field], &last["version"]),
            (&task[field], &task["version"])
        );
        (id.to_owned(), task[field].clone())
    };
    tasks.iter().map(state).collect()
}

both_databases! {
    async fn a_small_cascade_is_one_commit_in_the_order_of_the_cards(server: &mut Server) {
        let client = Client::connect(&server.address).await;
        fill(&client, STEP, &json!({"epicId": "e"})).await;
        accepted(&client, "task:move", json!({"projectId": "p", "taskId": "t0009", "position": 0})).await;
        let ack = accepted(&client, "epic:delete", json!({"projectId": "p", "epicId": "e"})).await;
        assert_eq!(ack["pending"], Value::Null, "{ack}");
        let log = log(&client).await;
        let deleted = seq_of(&log, "epic:deleted").as_u64().unwrap();
        assert_eq!(ack["seq"], json!(deleted + STEP as u64));
        let at = usize::try_from(deleted).unwrap();
        let ids: Vec<_> = log[at..].iter().map(|event| event["payload"]["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), STEP);
        assert_eq!(ids[..3], ["t0009", "t0000", "t0001"]);
        assert!(log[at..].iter().all(|event| event["event"] == "task:updated"));
    }
}

both_databases! {
    async fn a_large_cascade_is_acked_at_once_and_changes_each_task_once(server: &mut Server) {
        let client = Client::connect(&server.address).await;
        fill(&client, MANY, &json!({"epicId": "e"})).await;
        let delete = json!({"projectId": "p", "epicId": "e", "idempotencyKey": "k"});
        let ack = accepted(&client, "epic:delete", delete.clone()).await;
        assert_eq!(ack["pending"], json!(MANY - STEP), "{ack}");
        // In the middle: the first answer again, and no second effect. Nor has another delete one.
        let again = accepted(&client, "epic:delete", delete.clone()).await;
        assert_eq!((&again["seq"], &again["pending"]), (&ack["seq"], &ack["pending"]));
        assert_eq!(again["duplicate"], true);
        let other = accepted(&client, "epic:delete", json!({"projectId": "p", "epicId": "e"})).await;
        assert_eq!(other["noop"], true);
        let middle = server.health().await;
        assert!(middle["writer"]["cascade_tasks"].as_u64().unwrap() > 0, "others were answered in between: {middle}");
        over(server).await;
        let log = log(&client).await;
        let updated = counted(&log, "task:updated", &seq_of(&log, "epic:deleted"));
        assert_eq!(updated.len(), MANY);
        assert!(updated.values().all(|&times| times == 1));
        let states = states(&client, &log, "epicId").await;
        assert!(states.values().all(Value::is_null));
        let last = accepted(&client, "epic:delete", delete).await;
        assert_eq!((&last["seq"], &last["duplicate"]), (&ack["seq"], &json!(true)));
    }
}

both_databases! {
    async fn a_cascade_that_is_killed_in_the_middle_goes_on(server: &mut Server) {
        let client = Client::connect(&server.address).await;
        fill(&client, MANY, &json!({"sprintId": "s", "status": "todo"})).await;
        accepted(&client, "sprint:start", json!({"projectId": "p", "sprintId": "s"})).await;
        let complete = json!({"projectId": "p", "sprintId": "s", "moveTo": "next", "idempotencyKey": "k"});
        let ack = accepted(&client, "sprint:complete", complete.clone()).await;
        assert_eq!(ack["pending"], json!(MANY - STEP), "{ack}");
        for round in 0..3 {
            server.kill().await;
            server.restart().await;
            let left = |health: &Value| health["writer"]["cascade_tasks"].as_u64().unwrap();
            let most = u64::try_from(MANY - (round + 2) * STEP).unwrap();
            server.health_becomes("the cascade goes on", |health| (1..=most).contains(&left(health))).await;
        }
        let client = Client::connect(&server.address).await;
        let again = accepted(&client, "sprint:complete", complete).await;
        assert_eq!((&again["seq"], &again["duplicate"]), (&ack["seq"], &json!(true)));
        over(server).await;
        let log = log(&client).await;
        let moved = counted(&log, "task:moved", &seq_of(&log, "sprint:completed"));
        assert_eq!(moved.len(), MANY);
        assert!(moved.values().all(|&times| times == 1));
        let states = states(&client, &log, "sprintId").await;
        assert!(states.values().all(|sprint| sprint == "next"));
    }
}

both_databases! {
    async fn what_is_done_meanwhile_counts(server: &mut Server) {
        let client = Client::connect(&server.address).await;
        fill(&client, MANY, &json!({"sprintId": "s", "status": "todo"})).await;
        accepted(&client, "sprint:create", json!({"projectId": "p", "sprintId": "t"})).await;
        let at_last = |n: usize| format!("t{:04}", MANY - n);
        let complete = json!({"projectId": "p", "sprintId": "s", "moveTo": "t"});
        let change = |id: String, fields: Value| json!({"projectId": "p", "taskId": id, "updates": fields});
        // All of it in a row, so that it arrives while tasks are on their way.
        let answers = [
            ("sprint:complete", complete.clone()),
            ("task:update", change(at_last(1), json!({"sprintId": "u"}))),
            ("task:update", change(at_last(2), json!({"status": "done"}))),
            ("task:update", change("new".to_owned(), json!({"sprintId": "s"}))),
            ("sprint:start", json!({"projectId": "p", "sprintId": "s"})),
            ("sprint:update", json!({"projectId": "p", "sprintId": "s", "updates": {"status": "planned"}})),
            ("sprint:delete", json!({"projectId": "p", "sprintId": "s"})),
            ("sprint:complete", json!({"projectId": "p", "sprintId": "t"})),
            ("sprint:complete", json!({"projectId": "p", "sprintId": "u", "moveTo": "s"})),
            ("sprint:update", json!({"projectId": "p", "sprintId": "s", "updates": {"title": "S"}})),
            ("sprint:complete", complete),
            ("sprint:delete", json!({"projectId": "p", "sprintId": "t"})),
        ]
        .map(|(name, payload)| client.ask(name, &[payload]));
        let mut codes = Vec::new();
        for answer in answers {
            let answer = answer.await.unwrap();
            codes.push(answer["code"].as_str().unwrap_or(if answer["noop"] == true { "noop" } else { "ok" }).to_owned());
        }
        let conflict = "conflict";
        assert_eq!(codes, ["ok", "ok", "ok", "ok", conflict, conflict, conflict, conflict, conflict, "ok", "noop", "ok"]);
        over(server).await;
        let log = log(&client).await;
        let states = states(&client, &log, "sprintId").await;
        assert_eq!(states[&at_last(1)], "u", "it was moved by hand");
        assert_eq!(states[&at_last(2)], "s", "it was finished in time");
        let rest = states.iter().filter(|(id, _)| **id != at_last(1) && **id != at_last(2));
        for (id, sprint) in rest {
            assert!(sprint.is_null(), "{id}: {sprint}; into no sprint, for the other one was deleted");
        }
        assert!(states.contains_key("new"));
        // It is over: nothing collides any more.
        accepted(&client, "sprint:start", json!({"projectId": "p", "sprintId": "s"})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_instance_goes_on_with_what_a_dead_one_has_begun() {
    let postgres = Postgres::start();
    let url = postgres.create_database().await;
    let mut first = Server::start_with(&url, &UNLIMITED).await;
    let second = Server::start_with(&url, &UNLIMITED).await;
    let client = Client::connect(&first.address).await;
    fill(&client, MANY, &json!({"epicId": "e"})).await;
    let watcher = Client::connect(&second.address).await;
    watcher.join("p").await;
    let delete = json!({"projectId": "p", "epicId": "e"});
    let ack = accepted(&client, "epic:delete", delete).await;
    assert_eq!(ack["pending"], json!(MANY - STEP), "{ack}");
    first.kill().await;
    let deleted = ack["seq"].as_i64().unwrap() - i64::try_from(STEP).unwrap();
    for seq in (deleted..).take(MANY + 1) {
        assert_eq!(watcher.next().await.seq(), seq);
    }
    // The first one comes back, looks around, and does nothing twice.
    first.restart().await;
    over(&first).await;
    over(&second).await;
    let log = log(&Client::connect(&first.address).await).await;
    let updated = counted(&log, "task:updated", &seq_of(&log, "epic:deleted"));
    assert_eq!(updated.len(), MANY);
    assert!(updated.values().all(|&times| times == 1));
}

/// Both are sure that nobody else works on it: each step is still another one.
#[tokio::test(flavor = "multi_thread")]
async fn two_instances_that_work_on_one_cascade_change_each_task_once() {
    let postgres = Postgres::start();
    let url = postgres.create_database().await;
    let first = Server::start_with(&url, &UNLIMITED).await;
    let client = Client::connect(&first.address).await;
    fill(&client, MANY, &json!({"epicId": "e"})).await;
    let delete = json!({"projectId": "p", "epicId": "e"});
    let ack = accepted(&client, "epic:delete", delete).await;
    assert_eq!(ack["pending"], json!(MANY - STEP), "{ack}");
    // One that starts takes over everything.
    let second = Server::start_with(&url, &UNLIMITED).await;
    over(&first).await;
    over(&second).await;
    let log = log(&client).await;
    let updated = counted(&log, "task:updated", &seq_of(&log, "epic:deleted"));
    assert_eq!(updated.len(), MANY);
    assert!(updated.values().all(|&times| times == 1));
}

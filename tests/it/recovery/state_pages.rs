//! A state that comes in pages, while others write between the pages and any instance may be asked for the next one: with the
//! events after the first page's seq it is what the database has.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::chance::Chance;
use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::server::Server;

/// A page has about ten tasks.
const SETTINGS: [(&str, &str); 4] = [
    ("SNAPSHOT_PAGE_BYTES", "4096"),
    ("REPLAY_LIMIT", "1000000"),
    ("COMMAND_RATE", "none"),
    ("READ_RATE", "none"),
];
const TASKS: usize = 120;
const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_what_follows_are_the_state_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("it.db").display());
    let server = Server::start_with(&url, &SETTINGS).await;
    let client = Client::connect(&server.address).await;
    pages(&[client]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_and_what_follows_are_the_state_on_two_instances() {
    let postgres = Postgres::start();
    let database = postgres.create_database().await;
    let one = Server::start_with(&database, &SETTINGS).await;
    let other = Server::start_with(&database, &SETTINGS).await;
    pages(&[
        Client::connect(&one.address).await,
        Client::connect(&other.address).await,
    ])
    .await;
}

async fn pages(clients: &[Client]) {
    let mut chance = Chance::from_seed();
    let writer = &clients[0];
    let mut board = Writer { made: 0 };
    for epic in 0..4 {
        command(
            writer,
            "epic:create",
            json!({"id": format!("e{epic}"), "title": "E"}),
        )
        .await;
    }
    for _ in 0..TASKS {
        board.create(writer, &mut chance).await;
    }
    for round in 0..ROUNDS {
        let first = if round % 2 == 0 {
            writer.call("project:snapshot", json!("p")).await
        } else {
            let reader = &clients[round % clients.len()];
            let join = json!({"projectId": "p", "snapshot": true});
            reader.call("join:project", join).await["snapshot"].clone()
        };
        let (seq, mut state) = (first["seq"].clone(), State::default());
        state.take(&first);
        let (mut next, mut count) = (first["nextPage"].clone(), 1);
        while !next.is_null() {
            for _ in 0..chance.below(5) {
                board.write(writer, &mut chance).await;
            }
            let asked = json!({"projectId": "p", "page": next});
            let page = chance.pick(clients).call("project:snapshot", asked).await;
            assert_eq!(page["ok"], true, "{page}");
            assert_eq!((&page["seq"], &page["cursor"]), (&seq, &first["cursor"]));
            state.take(&page);
            next = page["nextPage"].clone();
            count += 1;
        }
        assert!(count > 5, "{count} pages");
        for _ in 0..chance.below(5) {
            board.write(writer, &mut chance).await;
        }
        state.follow(writer, &first["cursor"]).await;
        assert_eq!(state, whole(writer).await, "round {round}");
    }
}

/// The state while nobody writes.
async fn whole(client: &Client) -> State {
    let (mut state, mut page) = (State::default(), Value::Null);
    loop {
        let asked = json!({"projectId": "p", "page": page});
        let part = client.call("project:snapshot", asked).await;
        state.take(&part);
        page = part["nextPage"].clone();
        if page.is_null() {
            return state;
        }
    }
}

async fn command(client: &Client, name: &str, mut payload: Value) -> Value {
    payload["projectId"] = json!("p");
    client.call(name, payload).await
}

/// Somebody who does this and that, some of which is refused.
struct Writer {
    made: usize,
}

impl Writer {
    async fn create(&mut self, client: &Client, chance: &mut Chance) {
        self.made += 1;
        let epic = format!("e{}", chance.below(4));
        let task = json!({"id": format!("t{}", self.made), "title": "Sow", "epicId": epic, "text": "-".repeat(chance.below(200))});
        command(client, "task:create", task).await;
    }

    async fn write(&mut self, client: &Client, chance: &mut Chance) {
        let some = |chance: &mut Chance, made| format!("t{}", 1 + chance.below(made));
        let (task, other) = (some(chance, self.made), some(chance, self.made));
        match chance.below(9) {
            0 | 1 => self.create(client, chance).await,
            2 | 3 => drop(
                command(
                    client,
                    "task:update",
                    json!({"taskId": task, "title": other}),
                )
                .await,
            ),
            4 => drop(
                command(
                    client,
                    "task:move",
                    json!({"taskId": task, "beforeId": other}),
                )
                .await,
            ),
            5 => drop(
                command(
                    client,
                    "task:move",
                    json!({"taskId": task, "position": chance.below(50)}),
                )
                .await,
            ),
            6 => drop(command(client, "task:delete", json!({"taskId": task})).await),
            7 => drop(command(client, "task:restore", json!({"taskId": task})).await),
            _ => {
                let epic = format!("e{}", chance.below(4));
                let name = *chance.pick(&["epic:delete", "epic:create", "epic:update"]);
                command(client, name, json!({"id": epic, "title": other})).await;
            }
        }
    }
}

/// What is in a project, by kind and id.
#[derive(Debug, Default, PartialEq)]
struct State(BTreeMap<(String, String), Value>);

impl State {
    fn put(&mut self, kind: &str, said: &Value) {
        let fields = [
            "version",
            "title",
            "rank",
            "epicId",
            "text",
            "updatedAt",
            "createdAt",
        ];
        let fields = fields.map(|field| said[field].clone());
        let id = said["id"].as_str().unwrap().to_owned();
        self.0.insert((kind.to_owned(), id), fields.to_vec().into());
    }

    /// Takes a page: what is on two pages is newer on the later one.
    fn take(&mut self, page: &Value) {
        for (list, kind) in [("epics", "epic"), ("tasks", "task")] {
            for said in page[list].as_array().unwrap() {
                self.put(kind, said);
            }
        }
    }

    async fn follow(&mut self, client: &Client, cursor: &Value) {
        let mut since = cursor.clone();
        loop {
            let asked = json!({"projectId": "p", "since": since, "limit": 500});
            let synced = client.call("project:sync", asked).await;
            assert_eq!(synced["reset"], Value::Null, "{synced}");
            for event in synced["events"].as_array().unwrap() {
                let (kind, what) = event["event"].as_str().unwrap().split_once(':').unwrap();
                let said = &event["payload"];
                if what == "deleted" {
                    let id = said["id"].as_str().unwrap().to_owned();
                    self.0.remove(&(kind.to_owned(), id));
                } else if kind != "project" {
                    self.put(kind, said);
                }
            }
            since = synced["cursor"].clone();
            if synced["hasMore"] != true {
                break;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_of_a_large_project_says_how_to_go_on() {
    let server = Server::start_with("sqlite::memory:", &SETTINGS).await;
    let client = Client::connect(&server.address).await;
    for id in 0..30 {
        command(
            &client,
            "task:create",
            json!({"id": format!("t{id}"), "text": "-".repeat(300)}),
        )
        .await;
    }
    let join = json!({"projectId": "p", "since": "1".repeat(20)});
    let joined = client.call("join:project", join).await;
    assert_eq!(joined["reset"], true, "{joined}");
    let (mut ids, mut page) = (Vec::new(), joined["snapshot"].clone());
    assert!(page["nextPage"].is_string());
    loop {
        let tasks = page["tasks"].as_array().unwrap();
        ids.extend(
            tasks
                .iter()
                .map(|task| task["id"].as_str().unwrap().to_owned()),
        );
        assert_eq!(page["project"]["id"], "p");
        if page["nextPage"].is_null() {
            break;
        }
        let asked = json!({"projectId": "p", "page": page["nextPage"]});
        page = client.call("project:snapshot", asked).await;
    }
    assert_eq!(ids, (0..30).map(|id| format!("t{id}")).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_database_is_refused() {
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let server = Server::start_with("sqlite::memory:", &SETTINGS).await;
        let client = Client::connect(&server.address).await;
        for id in 0..30 {
            command(
                &client,
                "task:create",
                json!({"id": id, "text": "-".repeat(300)}),
            )
            .await;
        }
        for page in &tokens {
            let refused = client
                .call("project:snapshot", json!({"projectId": "p", "page": page}))
                .await;
            assert_eq!(
                (&refused["code"], &refused["field"]),
                (&json!("validation_failed"), &json!("page"))
            );
        }
        let first = client.call("project:snapshot", json!("p")).await;
        tokens.push(first["nextPage"].clone());
        tokens.push(json!("7b7d"));
    }
}

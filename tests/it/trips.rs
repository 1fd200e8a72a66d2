//! What a commit costs on Postgres in round trips, and what comes of one whose answer or whose statement is lost on the way.

use serde_json::{Value, json};
use sqlx::{Connection as _, Executor as _, PgConnection};

use crate::support::client::Client;
use crate::support::eventually;
use crate::support::postgres::Postgres;
use crate::support::postgres_proxy::{Passes, PostgresProxy};
use crate::support::server::Server;

/// The project's head after [`Setup::start`].
const HEAD: i64 = 3;

struct Setup {
    proxy: PostgresProxy,
    server: Server,
    client: Client,
    /// Past the proxy.
    database: PgConnection,
}

impl Setup {
    /// A server whose writer knows project `p` and its task `t`.
    async fn start() -> Self {
        let url = Postgres::shared().create_database().await;
        let proxy = PostgresProxy::start(&url).await;
        let settings = [("DATABASE_TIMEOUT", "1s")];
        let server = Server::start_with(&proxy.url(&url), &settings).await;
        let client = Client::connect(&server.address).await;
        // Each statement is prepared once per connection, which takes a round trip of its own.
        for value in 0..2 {
            assert_eq!(client.call("task:update", change(value)).await["ok"], true);
        }
        let answer = client.call("task:update", keyed(2, "first")).await;
        assert_eq!(answer["seq"], HEAD, "{answer}");
        let again = client.call("task:update", keyed(2, "first")).await;
        assert_eq!(again["duplicate"], true, "{again}");
        assert_eq!(
            client.call("task:create", taken()).await["code"],
            "conflict"
        );
        let new = json!({"projectId": "new", "taskId": "t", "title": "x"});
        assert_eq!(client.call("task:create", new).await["ok"], true);
        Self {
            proxy,
            server,
            client,
            database: PgConnection::connect(&url).await.unwrap(),
        }
    }

    /// The answer to a command, and the round trips that it took.
    async fn counted(&self, command: &str, payload: Value) -> (Value, usize) {
        let before = self.proxy.trips();
        let answer = self.client.call(command, payload).await;
        (answer, self.proxy.trips() - before)
    }

    async fn events_of_p(&mut self) -> i64 {
        let sql =
            "SELECT count(*) FROM events JOIN channels ON no = channel_no WHERE name = 'project:p'";
        let count = sqlx::query_scalar(sql).fetch_one(&mut self.database).await;
        count.unwrap()
    }
}

fn change(value: i64) -> Value {
    json!({"projectId": "p", "taskId": "t", "updates": {"value": value}})
}

fn keyed(value: i64, key: &str) -> Value {
    json!({"projectId": "p", "taskId": "t", "updates": {"value": value}, "idempotencyKey": key})
}

/// A task under an id that another one has.
fn taken() -> Value {
    json!({"projectId": "p", "taskId": "t", "title": "another"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_on_postgres_is_one_round_trip() {
    let setup = Setup::start().await;
    for value in 10..15 {
        let (answer, trips) = setup.counted("task:update", change(value)).await;
        assert_eq!((&answer["ok"], trips), (&json!(true), 1), "{answer}");
    }
    let (answer, trips) = setup.counted("task:update", keyed(20, "k")).await;
    assert_eq!((&answer["ok"], trips), (&json!(true), 1), "{answer}");
    let (answer, trips) = setup.counted("task:create", taken()).await;
    assert_eq!(
        (&answer["code"], trips),
        (&json!("conflict"), 1),
        "{answer}"
    );
    // What is not known yet is read first.
    let new = json!({"projectId": "p", "taskId": "new", "title": "x"});
    let (answer, trips) = setup.counted("task:create", new).await;
    assert_eq!((&answer["ok"], trips), (&json!(true), 2), "{answer}");
    let new = json!({"projectId": "q", "taskId": "new", "title": "x"});
    let (answer, trips) = setup.counted("task:create", new).await;
    assert_eq!((&answer["ok"], trips), (&json!(true), 2), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_collision_the_batch_is_committed_in_two_round_trips() {
    let mut setup = Setup::start().await;
    // Another instance changes the task.
    let sql = "WITH head AS (UPDATE channels SET seq = seq + 1 WHERE name = 'project:p' RETURNING no, seq),
         task AS (UPDATE entities SET version = version + 1,
             fields = jsonb_set(fields, '{title}', '\"theirs\"') WHERE id = 't' RETURNING version)
         INSERT INTO events (channel_no, seq, id, type, payload, actor, created_at)
         SELECT no, seq, gen_random_uuid(), 'task.updated', '{}', 'them', 0 FROM head";
    setup.database.execute(sql).await.unwrap();
    let (answer, trips) = setup.counted("task:update", change(30)).await;
    assert_eq!(answer["data"]["title"], "theirs", "{answer}");
    assert_eq!(
        (&answer["seq"], &answer["version"]),
        (&json!(HEAD + 2), &json!(HEAD + 2))
    );
    assert_eq!(trips, 1 + 2, "one that collided, and two");
    let (_, trips) = setup.counted("task:update", change(31)).await;
    assert_eq!(trips, 1);

    // A key that was answered elsewhere, without an event.
    let sql = "INSERT INTO answers SELECT channel_no, 'else', fingerprint, reply, created_at FROM answers WHERE key = 'k'";
    assert_eq!(
        setup.client.call("task:update", keyed(32, "k")).await["ok"],
        true
    );
    setup.database.execute(sql).await.unwrap();
    let events = setup.events_of_p().await;
    let (answer, trips) = setup.counted("task:update", keyed(32, "else")).await;
    assert_eq!(
        (&answer["duplicate"], trips),
        (&json!(true), 1 + 2),
        "{answer}"
    );
    assert_eq!(setup.events_of_p().await, events);
}

/// It is looked for and found, and its sender hears that it was done.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_answer_is_lost_is_found() {
    let setup = Setup::start().await;
    setup.proxy.let_pass(Passes::NoAnswers);
    let answer = setup.client.ask("task:update", &[keyed(40, "lost")]);
    eventually("the answer is lost", async || setup.proxy.held() > 0).await;
    setup.proxy.let_pass(Passes::Everything);
    let answer = answer.await.unwrap();
    assert_eq!(
        (&answer["ok"], &answer["seq"]),
        (&json!(true), &json!(HEAD + 1)),
        "{answer}"
    );
    let mut again = setup.client.call("task:update", keyed(40, "lost")).await;
    assert_eq!(
        again.as_object_mut().unwrap().remove("duplicate"),
        Some(json!(true))
    );
    assert_eq!(again, answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_before_the_answer_has_done_the_command_once() {
    let mut setup = Setup::start().await;
    setup.proxy.let_pass(Passes::NoAnswers);
    let answer = setup.client.ask("task:update", &[keyed(50, "lost")]);
    eventually("the answer is lost", async || setup.proxy.held() > 0).await;
    setup.server.kill().await;
    setup.proxy.let_pass(Passes::Everything);
    assert!(answer.await.is_err(), "nobody has answered");
    assert_eq!(setup.events_of_p().await, HEAD + 1);
    setup.server.restart().await;
    let client = Client::connect(&setup.server.address).await;
    let again = client.call("task:update", keyed(50, "lost")).await;
    assert_eq!(
        (&again["duplicate"], &again["seq"]),
        (&json!(true), &json!(HEAD + 1)),
        "{again}"
    );
    assert_eq!(setup.events_of_p().await, HEAD + 1);
}

/// Its sender is told that nothing was changed. So nothing may be changed when it gets through after all.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_is_held_up_on_its_way_is_never_done() {
    let mut setup = Setup::start().await;
    setup.proxy.let_pass(Passes::NoRequests);
    let answer = setup.client.call("task:update", keyed(60, "late")).await;
    assert_eq!(answer["code"], "unavailable", "{answer}");
    assert!(setup.proxy.held() > 0);
    setup.proxy.let_pass(Passes::Everything);
    let next = setup.client.call("task:update", change(61)).await;
    assert_eq!(
        (&next["ok"], &next["seq"]),
        (&json!(true), &json!(HEAD + 1)),
        "{next}"
    );
    let again = setup.client.call("task:update", keyed(60, "late")).await;
    assert_eq!(
        (&again["duplicate"], &again["seq"]),
        (&Value::Null, &json!(HEAD + 2)),
        "{again}"
    );
    assert_eq!(setup.events_of_p().await, HEAD + 2);
}

/// Each statement is a message to the database's thread and one back. The driver logs all of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_on_sqlite_is_one_statement() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("it.db").display());
    let settings = [("LOG_LEVEL", "info,sqlx::query=debug")];
    let server = Server::start_with(&url, &settings).await;
    let client = Client::connect(&server.address).await;
    for value in 0..2 {
        assert_eq!(client.call("task:update", change(value)).await["ok"], true);
    }
    // What else runs now and then, such as pruning, looks or deletes.
    let written = || {
        let logged = server.logged();
        let statements = logged.iter().filter(|line| line.contains("sqlx::query"));
        let statements = statements.filter(|line| !line.contains("DELETE"));
        statements.cloned().collect::<Vec<_>>()
    };
    let logs = async |count| {
        let what = format!("{count} statements are logged");
        eventually(&what, async || written().len() >= count).await;
    };
    eventually("the first two are logged", async || {
        let written = written();
        let commits = written.iter().filter(|line| line.contains("INTO commits"));
        commits.count() == 2
    })
    .await;
    let before = written().len();
    for value in 10..15 {
        assert_eq!(client.call("task:update", change(value)).await["ok"], true);
        let keyed = keyed(value, &format!("k{value}"));
        assert_eq!(client.call("task:update", keyed).await["noop"], true);
    }
    logs(before + 10).await;
    assert_eq!(client.call("task:update", change(20)).await["ok"], true);
    logs(before + 11).await;
    let statements = &written()[before..];
    assert_eq!(statements.len(), 11, "{statements:#?}");
}

//! What was kept elsewhere comes in as it was there.

use serde_json::{Value, json};

use crate::membership::{enter, found, give};
use crate::support::client::Client;
use crate::support::postgres::Postgres;
use crate::support::rest::{Answer, Rest};
use crate::support::server::Server;
use crate::support::tokens::{self, REQUIRED};

async fn import(rest: &Rest, project: &str, kind: &str, body: &str) -> Answer {
    let rest = rest.with("Content-Type", kind);
    rest.send("POST", &format!("/projects/{project}/import"), Some(body))
        .await
}

/// The lines of an answer; the last one is the end.
fn lines(answer: &Answer) -> Vec<Value> {
    assert_eq!(
        answer.status,
        200,
        "{}",
        String::from_utf8_lossy(&answer.bytes)
    );
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let text = String::from_utf8_lossy(&answer.bytes).into_owned();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

fn counts(done: &Value) -> [i64; 4] {
    ["items", "created", "unchanged", "refused"].map(|key| done[key].as_i64().unwrap_or(-1))
}

async fn stamps_and_all(database: &str) {
    let server = Server::start_with(database, &[]).await;
    let rest = Rest::new(&server.address);
    let watcher = Client::connect(&server.address).await;
    watcher.join("p").await;
    let body = [
        r#"{"id":"a","title":"A","status":"done","createdAt":"2019-03-01T10:00:00+02:00","createdBy":"ann"}"#,
        r#"{"kind":"epic","id":7,"title":"E","created_at":1500000000000,"created_by":12}"#,
        "",
        r#"{"sprint":{"id":"s","goal":"G","createdAt":"2020-02-02"}}"#,
        r#"{"title":"without an id"}"#,
        r#"{"title":"without an id"}"#,
    ];
    let body = body.join("\n");
    let first = lines(&import(&rest, "p", "application/x-ndjson", &body).await);
    let done = first.last().unwrap();
    assert_eq!(
        (&done["done"], &done["ok"]),
        (&json!(true), &json!(true)),
        "{done}"
    );
    assert_eq!(counts(done), [5, 5, 0, 0]);
    let event = watcher.next().await;
    assert_eq!(event.name, "task:created");
    assert_eq!(event.args[0]["createdAt"], "2019-03-01T08:00:00.000Z");
    assert_eq!(event.args[0]["createdBy"], "ann");
    assert_eq!(event.args[0]["sourceCreatedAt"], Value::Null);
    let task = rest.get("/projects/p/tasks/a").await.expect(200);
    assert_eq!(
        (&task["createdAt"], &task["createdBy"]),
        (&event.args[0]["createdAt"], &event.args[0]["createdBy"])
    );
    assert_ne!(
        task["updatedBy"], "ann",
        "who has imported it has changed it last"
    );
    let epic = rest.get("/projects/p/epics/7").await.expect(200);
    assert_eq!(
        (&epic["createdAt"], &epic["createdBy"]),
        (&json!("2017-07-14T02:40:00.000Z"), &json!("12"))
    );
    let sprint = rest.get("/projects/p/sprints/s").await.expect(200);
    assert_eq!(sprint["createdAt"], "2020-02-02T00:00:00.000Z");
    // Once more, and once more as a list.
    let list = format!(
        "[{}]",
        body.lines()
            .filter(|line| !line.is_empty())
            .collect::<Vec<_>>()
            .join(",\n")
    );
    for (kind, body) in [("application/x-ndjson", &body), ("application/json", &list)] {
        let again = lines(&import(&rest, "p", kind, body).await);
        assert_eq!(counts(again.last().unwrap()), [5, 0, 5, 0], "{kind}");
    }
    assert_eq!(rest.get("/projects/p/snapshot").await.expect(200)["seq"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_entities_keep_when_and_by_whom_they_were_made_on_sqlite() {
    stamps_and_all("sqlite::memory:").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_entities_keep_when_and_by_whom_they_were_made_on_postgres() {
    let postgres = Postgres::start();
    stamps_and_all(&postgres.create_database().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named_and_the_rest_is_imported() {
    let server = Server::start("sqlite::memory:").await;
    let rest = Rest::new(&server.address);
    let large = format!(r#"{{"title":"{}"}}"#, "x".repeat(300_000));
    let wrong = [
        (r#"{"id":"a","createdAt":"yesterday"}"#, "createdAt"),
        (r#"{"id":"a","createdBy":{"name":"ann"}}"#, "createdBy"),
        (r#"{"id":"","title":"x"}"#, "id"),
        (r#"{"kind":"project","id":"q"}"#, "kind"),
        (r#"{"id":"a","projectId":"other"}"#, "projectId"),
        ("nonsense", "payload"),
        ("[1]", "item"),
        (&large, ""),
    ];
    let mut body = r#"{"id":"first"}"#.to_owned();
    for (line, _) in wrong {
        body = format!("{body}\n{line}");
    }
    body += "\n{\"id\":\"last\"}\n";
    let lines = lines(&import(&rest, "p", "application/x-ndjson", &body).await);
    let (done, refused) = lines.split_last().unwrap();
    assert_eq!(counts(done), [10, 2, 0, 8], "{done}");
    assert_eq!(done["ok"], false);
    for (index, (line, field)) in wrong.iter().enumerate() {
        let told = refused.iter().find(|told| told["item"] == index + 2);
        let told = told.unwrap_or_else(|| panic!("{line}: {refused:?}"));
        assert_eq!(told["field"].as_str().unwrap_or_default(), *field, "{told}");
    }
    rest.get("/projects/p/tasks/last").await.expect(200);
    // What is another thing under the same id stays as it is.
    let other = import(
        &rest,
        "p",
        "application/json",
        r#"[{"id":"last","title":"other"}]"#,
    )
    .await;
    let lines_of_other = self::lines(&other);
    assert_eq!(lines_of_other[0]["code"], "conflict");

    for (kind, body, status) in [
        ("text/plain", "{}", 415),
        ("application/x-www-form-urlencoded", "{}", 415),
    ] {
        assert_eq!(import(&rest, "p", kind, body).await.status, status);
    }
    for broken in [
        r#"[{"id":"x"},"#,
        r#"[{"id":"x"}] more"#,
        r#"[{"id":"x"}}]"#,
    ] {
        let lines = self::lines(&import(&rest, "p", "application/json", broken).await);
        let done = lines.last().unwrap();
        assert_eq!(
            (&done["ok"], &done["code"]),
            (&json!(false), &json!("validation_failed")),
            "{done}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_alone_import() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let ann = enter(&server.address, "ann").await;
    let project = found(&ann).await;
    for (user, role) in [("bob", "member"), ("carol", "admin")] {
        give(&ann, &project, user, role).await;
    }
    let body = r#"{"id":"a","createdBy":"eve"}"#;
    for (user, status) in [("eve", 404), ("bob", 403), ("carol", 200), ("ann", 200)] {
        let rest = Rest::new(&server.address).showing(&tokens::of(user));
        let answer = import(&rest, &project, "application/json", body).await;
        assert_eq!(answer.status, status, "{user}");
    }
}

/// What others say of when and by whom something was made is kept beside what the server knows of that.
#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_create_keeps_what_its_sender_says() {
    let server = Server::start("sqlite::memory:").await;
    let rest = Rest::new(&server.address);
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let create = json!({"id": "t", "projectId": "p", "createdAt": "2019-01-01", "created_by": {"name": "ann"}});
    let made = client.call("task:create", create.clone()).await;
    assert_eq!(made["data"]["sourceCreatedAt"], "2019-01-01", "{made}");
    assert_eq!(made["data"]["sourceCreatedBy"], json!({"name": "ann"}));
    assert_ne!(made["data"]["createdAt"], "2019-01-01");
    assert_eq!(client.next().await.args[0]["sourceCreatedAt"], "2019-01-01");
    let wrapped = json!({"task": {"id": "u", "createdAt": 5}});
    let made = rest.post("/projects/p/tasks", &wrapped).await.expect(201);
    assert_eq!(made["data"]["sourceCreatedAt"], 5);
    // The same once more, whatever the time.
    let mut again = create;
    again["createdAt"] = json!("2020-01-01");
    assert_eq!(client.call("task:create", again).await["noop"], true);
    let nobody = rest
        .post("/projects/p/epics", &json!({"id": "e", "createdAt": null}))
        .await;
    assert_eq!(nobody.expect(201)["data"]["sourceCreatedAt"], Value::Null);
}

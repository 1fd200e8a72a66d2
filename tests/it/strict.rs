//! What the README says of lenient and strict servers: its table is read, and each row is tried on both.

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::server::Server;

const README: &str = include_str!("../../README.md");
const HEAD: &str = "| what is sent | example | by default | with `--strict` |";

/// A row of the table.
struct Row {
    event: &'static str,
    payload: Value,
    /// What lenient and strict servers answer: `ok`, or a code and the field that it names.
    answers: [(&'static str, Option<&'static str>); 2],
}

fn rows() -> Vec<Row> {
    let table = README.split_once(HEAD).expect("the README has the table").1;
    let lines = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    lines.map(row).collect()
}

fn row(line: &'static str) -> Row {
    let cells: Vec<_> = line.trim_matches('|').split(" | ").collect();
    let [_, example, lenient, strict] = cells.as_slice() else {
        panic!("four cells: {line}");
    };
    let (event, payload) = code(example)
        .split_once(' ')
        .expect("an event and its payload");
    let answer = |cell: &'static str| {
        let mut codes = cell.split('`').skip(1).step_by(2);
        let first = codes.next().expect("an answer");
        (first, codes.next().filter(|_| first != "ok"))
    };
    Row {
        event,
        payload: serde_json::from_str(payload).unwrap_or_else(|error| panic!("{line}: {error}")),
        answers: [answer(lenient), answer(strict)],
    }
}

fn code(cell: &'static str) -> &'static str {
    cell.split('`').nth(1).expect("an example")
}

#[tokio::test(flavor = "multi_thread")]
async fn lenient_and_strict_servers_do_what_the_table_says() {
    let rows = rows();
    assert!(rows.len() > 12, "{}", rows.len());
    for (mode, strict) in ["false", "true"].into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("db").display());
        let server = Server::start_with(&url, &[("STRICT", strict)]).await;
        let client = Client::connect(&server.address).await;
        for (event, payload) in [
            ("project:create", json!({"projectId": "p", "title": "P"})),
            ("epic:create", json!({"projectId": "p", "id": "e"})),
            ("sprint:create", json!({"projectId": "p", "id": "s"})),
            ("sprint:create", json!({"projectId": "p", "id": "s2"})),
            ("sprint:create", json!({"projectId": "p", "id": "s3"})),
            ("sprint:start", json!({"projectId": "p", "sprintId": "s"})),
            (
                "task:create",
                json!({"projectId": "p", "id": "t", "title": "T"}),
            ),
        ] {
            let answer = client.call(event, payload).await;
            assert_eq!(answer["ok"], true, "{event}: {answer}");
        }
        for Row {
            event,
            payload,
            answers,
        } in &rows
        {
            let mut payload = payload.clone();
            if payload.get("projectId").is_none() {
                payload["projectId"] = json!("p");
            }
            let answer = client.call(event, payload.clone()).await;
            let (code, field) = answers[mode];
            let at = format!("strict {strict}: {event} {payload}: {answer}");
            assert_eq!(answer["code"].as_str().unwrap_or("ok"), code, "{at}");
            if let Some(field) = field {
                assert_eq!(answer["field"], field, "{at}");
            }
        }
    }
}

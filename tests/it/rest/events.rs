//! A project's events, and waiting for them.

use std::time::{Duration, Instant};

use futures_util::future::join;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::{open, with_task};
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::rest::{Answer, Rest};
use crate::support::server::{Server, UNLIMITED};
use crate::support::tokens;

const EVENTS: &str = "/projects/p/events";

fn seqs(answer: &Value) -> Vec<i64> {
    let events = answer["events"].as_array().expect("events").iter();
    events
        .map(|event| event["seq"].as_i64().expect("a seq"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_had_after_a_seq_or_a_cursor() {
    let (_server, rest) = with_task().await;
    for number in 0..3 {
        rest.patch("/projects/p/tasks/t", &json!({"n": number}))
            .await
            .expect(200);
    }
    let all = rest.get(EVENTS).await.expect(200);
    assert_eq!(
        (seqs(&all), &all["hasMore"]),
        (vec![1, 2, 3, 4, 5], &json!(false))
    );
    let some = rest
        .get(&format!("{EVENTS}?since=1&limit=2"))
        .await
        .expect(200);
    assert_eq!((seqs(&some), &some["hasMore"]), (vec![2, 3], &json!(true)));
    let cursor = some["cursor"].as_str().expect("a cursor");
    let next = rest
        .get(&format!("{EVENTS}?since={cursor}"))
        .await
        .expect(200);
    assert_eq!(seqs(&next), [4, 5]);
    for strange in ["99", "nonsense", "abc.1:2"] {
        let answer = rest
            .get(&format!("{EVENTS}?since={strange}&wait=60"))
            .await
            .expect(200);
        assert_eq!(
            (&answer["reset"], &answer["snapshot"]["seq"]),
            (&json!(true), &json!(5))
        );
    }
    for (query, field) in [
        ("limit=0", "limit"),
        ("wait=61", "wait"),
        ("wait=-1", "wait"),
        ("wait=1.5", "wait"),
    ] {
        let refused = rest.get(&format!("{EVENTS}?{query}")).await;
        assert_eq!(refused.problem(422, "validation_failed")["field"], field);
    }
}

/// Numbers as nobody else would write them, and keys in their order.
#[tokio::test(flavor = "multi_thread")]
async fn payloads_have_the_bytes_of_the_live_events() {
    let (server, rest) = with_task().await;
    let client = Client::connect(&server.address).await;
    client.join("p").await;
    let body = r#"{"title":"\u00e9 \ud83d\ude00","n":1.10,"big":12345678901234567890,"e":1E2,"z":{"b":1,"a":2}}"#;
    rest.send("PATCH", "/projects/p/tasks/t", Some(body))
        .await
        .expect(200);
    let heard = client.next().await;
    let answer = rest.get(&format!("{EVENTS}?since=2")).await.text();
    assert!(
        answer.contains(&heard.raw),
        "{}\nis not in\n{answer}",
        heard.raw
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_hears_of_the_next_event_at_once() {
    let (server, rest) = with_task().await;
    for round in 0..10 {
        let since = 2 + round;
        let began = Instant::now();
        let mut waiting = rest
            .begin("GET", &format!("{EVENTS}?since={since}&wait=60"), None)
            .await;
        if round % 2 == 0 {
            server
                .health_becomes("somebody waits", |health| health["feeds"] == 1)
                .await;
        }
        rest.patch("/projects/p/tasks/t", &json!({"n": round}))
            .await
            .expect(200);
        let mut bytes = Vec::new();
        waiting.read_to_end(&mut bytes).await.expect("an answer");
        assert_eq!(seqs(&Answer::read(&bytes).expect(200)), [since + 1]);
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "nobody waits for the end"
        );
        server
            .health_becomes("nobody waits", |health| health["feeds"] == 0)
            .await;
    }
}

/// What is committed after the look and before the wait.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_between_the_look_and_the_wait() {
    let server = Server::start_with("sqlite::memory:", &UNLIMITED).await;
    let rest = Rest::new(&server.address);
    rest.post("/projects", &json!({"id": "p"}))
        .await
        .expect(201);
    for seq in 1..300_u64 {
        let path = format!("{EVENTS}?since={seq}&wait=60");
        let change = json!({"n": seq});
        // At one moment or another, a little later each time.
        let later = Duration::from_micros(20 * (seq % 100));
        let began = Instant::now();
        let (heard, ()) = join(rest.get(&path), async {
            tokio::time::sleep(later).await;
            rest.patch("/projects/p", &change).await.expect(200);
        })
        .await;
        assert_eq!(seqs(&heard.expect(200)).len(), 1, "{seq}");
        assert!(began.elapsed() < Duration::from_secs(20), "{seq}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_in_vain_is_told_so() {
    let (server, rest) = with_task().await;
    let began = Instant::now();
    let answer = rest
        .get(&format!("{EVENTS}?since=2&wait=1"))
        .await
        .expect(200);
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!((seqs(&answer).len(), &answer["seq"]), (0, &json!(2)));
    server
        .health_becomes("nobody waits", |health| health["feeds"] == 0)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_gone_does_not_wait() {
    let (server, rest) = with_task().await;
    let waiting = rest
        .begin("GET", &format!("{EVENTS}?since=2&wait=60"), None)
        .await;
    server
        .health_becomes("somebody waits", |health| health["feeds"] == 1)
        .await;
    drop(waiting);
    server
        .health_becomes("nobody waits", |health| health["feeds"] == 0)
        .await;
}

/// A shutdown does not wait for those who wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_the_wait() {
    for drain in ["0s", "20s"] {
        let settings = [("DRAIN_TIME", drain)];
        let mut server = Server::start_with("sqlite::memory:", &settings).await;
        let rest = Rest::new(&server.address);
        rest.post("/projects", &json!({"id": "p"}))
            .await
            .expect(201);
        let mut waiting = rest
            .begin("GET", &format!("{EVENTS}?since=1&wait=60"), None)
            .await;
        server
            .health_becomes("somebody waits", |health| health["feeds"] == 1)
            .await;
        let began = Instant::now();
        server.signal("TERM");
        let mut bytes = Vec::new();
        waiting.read_to_end(&mut bytes).await.expect("an answer");
        assert_eq!(seqs(&Answer::read(&bytes).expect(200)).len(), 0);
        assert_eq!(server.ended().await, Some(0));
        assert!(began.elapsed() < Duration::from_secs(10), "after {drain}");
    }
}

/// Who is turned out while they wait hears nothing of what follows.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_turned_out_stops_waiting() {
    let server = Server::start_with("sqlite::memory:", &tokens::REQUIRED).await;
    let rest = Rest::new(&server.address);
    let ann = rest.showing(&tokens::of("ann"));
    let made = ann
        .post("/projects", &json!({"title": "x"}))
        .await
        .expect(201);
    let project = made["data"]["id"].as_str().expect("an id").to_owned();
    let members = format!("/projects/{project}/members");
    ann.post(&members, &json!({"userId": "bob"}))
        .await
        .expect(201);
    let bob = rest.showing(&tokens::of("bob"));
    let path = format!("/projects/{project}/events");
    let head = bob.get(&path).await.expect(200)["seq"].clone();
    let mut waiting = bob
        .begin("GET", &format!("{path}?since={head}&wait=60"), None)
        .await;
    server
        .health_becomes("somebody waits", |health| health["feeds"] == 1)
        .await;
    ann.delete(&format!("{members}/bob")).await.expect(200);
    let mut bytes = Vec::new();
    waiting.read_to_end(&mut bytes).await.expect("an answer");
    Answer::read(&bytes).problem(404, "not_found");
    eventually("nobody waits", async || server.health().await["feeds"] == 0).await;
}

/// A wait is not longer than the token counts, and no shorter: whoever is answered at once asks again at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_with_the_token() {
    let mut settings = tokens::REQUIRED.to_vec();
    settings.push(("AUTH_LEEWAY", "6s"));
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let claims = json!({"exp": tokens::now(), "projects": {"p": "owner"}});
    let ann = Rest::new(&server.address).showing(&tokens::with("ann", claims));
    ann.post("/projects", &json!({"id": "p"})).await.expect(201);
    let began = Instant::now();
    let answer = ann
        .get(&format!("{EVENTS}?since=2&wait=60"))
        .await
        .expect(200);
    assert_eq!(seqs(&answer).len(), 0);
    let waited = began.elapsed();
    assert!((Duration::from_secs(2)..Duration::from_secs(20)).contains(&waited));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_nobody_has_made_has_no_events_yet() {
    let (_server, rest) = open().await;
    let answer = rest.get(EVENTS).await.expect(200);
    assert_eq!((seqs(&answer).len(), &answer["seq"]), (0, &json!(0)));
}

//! Publishing over HTTP, and reading what was published.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::server::{Server, UNLIMITED};
use crate::support::sse::publish;
use crate::support::tokens::{REQUIRED, of, with_roles};
use crate::support::websocket::Ws;
use crate::support::{eventually, http};

/// Sends a request; the status, and what is said.
async fn send(address: &str, head: &str, body: &str) -> (u16, Value) {
    let request = format!(
        "{head}Host: it\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, answer) = http::request(address, &request).await;
    let answer = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{status}: {answer}"));
    (status, answer)
}

async fn post(address: &str, headers: &str, body: &str) -> (u16, Value) {
    let head = format!("POST /api/publish HTTP/1.1\r\nContent-Type: application/json\r\n{headers}");
    send(address, &head, body).await
}

async fn replay(address: &str, path: &str) -> Value {
    let (status, answer) = send(address, &format!("GET {path} HTTP/1.1\r\n"), "").await;
    assert_eq!(status, 200, "{answer}");
    answer
}

fn seqs(answer: &Value) -> Vec<i64> {
    let events = answer["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["seq"].as_i64().unwrap())
        .collect()
}

async fn unlimited() -> Server {
    Server::start_with("sqlite::memory:", &UNLIMITED).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_is_published_once_under_its_key() {
    let server = unlimited().await;
    let body = r#"{"channel":"c","type":"job.done","data":{"n":1.50}}"#;
    let key = "Idempotency-Key: k1\r\n";
    let (status, first) = post(&server.address, key, body).await;
    assert_eq!(status, 201, "{first}");
    assert_eq!(
        (&first["ok"], &first["seq"], &first["channel"]),
        (&json!(true), &json!(1), &json!("c"))
    );
    assert!(first["id"].is_string() && first["cursor"].is_string());
    let (status, again) = post(&server.address, key, body).await;
    assert_eq!(
        (status, &again["duplicate"], &again["seq"]),
        (201, &json!(true), &json!(1))
    );
    let in_body = r#"{"channel":"c","type":"job.done","data":{"n":1.50},"idempotencyKey":"k1"}"#;
    assert_eq!(
        post(&server.address, "", in_body).await.1["duplicate"],
        true
    );
    let other = r#"{"channel":"c","type":"job.done","data":{"n":2}}"#;
    let (status, refused) = post(&server.address, key, other).await;
    assert_eq!(
        (status, refused["code"].as_str()),
        (422, Some("idempotency_key_reused"))
    );
    assert_eq!(
        seqs(&replay(&server.address, "/api/channels/c/events").await),
        [1]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_one_among_several_harms_no_neighbour() {
    let server = unlimited().await;
    let one = |number: usize| match number {
        3 => r#"{"channel":"a b","type":"t"}"#.to_owned(),
        5 => "7".to_owned(),
        7 => r#"{"channel":"c","type":"t","data":"\u0000"}"#.to_owned(),
        _ => format!(
            r#"{{"channel":"{}","type":"t","data":{number}}}"#,
            if number.is_multiple_of(2) { "c" } else { "d" }
        ),
    };
    let listed: Vec<_> = (0..100).map(one).collect();
    let listed = format!("[{}]", listed.join(","));
    for body in [listed.clone(), format!(r#"{{"events":{listed}}}"#)] {
        let (status, answer) = post(&server.address, "", &body).await;
        assert_eq!(status, 200, "{answer}");
        let results = answer["results"].as_array().unwrap();
        assert_eq!(results.len(), 100);
        for (number, result) in results.iter().enumerate() {
            assert_eq!(
                result["ok"],
                ![3, 5, 7].contains(&number),
                "{number}: {result}"
            );
        }
        assert_eq!(results[3]["field"], "channel");
    }
    let told = replay(&server.address, "/api/channels/c/events?limit=500").await;
    let numbers: Vec<_> = told["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["data"].as_i64().unwrap())
        .collect();
    let even: Vec<_> = (0..100).step_by(2).collect();
    assert_eq!(numbers, [even.clone(), even].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_is_refused() {
    let server = unlimited().await;
    let many = format!("[{}]", vec!["{}"; 101].join(","));
    let large = format!(
        r#"{{"channel":"c","type":"t","data":"{}"}}"#,
        "x".repeat(300_000)
    );
    let huge = format!("[{}]", vec![large.as_str(); 20].join(","));
    for (headers, body, status) in [
        ("", "", 422),
        ("", "nonsense", 422),
        ("", "[]", 422),
        ("", &many, 422),
        ("", &large, 413),
        ("", &huge, 413),
        ("", "{\"channel\":\"c\"}", 422),
        ("", r#"{"channel":"project:p","type":"session:ended"}"#, 422),
        (
            "Idempotency-Key: \r\n",
            r#"{"channel":"c","type":"t"}"#,
            422,
        ),
        (
            "Idempotency-Key: k\r\n",
            r#"[{"channel":"c","type":"t"}]"#,
            422,
        ),
    ] {
        let (found, problem) = post(&server.address, headers, body).await;
        assert_eq!(
            found,
            status,
            "{headers}{}: {problem}",
            &body[..body.len().min(60)]
        );
        assert_eq!(problem["status"], status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_publish_where() {
    let server = Server::start_with("sqlite::memory:", &REQUIRED).await;
    let (ann, member) = (of("ann"), with_roles("bot", json!({"*": "member"})));
    for (token, channel, status) in [
        (None, "session:s", 401),
        (Some(&ann), "session:s", 201),
        (Some(&ann), "ai:jobs", 403),
        (Some(&ann), "user:bob", 403),
        (Some(&ann), "project:p", 404),
        (Some(&member), "ai:jobs", 201),
        (Some(&member), "user:bob", 201),
    ] {
        let bearer = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
        let body = json!({"channel": channel, "type": "t"}).to_string();
        let (found, answer) = post(&server.address, &bearer.unwrap_or_default(), &body).await;
        assert_eq!(found, status, "{channel}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_is_told_when_to_go_on() {
    let settings = [("USER_COMMAND_RATE", "2/5")];
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let one = r#"{"channel":"c","type":"t"}"#;
    let listed = format!("[{}]", vec![one; 50].join(","));
    let (status, answer) = post(&server.address, "", &listed).await;
    assert_eq!(status, 200);
    let results = answer["results"].as_array().unwrap();
    let refused = results
        .iter()
        .filter(|result| result["code"] == "rate_limited");
    assert!((40..50).contains(&refused.count()), "{answer}");
    let (status, problem) = post(&server.address, "", one).await;
    assert_eq!(status, 429, "{problem}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_read_page_by_page() {
    let server = unlimited().await;
    for number in 0..7 {
        publish(
            &server.address,
            "ai:jobs/status",
            "tick",
            &json!({"number": number}),
        )
        .await;
    }
    let path = "/api/channels/ai%3Ajobs%2Fstatus/events?limit=3";
    let mut read = Vec::new();
    let mut page = replay(&server.address, path).await;
    loop {
        assert_eq!(page["channel"], "ai:jobs/status");
        read.extend(seqs(&page));
        if page["hasMore"] == false {
            break;
        }
        let cursor = page["cursor"].as_str().unwrap();
        page = replay(&server.address, &format!("{path}&since={cursor}")).await;
    }
    assert_eq!(read, [1, 2, 3, 4, 5, 6, 7]);
    let rest = replay(&server.address, &format!("{path}&since=5")).await;
    assert_eq!(seqs(&rest), [6, 7]);
    let event = &rest["events"][0];
    assert_eq!(
        (&event["type"], &event["data"]["number"]),
        (&json!("tick"), &json!(5))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_hears_of_the_next_event_at_once() {
    let server = unlimited().await;
    publish(&server.address, "c", "tick", &json!({})).await;
    let path = "/api/channels/c/events?since=1&wait=50";
    let address = server.address.clone();
    let waiting = tokio::spawn(async move {
        let page = replay(&address, path).await;
        (seqs(&page), Instant::now())
    });
    eventually("somebody waits", async || server.open_files() > 0).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    let published = Instant::now();
    publish(&server.address, "c", "tick", &json!({})).await;
    let (seqs, told) = waiting.await.unwrap();
    assert_eq!(seqs, [2]);
    assert!(told - published < Duration::from_secs(5));
    // Who is behind does not wait, and who waits in vain is told so.
    let started = Instant::now();
    replay(&server.address, "/api/channels/c/events?since=1&wait=50").await;
    assert!(started.elapsed() < Duration::from_secs(5));
    let page = replay(&server.address, "/api/channels/c/events?since=2&wait=1").await;
    assert_eq!(page["events"], json!([]));
    assert!(started.elapsed() > Duration::from_secs(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_does_not_hold_up_a_shutdown() {
    let mut server = unlimited().await;
    let address = server.address.clone();
    let path = "/api/channels/c/events?wait=50";
    let waiting = tokio::spawn(async move { replay(&address, path).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let started = Instant::now();
    server.signal("TERM");
    assert_eq!(server.ended().await, Some(0));
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(waiting.await.unwrap()["events"], json!([]));
}

/// As the chat agent's `validateMessage`: `type` and `data` are required, and data is what JavaScript calls an object.
#[tokio::test(flavor = "multi_thread")]
async fn strict_server_takes_no_publication_without_data() {
    let settings = [&UNLIMITED[..], &[("STRICT", "true")]].concat();
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let lenient = unlimited().await;
    for (data, is_taken) in [
        ("", false),
        (r#","data":7"#, false),
        (r#","data":"text""#, false),
        (r#","data":{}"#, true),
        (r#","data":[1]"#, true),
        (r#","data":null"#, true),
    ] {
        for channel in ["c", "broadcast"] {
            let body = format!(r#"{{"channel":"{channel}","type":"t"{data}}}"#);
            let (status, answer) = post(&server.address, "", &body).await;
            assert_eq!(status == 201, is_taken, "{body}: {answer}");
            if !is_taken {
                assert_eq!(answer["field"], "data", "{answer}");
            }
            assert_eq!(post(&lenient.address, "", &body).await.0, 201, "{body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strict_server_takes_no_message_without_data_over_a_plain_connection() {
    let settings = [&UNLIMITED[..], &[("STRICT", "true")]].concat();
    let server = Server::start_with("sqlite::memory:", &settings).await;
    for path in ["/ws?sessionId=s", "/ws/v1?sessionId=s"] {
        let mut ws = Ws::connect(&server.address, path).await;
        for (data, is_taken) in [
            (json!({}), false),
            (json!({"data": 7}), false),
            (json!({"data": {}}), true),
            (json!({"data": null}), true),
        ] {
            let mut message = json!({"type": "note", "id": "m"});
            for (key, value) in data.as_object().unwrap() {
                message[key] = value.clone();
            }
            ws.send(message).await;
            let ack = ws.until("ack").await;
            let answer = ack.get("data").unwrap_or(&ack);
            assert_eq!(answer["ok"], is_taken, "{path} {data}: {ack}");
        }
    }
}

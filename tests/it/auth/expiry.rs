//! A connection does not outlive its token.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{connect, required, start, token};
use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::{eventually, tokens};

const SOON: Duration = Duration::from_secs(20);

/// What is there only for its own sake: tests wait for it to pass.
const SHORT: [(&str, &str); 3] = [
    ("AUTH_LEEWAY", "1s"),
    ("AUTH_GRACE", "1s"),
    ("AUTH_EXPIRY_WARNING", "2s"),
];

fn until(exp: i64) -> Value {
    json!({"exp": exp})
}

/// Changes something; its seq.
async fn change(client: &Client) -> i64 {
    // What changes nothing is no event.
    static CHANGES: AtomicU64 = AtomicU64::new(0);
    let count = CHANGES.fetch_add(1, Ordering::Relaxed);
    let change = json!({"projectId": "p", "taskId": "t", "count": count});
    let done = client.call("task:update", change).await;
    done["seq"].as_i64().unwrap_or_else(|| panic!("{done}"))
}

async fn warned(client: &Client, name: &str) -> Value {
    let warning = client.try_signal(name, SOON).await;
    warning.expect("a warning").args.remove(0)
}

async fn closed(client: &Client) {
    eventually("the connection ends", async || client.is_closed()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_new_token_it_is_warned_and_then_closed_and_comes_back_without_a_hole() {
    let server = start(&required(&SHORT)).await;
    let exp = tokens::now() + 4;
    let auth = json!({"token": token("ann", &until(exp)), "eventStyle": "camel"});
    let client = Client::connect_with(&server.address, &auth).await.unwrap();
    client.join("p").await;
    let other = connect(&server, &token("bob", &json!({}))).await;
    let first = change(&other).await;
    assert_eq!(client.next().await.seq(), first);
    let warning = warned(&client, "authExpiring").await;
    let left = warning["expiresInMs"].as_i64().unwrap();
    assert!((0..=2000).contains(&left), "{warning}");
    let seconds = tokens::now();
    assert!((exp - 3..=exp).contains(&seconds), "{seconds} of {exp}");
    let expires_at: jiff::Timestamp = warning["expiresAt"].as_str().unwrap().parse().unwrap();
    assert_eq!(expires_at.as_second(), exp);
    // Leeway and grace are its own.
    while tokens::now() <= exp {
        assert!(!client.is_closed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!client.is_closed());
    closed(&client).await;
    assert!(tokens::now() >= exp + 2);
    server.tells("token_expired").await;
    let missed = change(&other).await;
    let mut auth = client.recovery();
    auth["token"] = json!(token("ann", &until(exp)));
    let stale = Client::connect_with(&server.address, &auth).await;
    assert_eq!(stale.err().unwrap()["message"], "unauthenticated");
    auth["token"] = json!(token("ann", &json!({})));
    let back = Client::connect_with(&server.address, &auth).await.unwrap();
    assert!(back.recovered());
    assert_eq!(back.next().await.seq(), missed);
    assert!(!other.is_closed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_keeps_the_connection_and_its_rooms() {
    let server = start(&required(&SHORT)).await;
    let exp = tokens::now() + 3;
    let client = connect(&server, &token("ann", &until(exp))).await;
    client.join("p").await;
    let other = connect(&server, &token("bob", &json!({}))).await;
    warned(&client, "auth:expiring").await;
    // What is no new token of ann's changes nothing.
    for (bad, code) in [
        (json!({"token": token("bob", &json!({}))}), "forbidden"),
        (json!({"token": "garbage"}), "unauthenticated"),
        (
            json!({"token": token("ann", &until(exp - 60))}),
            "unauthenticated",
        ),
    ] {
        let answer = client.call("auth:refresh", bad).await;
        assert_eq!(answer["code"], code, "{answer}");
    }
    let seq = change(&other).await;
    assert_eq!(client.next().await.seq(), seq);
    let fresh = token("ann", &until(exp + 4));
    let answer = client.call("auth:refresh", json!({"token": fresh})).await;
    assert_eq!(
        (&answer["ok"], &answer["userId"]),
        (&json!(true), &json!("ann"))
    );
    // It is over when the new one is, and warned of that, too.
    while tokens::now() < exp + 3 {
        assert!(!client.is_closed());
        let seq = change(&other).await;
        assert_eq!(client.next().await.seq(), seq);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let warning = warned(&client, "auth:expiring").await;
    assert_eq!(warning["expiresAt"], answer["expiresAt"]);
    closed(&client).await;
    assert!(tokens::now() >= exp + 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_fails_saves_nobody() {
    let server = start(&required(&SHORT)).await;
    let exp = tokens::now() + 1;
    let client = connect(&server, &token("ann", &until(exp))).await;
    let answer = client
        .call("auth:refresh", json!({"token": token("bob", &json!({}))}))
        .await;
    assert_eq!(answer["code"], "forbidden", "{answer}");
    closed(&client).await;
    assert!((exp + 2..exp + 6).contains(&tokens::now()));
}

/// A page that answers each warning with a new token is not warned for ever, even if its tokens are short.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_with_a_short_token_is_not_warned_of_at_once() {
    let server = start(&required(&[("AUTH_EXPIRY_WARNING", "1h")])).await;
    let client = connect(&server, &token("ann", &until(tokens::now() + 2))).await;
    warned(&client, "auth:expiring").await;
    let fresh = json!({"token": token("ann", &until(tokens::now() + 60))});
    assert_eq!(client.call("auth:refresh", fresh).await["ok"], true);
    let again = client.try_signal("auth:expiring", Duration::from_secs(1));
    assert_eq!(again.await, None);
}

/// One without an end has none, and is not warned.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_years_is_left_alone() {
    let server = start(&required(&SHORT)).await;
    let exp = tokens::now() + 100 * 365 * 24 * 3600;
    let client = connect(&server, &token("ann", &until(exp))).await;
    let last = json!({"token": token("ann", &until(253_402_300_799))});
    let refreshed = client.call("auth:refresh", last).await;
    let expires_at = refreshed["expiresAt"].as_str().unwrap();
    assert!(expires_at.starts_with("9999-12-3"), "{refreshed}");
    let short = connect(&server, &token("bob", &until(tokens::now() + 1))).await;
    closed(&short).await;
    assert!(!client.is_closed());
    let warning = client.try_signal("auth:expiring", Duration::from_millis(200));
    assert_eq!(warning.await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn leeway_is_honoured_both_ways() {
    let server = start(&required(&[("AUTH_LEEWAY", "10s"), ("AUTH_GRACE", "1s")])).await;
    let strict = start(&required(&[("AUTH_LEEWAY", "0s"), ("AUTH_GRACE", "1s")])).await;
    let now = tokens::now();
    let enters = async |server: &Server, claims: &Value| {
        let auth = json!({"token": token("ann", claims)});
        Client::connect_with(&server.address, &auth).await.is_ok()
    };
    for (claims, lenient) in [
        (json!({"exp": now - 3}), true),
        (json!({"exp": now - 15}), false),
        (json!({"nbf": now + 5}), true),
        (json!({"nbf": now + 60}), false),
    ] {
        assert_eq!(enters(&server, &claims).await, lenient, "{claims}");
        assert!(!enters(&strict, &claims).await, "{claims}");
    }
    // One that has expired by less is told so at once, and stays for leeway and grace.
    let exp = tokens::now() - 6;
    let client = connect(&server, &token("ann", &until(exp))).await;
    let warning = warned(&client, "auth:expiring").await;
    assert_eq!(warning["expiresInMs"], 0, "{warning}");
    closed(&client).await;
    assert!((exp + 11..exp + 15).contains(&tokens::now()));
}

/// A client that takes nothing for a while does not miss the warning.
#[tokio::test(flavor = "multi_thread")]
async fn a_warning_waits_for_room() {
    let server = start(&required(&[("SLOW_READER_TIMEOUT", "1m")])).await;
    let client = connect(&server, &token("ann", &until(tokens::now() + 5))).await;
    client.join("p").await;
    client.set_reading(false);
    let other = connect(&server, &token("bob", &json!({}))).await;
    let text = "x".repeat(50_000);
    let mut count = 0;
    let started = Instant::now();
    let mut last = 0;
    while started.elapsed() < Duration::from_secs(4) {
        count += 1;
        let change = json!({"projectId": "p", "taskId": "t", "text": text, "count": count});
        let done = other.call("task:update", change).await;
        last = done["seq"].as_i64().unwrap();
    }
    client.set_reading(true);
    warned(&client, "auth:expiring").await;
    while client.next().await.seq() < last {}
}

//! A connection does not outlive its token.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::conformance::client::{Client, Options};
use crate::conformance::door::{Cause, Door};
use crate::conformance::message::NoticeKind;
use crate::conformance::scene::{SESSION, make_event_as, required};
use crate::support::tokens;

/// What is there only for its own sake.
const SHORT: [(&str, &str); 3] = [
    ("AUTH_LEEWAY", "0s"),
    ("AUTH_GRACE", "1s"),
    ("AUTH_EXPIRY_WARNING", "2s"),
];
/// Seconds for which the first token is good.
const GOOD_FOR: i64 = 3;

fn until(exp: i64) -> String {
    tokens::with("ann", json!({"exp": exp}))
}

pub(crate) async fn expired_token_ends_the_connection(door: Door) {
    let server = required(&SHORT).await;
    let exp = tokens::now() + GOOD_FOR;
    let options = Options::to(&[SESSION]).token(until(exp));
    let mut client = Client::connect(door, &server.address, &options).await;
    make_event_as(&server.address, &tokens::of("bob")).await;
    client.event().await;
    if door.takes_commands() {
        let warning = client.notice(NoticeKind::Expiring).await.body;
        let left = warning["expiresInMs"].as_i64().expect("milliseconds");
        assert!((0..=2000).contains(&left), "{warning}");
    }
    client.rest().await;
    assert!(tokens::now() >= exp, "{door:?} ends too soon");
    assert!(tokens::now() <= exp + 4, "{door:?} ends too late");
    door.assert_ended(&client.end(), Cause::TokenExpired);
}

pub(crate) async fn refreshed_token_keeps_the_connection(door: Door) {
    let server = required(&SHORT).await;
    let exp = tokens::now() + GOOD_FOR;
    let options = Options::to(&[SESSION]).token(until(exp));
    let mut client = Client::connect(door, &server.address, &options).await;
    client.notice(NoticeKind::Expiring).await;
    let stranger = client.refresh(&tokens::of("bob")).await.unwrap();
    assert_eq!(stranger["code"], "forbidden", "{stranger}");
    let refreshed = client.refresh(&until(exp + 60)).await.unwrap();
    assert_eq!(refreshed["ok"], true, "{refreshed}");
    // Past the time at which it would have ended.
    while tokens::now() <= exp + 2 {
        sleep(Duration::from_millis(50)).await;
    }
    make_event_as(&server.address, &tokens::of("bob")).await;
    assert_eq!(client.event().await.seq, 1, "{door:?}");
}

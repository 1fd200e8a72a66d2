//! Who may not hear any more is told so, and hears nothing else.

use std::time::Duration;

use serde_json::json;

use super::{create, required};
use crate::membership::{enter, found, give, remove};
use crate::support::sse::{EventStream, publish_as};
use crate::support::tokens;

fn path(channels: &str, user: &str) -> String {
    format!("/api/events?channels={channels}&token={}", tokens::of(user))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_is_told_so_and_goes_on_with_the_rest() {
    let server = required(&[]).await;
    let ann = enter(&server.address, "ann").await;
    let project = found(&ann).await;
    give(&ann, &project, "bob", "viewer").await;
    let channel = format!("project:{project}");
    let both = path(&format!("{channel},c"), "bob");
    let mut stream = EventStream::open(&server.address, &both, None).await;
    stream.id_after("").await;
    let seq = create(&ann, &project, "before").await;
    let before = stream.next().await;
    assert_eq!(before.seq(), seq);
    let removed = remove(&ann, &project, "bob").await;
    create(&ann, &project, "after").await;
    let told = stream.next().await;
    assert_eq!(told.name, "access_revoked");
    let said = told.json();
    assert_eq!(
        (&said["channel"], &said["seq"]),
        (&json!(channel), &json!(removed)),
        "{said}"
    );
    assert_eq!(said["reason"], "removed");
    publish_as(&server.address, &tokens::of("eve"), "session:s", "tick").await;
    drop(stream);
    // Whoever comes back is told again, and not refused: the rest would be lost for good.
    for id in [&before.id, &told.id] {
        let mut stream = EventStream::open(&server.address, &both, Some(id)).await;
        let told = stream.next().await;
        assert_eq!(
            (told.name.as_str(), &told.json()["channel"]),
            ("access_revoked", &json!(channel))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_removed_from_all_that_it_hears_is_not_let_in_again() {
    let server = required(&[]).await;
    let ann = enter(&server.address, "ann").await;
    let project = found(&ann).await;
    give(&ann, &project, "bob", "viewer").await;
    let path = path(&format!("project:{project}"), "bob");
    let mut stream = EventStream::open(&server.address, &path, None).await;
    stream.id_after("").await;
    remove(&ann, &project, "bob").await;
    assert_eq!(stream.next().await.name, "access_revoked");
    assert!(stream.ended().await, "it comes to its end by itself");
    let last = stream.last_id().to_owned();
    let again = EventStream::try_open(&server.address, &path, Some(&last))
        .await
        .unwrap();
    assert!(again.head.starts_with("HTTP/1.1 404 "), "{}", again.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_with_its_token() {
    let server = required(&[("AUTH_LEEWAY", "0s"), ("AUTH_GRACE", "0s")]).await;
    let exp = tokens::now() + 3;
    let token = tokens::with("ann", json!({"exp": exp}));
    let path = format!("/api/events?channels=session:s&token={token}");
    let mut stream = EventStream::open(&server.address, &path, None).await;
    publish_as(&server.address, &tokens::of("bob"), "session:s", "tick").await;
    let last = stream.next().await;
    assert!(stream.ended().await);
    assert!(tokens::now() >= exp);
    let again = EventStream::try_open(&server.address, &path, Some(&last.id))
        .await
        .unwrap();
    assert!(again.head.starts_with("HTTP/1.1 401 "), "{}", again.head);
    publish_as(&server.address, &tokens::of("bob"), "session:s", "tick").await;
    let fresh = format!("/api/events?channels=session:s&token={}", tokens::of("ann"));
    let mut stream = EventStream::open(&server.address, &fresh, Some(&last.id)).await;
    assert_eq!(stream.next().await.seq(), 2);
    let late = tokio::time::timeout(Duration::from_millis(200), stream.try_next()).await;
    assert!(late.is_err(), "nothing else");
}

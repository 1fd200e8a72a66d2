//! Who missed what is not kept is told so, and never given a part of it.

use serde_json::json;

use super::{create, unlimited};
use crate::support::client::Client;
use crate::support::eventually;
use crate::support::postgres::Postgres;
use crate::support::server::Server;
use crate::support::sse::{EventStream, publish};

const BOTH: &str = "/api/events?channels=c,project:p";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_kept_any_more_is_a_reset() {
    let postgres = tokio::task::block_in_place(Postgres::shared);
    let database = postgres.create_database().await;
    let settings = [("EVENT_RETENTION", "1m"), ("CHANNEL_RETENTION", "1m")];
    let mut server = Server::start_with(&database, &settings).await;
    let mut stream = EventStream::open(&server.address, BOTH, None).await;
    let old = stream.id_after("").await;
    let client = Client::connect(&server.address).await;
    create(&client, "p", "Sow").await;
    publish(&server.address, "c", "tick", &json!({})).await;
    server.kill().await;
    let pool = sqlx::PgPool::connect(&database).await.unwrap();
    sqlx::query("UPDATE events SET created_at = created_at - 86400000")
        .execute(&pool)
        .await
        .unwrap();
    server.restart().await;
    eventually("the log is empty", async || {
        let left: (i64,) = sqlx::query_as("SELECT count(*) FROM events")
            .fetch_one(&pool)
            .await
            .unwrap();
        left.0 == 0
    })
    .await;
    let mut stream = EventStream::open(&server.address, BOTH, Some(&old)).await;
    let resets = stream.take(2).await;
    for (reset, channel) in resets.iter().zip(["c", "project:p"]) {
        assert_eq!(reset.name, "reset");
        let said = reset.json();
        assert_eq!(said["channel"], channel, "{said}");
        assert_eq!(
            said["reason"],
            "the events after this position are not kept any more"
        );
    }
    let state = &resets[1].json()["snapshot"];
    assert_eq!(state["tasks"][0]["title"], "Sow", "{state}");
    // Only the last one has an id of its own: whoever is cut in between is told both again.
    assert_eq!(resets[0].id, old);
    assert_ne!(resets[1].id, old);
    let mut again = EventStream::open(&server.address, BOTH, Some(&resets[1].id)).await;
    publish(&server.address, "c", "tick", &json!({})).await;
    for stream in [&mut stream, &mut again] {
        let told = stream.next().await;
        assert_eq!((told.name.as_str(), told.seq()), ("message", 2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_means_nothing_is_a_reset() {
    let server = unlimited().await;
    let client = Client::connect(&server.address).await;
    create(&client, "p", "Sow").await;
    for (id, reason) in [
        ("nonsense", "the cursor is malformed"),
        (
            "0123456789ab~AAAAAAAAAAAAAAAA.1:1",
            "the cursor is of another database",
        ),
    ] {
        let mut stream = EventStream::open(&server.address, BOTH, Some(id)).await;
        for channel in ["c", "project:p"] {
            let reset = stream.next().await;
            let said = reset.json();
            assert_eq!(
                (reset.name.as_str(), &said["channel"]),
                ("reset", &json!(channel))
            );
            assert_eq!(said["reason"], reason);
        }
        assert_ne!(stream.last_id(), id);
    }
}

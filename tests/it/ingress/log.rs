//! The log, straight from the database.

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

use super::backend::{Backends, step};
use super::{CHANNELS, nothing_waits};
use crate::support::eventually;
use crate::support::server::Server;

/// The events of a channel, each with its type, its payload, and whom it is by.
pub(super) async fn read(database_url: &str, channel: &str) -> Vec<(String, String, String)> {
    let mut connection = PgConnection::connect(database_url).await.unwrap();
    let rows = sqlx::query_as(
        "SELECT type, payload, actor FROM events
         JOIN channels ON no = channel_no WHERE name = $1 ORDER BY events.seq",
    );
    rows.bind(channel).fetch_all(&mut connection).await.unwrap()
}

/// The steps in the log of a channel, as publisher and number.
async fn steps(database_url: &str, channel: &str) -> Vec<(usize, usize)> {
    let number = |value: &Value| usize::try_from(value.as_u64().unwrap()).unwrap();
    let events = read(database_url, channel).await;
    let steps = events.iter().map(|(event_type, payload, actor)| {
        assert_eq!((event_type.as_str(), actor.as_str()), ("step", "ingress"));
        let said: Value = serde_json::from_str(payload).unwrap();
        let (publisher, n) = (number(&said["publisher"]), number(&said["n"]));
        assert_eq!(said, step(publisher, n));
        (publisher, n)
    });
    steps.collect()
}

/// Waits until everything that was published is in the log, and nobody has anything to add; all of it once, and in order.
pub(super) async fn has_all(database_url: &str, instances: &[Server], backends: &Backends) {
    eventually("everything is in the log", async || {
        let mut logged = 0;
        for channel in CHANNELS {
            logged += read(database_url, channel).await.len();
        }
        logged >= backends.total()
    })
    .await;
    nothing_waits(instances).await;
    has_only(database_url, backends, |_| true).await;
}

/// Nothing is in the log twice or out of order; and what has to be there is.
pub(super) async fn has_only(
    database_url: &str,
    backends: &Backends,
    has_to: impl Fn(usize) -> bool,
) {
    let mut logged = vec![Vec::new(); backends.said.len()];
    for channel in CHANNELS {
        for (publisher, n) in steps(database_url, channel).await {
            assert_eq!(channel, Backends::channel_of(publisher));
            logged[publisher].push(n);
        }
    }
    for (publisher, (logged, said)) in logged.iter().zip(&backends.said).enumerate() {
        let is_in_order = logged.windows(2).all(|pair| pair[0] < pair[1]);
        assert!(is_in_order, "of publisher {publisher}: {logged:?}");
        let missing: Vec<_> = (0..*said)
            .filter(|n| has_to(*n) && !logged.contains(n))
            .collect();
        assert!(missing.is_empty(), "of publisher {publisher}: {missing:?}");
    }
}

//! The log, straight from the database.

use std::collections::BTreeMap;

use serde_json::Value;
use sqlx::{Connection as _, PgConnection};

/// An event as it was committed.
pub(super) struct Entry {
    pub(super) event_type: String,
    /// As text: it must have been sent byte by byte.
    pub(super) payload: String,
}

impl Entry {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.payload).expect("a payload is JSON")
    }
}

/// The events of each project, the one with seq 1 first.
pub(super) struct Log(pub(super) BTreeMap<String, Vec<Entry>>);

impl Log {
    /// Reads everything, and checks that each project's seqs are 1, 2, 3… up to the head that the channel says.
    pub(super) async fn read(database_url: &str) -> Self {
        let mut connection = PgConnection::connect(database_url).await.unwrap();
        let heads: Vec<(String, i64)> =
            sqlx::query_as("SELECT name, seq FROM channels WHERE name <> 'projects'")
                .fetch_all(&mut connection)
                .await
                .unwrap();
        let rows: Vec<(String, i64, String, String)> = sqlx::query_as(
            "SELECT name, events.seq, type, payload FROM events
             JOIN channels ON no = channel_no WHERE name <> 'projects' ORDER BY name, events.seq",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
        let mut log: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
        for (channel, seq, event_type, payload) in rows {
            let project = channel.strip_prefix("project:").unwrap();
            let entries = log.entry(project.to_owned()).or_default();
            let entry = Entry {
                event_type,
                payload,
            };
            entries.push(entry);
            assert_eq!(length(entries), seq, "a gap in the log of {project}");
        }
        for (channel, head) in heads {
            let project = channel.strip_prefix("project:").unwrap();
            let entries = log.get(project).map_or(0, |entries| length(entries));
            assert_eq!(entries, head, "the head of {project}");
        }
        Self(log)
    }

    /// How many events each project has.
    pub(super) fn heads(&self) -> BTreeMap<String, usize> {
        let heads = self.0.iter();
        heads
            .map(|(project, entries)| (project.clone(), entries.len()))
            .collect()
    }

    /// All events.
    pub(super) fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }
}

fn length(entries: &[Entry]) -> i64 {
    i64::try_from(entries.len()).unwrap()
}

//! The log.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::rows::{Column, Rows, Type};
use super::{Store, StoreError, Tx, in_time, row};
use crate::domain::{ChannelName, ChannelNo, Event, EventId, Seq};

pub(super) const COLUMNS: [Column; 10] = [
    ("channel_no", Type::Number),
    ("seq", Type::Number),
    ("id", Type::Uuid),
    ("type", Type::Text),
    ("payload", Type::Text),
    ("actor", Type::Text),
    ("idempotency_key", Type::Text),
    ("created_at", Type::Number),
    ("source", Type::Text),
    ("envelope", Type::Text),
];

pub(super) fn rows(events: &[(Arc<Event>, Option<String>)]) -> Rows<'_, { COLUMNS.len() }> {
    let rows = events.iter().map(|(event, key)| {
        [
            event.channel_no.0.into(),
            event.seq.into(),
            event.id.0.to_string().into(),
            event.event_type.as_str().into(),
            event.payload.get().into(),
            event.actor.as_str().into(),
            key.as_deref().into(),
            event.created_at.as_millis().into(),
            event.source.as_ref().map(ChannelName::as_str).into(),
            event.envelope.as_deref().map(RawValue::get).into(),
        ]
    });
    Rows::new(&COLUMNS, rows)
}

impl Tx {
    pub(super) async fn events_insert(
        &mut self,
        events: &[(Arc<Event>, Option<String>)],
    ) -> Result<(), StoreError> {
        self.conn.insert("events", &rows(events), "").await
    }
}

impl Store {
    /// Events after a seq, in order: as many as fit into both limits, but at least one if there is any.
    ///
    /// The name goes into the events; only the number is looked up. Bytes are those of the payloads.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn events_page(
        &self,
        name: &ChannelName,
        no: ChannelNo,
        after: Seq,
        max_events: usize,
        max_bytes: usize,
    ) -> Result<Vec<Arc<Event>>, StoreError> {
        in_time(async {
            let mut db = self.reader().await?;
            // The limits are found by the payloads' lengths, so that no payload is read that is not returned.
            let statement = db.statement(
                "SELECT seq, CAST(id AS text) AS id, type, payload, actor, created_at, source, envelope FROM events
                 WHERE channel_no = $1 AND seq > $2 AND seq <= (
                     SELECT max(seq) FROM (
                         SELECT seq,
                             row_number() OVER (ORDER BY seq) AS place,
                             sum(bytes) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS total
                         FROM (
                             SELECT seq, octet_length(payload) AS bytes FROM events
                             WHERE channel_no = $1 AND seq > $2 ORDER BY seq LIMIT $3
                         ) AS next
                     ) AS page
                     WHERE place = 1 OR total <= $4
                 )
                 ORDER BY seq",
            );
            let statement = statement
                .bind(no.0)
                .bind(after)
                .bind(i64::try_from(max_events.max(1)).unwrap_or(i64::MAX))
                .bind(i64::try_from(max_bytes).unwrap_or(i64::MAX));
            statement.all(|row| row::event(row, name, no)).await
        })
        .await
    }

    /// The id of the event at this place.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn event_id(&self, no: ChannelNo, seq: Seq) -> Result<Option<EventId>, StoreError> {
        in_time(async {
            let mut db = self.reader().await?;
            let statement = db.statement(
                "SELECT CAST(id AS text) AS id FROM events WHERE channel_no = $1 AND seq = $2",
            );
            statement.bind(no.0).bind(seq).first(row::event_id).await
        })
        .await
    }
}

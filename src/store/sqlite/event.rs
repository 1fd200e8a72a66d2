//! The log.

use std::sync::Arc;

use serde::Serialize;
use sqlx::SqliteConnection;

use crate::domain::{ChannelName, ChannelNo, Event, EventId, Seq};
use crate::store::StoreError;
use crate::store::prune::Expiring;
use crate::store::row;

#[derive(Serialize)]
struct EventRow<'a> {
    channel_no: i64,
    seq: Seq,
    id: String,
    r#type: &'a str,
    payload: &'a str,
    actor: &'a str,
    idempotency_key: Option<&'a str>,
    created_at: i64,
    source: Option<&'a str>,
}

pub(crate) async fn insert(
    conn: &mut SqliteConnection,
    events: &[(Arc<Event>, Option<String>)],
) -> Result<(), StoreError> {
    let rows: Vec<_> = events
        .iter()
        .map(|(event, key)| EventRow {
            channel_no: event.channel_no.0,
            seq: event.seq,
            id: event.id.0.to_string(),
            r#type: event.event_type.as_str(),
            payload: event.payload.get(),
            actor: event.actor.as_str(),
            idempotency_key: key.as_deref(),
            created_at: event.created_at.as_millis(),
            source: event.source.as_ref().map(ChannelName::as_str),
        })
        .collect();
    sqlx::query(
        "INSERT INTO events (channel_no, seq, id, type, payload, actor, idempotency_key, created_at, source)
         SELECT value ->> 'channel_no', value ->> 'seq', value ->> 'id', value ->> 'type',
             value ->> 'payload', value ->> 'actor', value ->> 'idempotency_key', value ->> 'created_at',
             value ->> 'source'
         FROM json_each(?1)",
    )
    .bind(super::json(&rows))
    .execute(conn)
    .await?;
    Ok(())
}

/// The limits are found by the payloads' lengths, so that no payload is read that is not returned.
pub(crate) async fn page(
    conn: &mut SqliteConnection,
    name: &ChannelName,
    no: ChannelNo,
    after: Seq,
    max_events: i64,
    max_bytes: i64,
) -> Result<Vec<Arc<Event>>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, id, type, payload, actor, created_at, source FROM events
         WHERE channel_no = ?1 AND seq > ?2 AND seq <= (
             SELECT max(seq) FROM (
                 SELECT seq,
                     row_number() OVER (ORDER BY seq) AS place,
                     sum(bytes) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS total
                 FROM (
                     SELECT seq, octet_length(payload) AS bytes FROM events
                     WHERE channel_no = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3
                 )
             )
             WHERE place = 1 OR total <= ?4
         )
         ORDER BY seq",
    )
    .bind(no.0)
    .bind(after)
    .bind(max_events)
    .bind(max_bytes)
    .fetch_all(conn)
    .await?;
    row::all(&rows, |row| row::event(row, name, no))
}

pub(crate) async fn id(
    conn: &mut SqliteConnection,
    no: ChannelNo,
    seq: Seq,
) -> Result<Option<EventId>, StoreError> {
    sqlx::query("SELECT id FROM events WHERE channel_no = ?1 AND seq = ?2")
        .bind(no.0)
        .bind(seq)
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(row::event_id)
        .transpose()
}

/// The first events that a channel still has.
pub(crate) async fn oldest(
    conn: &mut SqliteConnection,
    no: ChannelNo,
    max_events: i64,
) -> Result<Vec<Expiring>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, created_at, octet_length(payload) AS bytes FROM events
         WHERE channel_no = ?1 AND seq > (SELECT pruned_seq FROM channels WHERE no = ?1)
         ORDER BY seq LIMIT ?2",
    )
    .bind(no.0)
    .bind(max_events)
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::expiring)
}

pub(crate) async fn remove(
    conn: &mut SqliteConnection,
    no: ChannelNo,
    first: Seq,
    last: Seq,
) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM events WHERE channel_no = ?1 AND seq BETWEEN ?2 AND ?3")
        .bind(no.0)
        .bind(first)
        .bind(last)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

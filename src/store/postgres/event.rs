//! The log.

use std::sync::Arc;

use sqlx::PgConnection;

use crate::domain::{ChannelName, ChannelNo, Event, EventId, Seq};
use crate::store::StoreError;
use crate::store::prune::Expiring;
use crate::store::row;

pub(crate) async fn insert(
    conn: &mut PgConnection,
    events: &[(Arc<Event>, Option<String>)],
) -> Result<(), StoreError> {
    let column = |of: fn(&Event) -> &str| {
        events
            .iter()
            .map(|(event, _)| of(event))
            .collect::<Vec<_>>()
    };
    let number = |of: fn(&Event) -> i64| {
        events
            .iter()
            .map(|(event, _)| of(event))
            .collect::<Vec<_>>()
    };
    let ids: Vec<_> = events.iter().map(|(event, _)| event.id.0).collect();
    let sources: Vec<_> = events
        .iter()
        .map(|(event, _)| event.source.as_ref().map(ChannelName::as_str))
        .collect();
    let keys: Vec<_> = events.iter().map(|(_, key)| key.as_deref()).collect();
    sqlx::query(
        "INSERT INTO events (channel_no, seq, id, type, payload, actor, idempotency_key, created_at, source)
         SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::uuid[], $4::text[], $5::text[], $6::text[],
             $7::text[], $8::bigint[], $9::text[])",
    )
    .bind(number(|event| event.channel_no.0))
    .bind(number(|event| event.seq))
    .bind(ids)
    .bind(column(|event| event.event_type.as_str()))
    .bind(column(|event| event.payload.get()))
    .bind(column(|event| event.actor.as_str()))
    .bind(keys)
    .bind(number(|event| event.created_at.as_millis()))
    .bind(sources)
    .execute(conn)
    .await?;
    Ok(())
}

/// The limits are found by the payloads' lengths, so that no payload is read that is not returned.
pub(crate) async fn page(
    conn: &mut PgConnection,
    name: &ChannelName,
    no: ChannelNo,
    after: Seq,
    max_events: i64,
    max_bytes: i64,
) -> Result<Vec<Arc<Event>>, StoreError> {
    let rows = sqlx::query(
        "SELECT seq, id::text AS id, type, payload, actor, created_at, source FROM events
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
    conn: &mut PgConnection,
    no: ChannelNo,
    seq: Seq,
) -> Result<Option<EventId>, StoreError> {
    sqlx::query("SELECT id::text AS id FROM events WHERE channel_no = $1 AND seq = $2")
        .bind(no.0)
        .bind(seq)
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(row::event_id)
        .transpose()
}

/// The first events that a channel still has, locked against others who would remove them.
pub(crate) async fn oldest(
    conn: &mut PgConnection,
    no: ChannelNo,
    max_events: i64,
) -> Result<Vec<Expiring>, StoreError> {
    // Several instances may do this at once. Whoever removes a channel's first event has locked it; the next one
    // waits here, before it has touched anything else, and then has the first one that is left in its hands.
    let first = sqlx::query(
        "SELECT seq FROM events
         WHERE channel_no = $1 AND seq > (SELECT pruned_seq FROM channels WHERE no = $1)
         ORDER BY seq LIMIT 1 FOR UPDATE",
    )
    .bind(no.0)
    .fetch_optional(&mut *conn)
    .await?;
    if first.is_none() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query(
        "SELECT seq, created_at, octet_length(payload)::bigint AS bytes FROM events
         WHERE channel_no = $1 AND seq > (SELECT pruned_seq FROM channels WHERE no = $1)
         ORDER BY seq LIMIT $2",
    )
    .bind(no.0)
    .bind(max_events)
    .fetch_all(conn)
    .await?;
    row::all(&rows, row::expiring)
}

pub(crate) async fn remove(
    conn: &mut PgConnection,
    no: ChannelNo,
    first: Seq,
    last: Seq,
) -> Result<u64, StoreError> {
    let done = sqlx::query("DELETE FROM events WHERE channel_no = $1 AND seq BETWEEN $2 AND $3")
        .bind(no.0)
        .bind(first)
        .bind(last)
        .execute(conn)
        .await?;
    Ok(done.rows_affected())
}

//! The store: every test runs on both databases.

mod api_keys;
mod beside;
mod cascades;
mod commits;
mod failing;
mod lists;
mod opening;
mod order;
mod plans;
mod postgres_only;
mod pruning;
mod reading;
mod reference;
mod retention;
mod writing;

use std::sync::Arc;

use boardcast::domain::{
    Actor, ChannelName, ChannelNo, Entity, EntityId, Event, EventId, EventType, Id, Kind,
    ProjectId, Rank, Seq, Stamp, Target, Timestamp,
};
use boardcast::store::{Batch, Channel, Gather, Store};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::support::postgres::Postgres;

/// Runs a test once on each database, both empty and migrated.
macro_rules! both_databases {
    (async fn $name:ident($db:ident: &Database) $body:block) => {
        mod $name {
            use super::*;

            async fn run($db: &Database) $body

            #[tokio::test]
            async fn on_sqlite() {
                run(&Database::sqlite().await.migrated().await).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                run(&Database::postgres().await.migrated().await).await;
            }
        }
    };
}
use both_databases;

/// A database of a test's own.
struct Database {
    store: Store,
    url: String,
    _directory: Option<TempDir>,
}

impl Database {
    async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("board.db").display());
        Self {
            store: open(&url).await,
            url,
            _directory: Some(directory),
        }
    }

    async fn postgres() -> Self {
        let url = Postgres::shared().create_database().await;
        Self {
            store: open(&url).await,
            url,
            _directory: None,
        }
    }

    async fn migrated(self) -> Self {
        self.store.migrate().await.unwrap();
        self
    }

    fn is_sqlite(&self) -> bool {
        self.store.name() == "sqlite"
    }

    /// Another instance's store: on SQLite, of which there is one instance, the same again.
    async fn other_instance(&self) -> Store {
        if self.is_sqlite() {
            self.store.clone()
        } else {
            open(&self.url).await
        }
    }

    /// Runs SQL beside the store.
    async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_sqlite() {
            let mut conn = SqliteConnection::connect(&self.url).await.unwrap();
            conn.execute(sql).await.unwrap();
            conn.close().await.unwrap();
        } else {
            let mut conn = PgConnection::connect(&self.url).await.unwrap();
            conn.execute(sql).await.unwrap();
            conn.close().await.unwrap();
        }
    }

    /// The first column of each row, read beside the store.
    async fn texts(&self, sql: &str) -> Vec<Option<String>> {
        let sql = AssertSqlSafe(sql.to_owned());
        if self.is_sqlite() {
            let mut conn = SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap()
        } else {
            let mut conn = PgConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_all(&mut conn).await.unwrap()
        }
    }
}

async fn open(url: &str) -> Store {
    Store::open(&url.parse().unwrap(), 4).await.unwrap()
}

fn project(id: &str) -> ProjectId {
    ProjectId(Id::from_text(id).unwrap())
}

fn id(id: &str) -> EntityId {
    EntityId(Id::from_text(id).unwrap())
}

fn number(id: i64) -> Id {
    Id::from_json(&json!(id)).unwrap()
}

fn stamp(at: i64) -> Stamp {
    Stamp {
        at: Timestamp::from_millis(1_700_000_000_000 + at),
        by: Actor::new("ada"),
    }
}

fn entity(project_id: &str, kind: Kind, entity_id: &str, fields: Value) -> Entity {
    let Value::Object(fields) = fields else {
        panic!("fields are an object");
    };
    let mut entity = Entity::blank(project(project_id), kind, id(entity_id), stamp(1));
    entity.fields = fields.into();
    entity.version = 1;
    entity
}

fn task(project: &str, id: &str, fields: Value) -> Entity {
    let mut task = entity(project, Kind::Task, id, fields);
    task.rank = Some(Rank::restore(format!("a{id}V")));
    task
}

fn event(channel: &Channel, seq: Seq, payload: &str) -> Arc<Event> {
    Arc::new(Event {
        origin: None,
        source: None,
        channel: channel.name.clone(),
        channel_no: channel.no,
        seq,
        id: EventId::generate(),
        event_type: EventType::known("task.updated"),
        payload: RawValue::from_string(payload.to_owned()).unwrap().into(),
        actor: Actor::new("ada"),
        envelope: RawValue::from_string(format!(r#"{{"id" : "e{seq}"}}"#))
            .ok()
            .filter(|_| seq % 2 == 0)
            .map(Arc::from),
        created_at: stamp(seq).at,
    })
}

/// Locks a project's channel, writes what the closure makes of it, and commits.
async fn commit(
    store: &Store,
    name: &ChannelName,
    make: impl FnOnce(&Channel) -> Batch,
) -> Channel {
    let mut tx = store.begin().await.unwrap();
    let channel = tx
        .channels_lock(std::slice::from_ref(name))
        .await
        .unwrap()
        .remove(0);
    tx.write(&make(&channel)).await.unwrap();
    tx.commit().await.unwrap();
    channel
}

/// Appends one event per payload.
async fn append(store: &Store, name: &ChannelName, payloads: &[&str]) -> Channel {
    commit(store, name, |channel| log_of(channel, payloads)).await
}

fn log_of(channel: &Channel, payloads: &[&str]) -> Batch {
    let events: Vec<_> = (channel.seq + 1..)
        .zip(payloads)
        .map(|(seq, payload)| (event(channel, seq, payload), None))
        .collect();
    Batch {
        heads: vec![(
            channel.no,
            channel.seq + Seq::try_from(payloads.len()).unwrap(),
        )],
        events,
        now: Some(stamp(0).at),
        ..Batch::default()
    }
}

async fn save(store: &Store, entities: Vec<Entity>) {
    let mut tx = store.begin().await.unwrap();
    let entities = entities.into_iter().map(Arc::new).collect();
    let batch = Batch {
        entities,
        ..Batch::default()
    };
    tx.write(&batch).await.unwrap();
    tx.commit().await.unwrap();
}

async fn seqs(store: &Store, channel: &Channel) -> Vec<Seq> {
    let page = store
        .events_page(&channel.name, channel.no, 0, 10_000, usize::MAX)
        .await
        .unwrap();
    page.iter().map(|event| event.seq).collect()
}

const NOWHERE: ChannelNo = ChannelNo(i64::MAX);

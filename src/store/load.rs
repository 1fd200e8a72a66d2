//! What a commit must know, read in one statement and without a lock: all of it belongs to one state of the database. Whether
//! it is still so is found out by the commit.

use std::collections::HashMap;
use std::sync::LazyLock;

use sqlx::AssertSqlSafe;

use super::connection::DbConnection;
use super::entity::entity_columns;
use super::row::{self, CHANNELS, Row};
use super::rows::{Column, Rows, Type, from_arrays, from_json};
use super::{
    Channel, CommitConnection, EntityKey, Head, Store, StoreError, StoredAnswer, Tx, entity,
};
use crate::domain::{ChannelName, Entity};

const NAME: [Column; 1] = [("name", Type::Text)];
const ASKED: [Column; 2] = [("name", Type::Text), ("key", Type::Text)];

/// What is to be loaded.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Channels, each once.
    pub channels: Vec<ChannelName>,
    /// Entities.
    pub entities: Vec<EntityKey>,
    /// Idempotency keys, each with its channel's name.
    pub keys: Vec<(ChannelName, String)>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// The channels; those that are not stored have a number that nobody else gets.
    pub heads: Vec<Head>,
    /// Those of the entities that exist, tombstones included.
    pub entities: Vec<Entity>,
    /// Bytes of their fields and histories, as texts.
    pub bytes: usize,
    /// The answers that are stored.
    pub answers: Vec<StoredAnswer>,
}

enum Part {
    Head(Head),
    Entity(Box<Entity>, usize),
    Answer(StoredAnswer),
}

impl Wanted {
    /// Whether nothing is to be loaded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.channels.is_empty() && self.entities.is_empty() && self.keys.is_empty()
    }
}

/// The columns of the three parts: a channel's, an answer's, an entity's.
macro_rules! union {
    () => {
        concat!(
            "SELECT 'channel' AS part, COALESCE(channels.no, {new_no}) AS no, wanted.name,
                 COALESCE(channels.seq, 0) AS seq, COALESCE(channels.pruned_seq, 0) AS pruned_seq,
                 channels.no IS NOT NULL AS is_stored,
                 CAST(NULL AS bigint) AS channel_no, CAST(NULL AS text) AS key,
                 CAST(NULL AS bigint) AS fingerprint, CAST(NULL AS text) AS reply,
                 NULL AS project_id, NULL AS project_id_numeric, NULL AS kind, NULL AS id, NULL AS id_numeric,
                 NULL AS fields, NULL AS history, NULL AS version, NULL AS rank, NULL AS created_at,
                 NULL AS created_by, NULL AS updated_at, NULL AS updated_by, NULL AS deleted_at, NULL AS deleted_by
             FROM ({names}) AS wanted LEFT JOIN channels ON channels.name = wanted.name
             UNION ALL SELECT 'entity', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, ",
            entity_columns!(),
            " FROM entities WHERE (project_id, kind, id) IN ({entities})
             UNION ALL SELECT 'answer', NULL, NULL, NULL, NULL, NULL,
                 answers.channel_no, answers.key, answers.fingerprint, answers.reply,
                 NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
             FROM ({asked}) AS asked JOIN channels ON channels.name = asked.name
             JOIN answers ON answers.channel_no = channels.no AND answers.key = asked.key"
        )
    };
}

static POSTGRES: LazyLock<String> = LazyLock::new(|| {
    format!(
        union!(),
        new_no = "nextval(pg_get_serial_sequence('channels', 'no'))",
        names = from_arrays(&NAME, 1),
        entities = from_arrays(&entity::KEY, 2),
        asked = from_arrays(&ASKED, 5)
    )
});

static SQLITE: LazyLock<String> = LazyLock::new(|| {
    format!(
        union!(),
        new_no = "(SELECT COALESCE(max(seq), 0) FROM sqlite_sequence WHERE name = 'channels') + wanted.place + 1",
        names = "SELECT value ->> 0 AS name, key AS place FROM json_each($1)",
        entities = from_json(&entity::KEY, "$2"),
        asked = from_json(&ASKED, "$3")
    )
});

impl CommitConnection {
    /// Loads what is wanted.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn load(&mut self, wanted: &Wanted) -> Result<Found, StoreError> {
        if let Store::Sqlite(_) = self.store {
            return load(&mut self.writer().await?, wanted).await;
        }
        load(self.kept().await?, wanted).await
    }
}

impl Tx {
    /// Locks the channels, makes those that are missing, and loads the rest, which nobody changes from then on.
    ///
    /// # Errors
    ///
    /// As [`Tx::channels_lock`].
    pub async fn load_locked(&mut self, wanted: &Wanted) -> Result<Found, StoreError> {
        let channels = self.channels_lock(&wanted.channels).await?;
        let numbers: HashMap<_, _> = channels
            .iter()
            .map(|channel| (&channel.name, channel.no))
            .collect();
        let keys: Vec<_> = wanted
            .keys
            .iter()
            .filter_map(|(name, key)| Some((*numbers.get(name)?, key.clone())))
            .collect();
        let loaded = self.entities_load(&wanted.entities).await?;
        Ok(Found {
            answers: self.answers_get(&keys).await?,
            entities: loaded.entities,
            bytes: loaded.bytes,
            heads: channels.into_iter().map(Head::stored).collect(),
        })
    }
}

impl Head {
    /// A channel that is in the database, and stays as it is.
    #[must_use]
    pub fn stored(channel: Channel) -> Self {
        Self {
            next: channel.seq,
            is_stored: true,
            channel,
        }
    }
}

async fn load(db: &mut DbConnection, wanted: &Wanted) -> Result<Found, StoreError> {
    let sql = db.dialect(SQLITE.as_str(), POSTGRES.as_str());
    let names = wanted.channels.iter().map(|name| [name.as_str().into()]);
    let asked = wanted.keys.iter();
    let asked = asked.map(|(name, key)| [name.as_str().into(), key.as_str().into()]);
    let statement = db.statement(AssertSqlSafe(sql));
    let statement = statement
        .bind_rows(&Rows::new(&NAME, names))
        .bind_rows(&entity::key_rows(&wanted.entities))
        .bind_rows(&Rows::new(&ASKED, asked));
    let mut found = Found::default();
    for part in statement.all(part).await? {
        match part {
            Part::Head(head) => found.heads.push(head),
            Part::Entity(entity, bytes) => {
                found.entities.push(*entity);
                found.bytes += bytes;
            }
            Part::Answer(answer) => found.answers.push(answer),
        }
    }
    Ok(found)
}

fn part(row: &Row) -> Result<Part, StoreError> {
    match row.get(CHANNELS, "part")? {
        "channel" => {
            let channel = row::channel(row)?;
            Ok(Part::Head(Head {
                next: channel.seq,
                is_stored: row.get(CHANNELS, "is_stored")?,
                channel,
            }))
        }
        "entity" => {
            let (entity, bytes) = row::loaded(row)?;
            Ok(Part::Entity(Box::new(entity), bytes))
        }
        _ => row::answer(row).map(Part::Answer),
    }
}

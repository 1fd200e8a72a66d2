//! Stored answers of commands that carried an idempotency key.

use sqlx::AssertSqlSafe;

use super::rows::{Column, Rows, Type};
use super::{Store, StoreError, StoredAnswer, Tx, in_time, row};
use crate::domain::{ChannelNo, Timestamp};

pub(super) const KEY: [Column; 2] = [("channel_no", Type::Number), ("key", Type::Text)];
pub(super) const COLUMNS: [Column; 5] = [
    ("channel_no", Type::Number),
    ("key", Type::Text),
    ("fingerprint", Type::Number),
    ("reply", Type::Text),
    ("created_at", Type::Number),
];

pub(super) fn key_rows(keys: &[(ChannelNo, String)]) -> Rows<'_, { KEY.len() }> {
    let keys = keys
        .iter()
        .map(|(no, key)| [no.0.into(), key.as_str().into()]);
    Rows::new(&KEY, keys)
}

pub(super) fn rows(
    answers: &[StoredAnswer],
    now: Option<Timestamp>,
) -> Rows<'_, { COLUMNS.len() }> {
    let now = now.map_or(0, Timestamp::as_millis);
    let rows = answers.iter().map(|answer| {
        [
            answer.channel_no.0.into(),
            answer.key.as_str().into(),
            answer.fingerprint.into(),
            answer.reply.as_str().into(),
            now.into(),
        ]
    });
    Rows::new(&COLUMNS, rows)
}

impl Tx {
    /// The answers that are stored under these keys, in no order.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn answers_get(
        &mut self,
        keys: &[(ChannelNo, String)],
    ) -> Result<Vec<StoredAnswer>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT channel_no, key, fingerprint, reply FROM answers WHERE (channel_no, key) IN ({})",
            self.conn.select(&KEY)
        );
        let statement = self.conn.statement(AssertSqlSafe(sql));
        let statement = statement.bind_rows(&key_rows(keys));
        statement.all(row::answer).await
    }

    /// The first answer stays: it is the one that was given.
    pub(super) async fn answers_insert(
        &mut self,
        answers: &[StoredAnswer],
        now: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let keep = "ON CONFLICT DO NOTHING";
        self.conn.insert("answers", &rows(answers, now), keep).await
    }
}

impl Store {
    /// Removes at most `limit` answers that are older, the oldest first; says how many it were.
    ///
    /// Several instances may do this at once: what another one is removing is passed over.
    ///
    /// # Errors
    ///
    /// Fails when the database does.
    pub async fn answers_prune(&self, before: Timestamp, limit: i64) -> Result<u64, StoreError> {
        in_time(async {
            let mut db = self.writer().await?;
            let (key, columns, lock) = db.dialect(
                ("rowid", "rowid", ""),
                (
                    "(channel_no, key)",
                    "channel_no, key",
                    "FOR UPDATE SKIP LOCKED",
                ),
            );
            let sql = format!(
                "DELETE FROM answers WHERE {key} IN (
                     SELECT {columns} FROM answers WHERE created_at < $1 ORDER BY created_at LIMIT $2 {lock}
                 )"
            );
            let statement = db.statement(AssertSqlSafe(sql));
            statement
                .bind(before.as_millis())
                .bind(limit)
                .execute()
                .await
        })
        .await
    }
}

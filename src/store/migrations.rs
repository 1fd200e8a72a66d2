//! The migrations of both databases, built into the program.
//!
//! Written by hand and not by `sqlx::migrate!`: that macro builds SQLite once more, for the compiler's own use. A migration
//! that was released never changes: databases keep the SHA-384 of its text, and are refused if it differs.

use std::sync::LazyLock;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Lists the files of `migrations/sqlite` and `migrations/postgres`, whose names are the same.
macro_rules! migrations {
    ($($name:literal,)+) => {
        pub(super) static SQLITE: LazyLock<Migrator> = LazyLock::new(|| migrator(&[
            $(($name, include_str!(concat!("../../migrations/sqlite/", $name, ".sql")))),+
        ]));
        pub(super) static POSTGRES: LazyLock<Migrator> = LazyLock::new(|| migrator(&[
            $(($name, include_str!(concat!("../../migrations/postgres/", $name, ".sql")))),+
        ]));
    };
}

migrations! {
    "0001_log_and_entities",
    "0002_views",
    "0003_api_keys",
    "0004_members",
    "0005_sources",
    "0006_lists",
    "0007_cursor_key",
    "0008_cascades",
    "0009_member_role",
    "0010_long_ids",
    "0011_boards",
    "0012_comments",
    "0013_envelopes",
    "0014_pages",
}

/// The newest migration that this program knows.
pub(super) fn newest(migrator: &Migrator) -> i64 {
    let versions = migrator.iter().map(|migration| migration.version);
    versions.max().unwrap_or(0)
}

fn migrator(files: &[(&'static str, &'static str)]) -> Migrator {
    let migrations = files.iter().map(|(name, sql)| migration(name, sql));
    Migrator::with_migrations(migrations.collect())
}

/// Names a migration as `sqlx::migrate!` did: `0001_log_and_entities` is version 1, "log and entities".
fn migration(name: &'static str, sql: &'static str) -> Migration {
    let (version, description) = name.split_once('_').expect("a number, then words");
    Migration::new(
        version.parse().expect("a number"),
        description.replace('_', " ").into(),
        MigrationType::Simple,
        sql.into_sql_str(),
        false,
    )
}

#[cfg(test)]
mod tests;

//! The list holds every file, and every migration is what existing databases say it is.

use std::fmt::Write as _;
use std::path::Path;

use sqlx::migrate::Migrator;

use super::{POSTGRES, SQLITE};

/// What `_sqlx_migrations` of existing databases holds: version, description, checksum on SQLite, checksum on Postgres.
/// Append only.
const RELEASED: [(i64, &str, &str, &str); 10] = [
    (
        1,
        "log and entities",
        "2a0df491ad890e16fdb0d5819c2b5a914f15eb109c46626c654e898e954f8b0429ca1ad14fa59fb68e444054483a8855",
        "14c48ef82ba7d64bc5fd82e1aec4b5f1e6cfab27875d8d1ec6f565eaa2cc0ff62142034f4602a042287147670a1ffe80",
    ),
    (
        2,
        "views",
        "c1f8ad930ce0a1d6d5acd4b7d0410dfc2d97d90a73a13bb0ad427e6f1ae1d2981575bfa415a0cfa22fd8e3c91cfe0c39",
        "ae52577949e4a33cece0f8ec3dfd3ea152155c38514a6ab069d2bf0f352e7afcbab98ba0eeb997334c9c57cfb495597d",
    ),
    (
        3,
        "api keys",
        "b17c2ae0bdf2056870969d00d850c97abd8c95550addacd4679866764e12964ddbe6e46867289a1509f102ba7f9e679b",
        "35c893f6119c62e8d7e0aaf16263790b5d83024e5d2cea0a764904eb706ddd12f66879e3e95d438d4ab34bf7e57b5cb2",
    ),
    (
        4,
        "members",
        "38e92cce5d6b297d427d6576d35fa1100e1fc7ad160ac8c07271fd47dc61bd449d8209023b2245a57a3b95436bf95887",
        "607adf7f3700b2feb90f50c0ab4a12e92c3fb080433b29f09eff700de51c9d2331d44e50a30562b060fee6f7076647aa",
    ),
    (
        5,
        "sources",
        "a2eaad08c0110b5702609d08769ac8ba10816ff4b0f9d6779f07a2007d78047b4f704e9943cb088483a173502c4c5ab0",
        "63ddca87c476adf10e71fc71abc95248ed94ac5bfd07446f6fc362e00ac7c950fee9b0d17276f48c77217ec3cbba4592",
    ),
    (
        6,
        "lists",
        "89aebe74816b83881d9fe69ae40e28ffbb48573e61aecc254651c5110303318e70602cbf48a1e8f575ebcb4945baf365",
        "89aebe74816b83881d9fe69ae40e28ffbb48573e61aecc254651c5110303318e70602cbf48a1e8f575ebcb4945baf365",
    ),
    (
        7,
        "cursor key",
        "1c8f8b8ce0bcdaa79644fa7416c67224bf1314bd21cbc7c83341bd4fa71d02814bc33a88e59eeb29f16488f33c1876a4",
        "3d6c76c769f7d1693bace9697f14ba708b114bfe79d54820e32badfe203115c52ecfb713ce8a1680a0dfc6f93f8eeefc",
    ),
    (
        8,
        "cascades",
        "a0525f431397ccc69397be8fdfe8ab857f6f9bf0978e3b823381502519d7132e38378687eefab8af44e594794990eca8",
        "a3b74b75f91015f091260d036a063d8d2331b53633044f28630d1a92a55d52e228e303dd998b379a2ad727021240c45c",
    ),
    (
        9,
        "member role",
        "b0031ea5b59929bc37411c384f780a7ac0f55365b6d51578f6866e92a62009446b2eebbd778aea1aaa8292268be3ffa6",
        "39979b6c82eda66d436682aeb5dc6267b3add32e3dfabb4c127425fdca3ee7683e094eb7c3e39eaa30878f7ec4c9feb9",
    ),
    (
        10,
        "long ids",
        "6d4eccca9bfd7abcf3d30ee96b12730362b0aaef798a74eb79d2a92743859f02fb88e6824f1a76f09411cbdab72c04bc",
        "48eee061d6015969367df7ef5b366bb2fc226d0a1551f8ed9fd5a9f427de9dfe76990e75f64491210b61216cb0a42cb0",
    ),
];

#[test]
fn migrations_list_holds_every_file_in_order() {
    for (folder, migrator) in [("sqlite", &SQLITE), ("postgres", &POSTGRES)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("migrations")
            .join(folder);
        let mut files: Vec<String> = std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let listed: Vec<String> = migrator
            .iter()
            .map(|migration| {
                let words = migration.description.replace(' ', "_");
                format!("{:04}_{words}.sql", migration.version)
            })
            .collect();
        assert_eq!(listed, files, "{folder}");
    }
}

#[test]
fn migrations_of_existing_databases_are_recognised() {
    let sqlite: Vec<_> = RELEASED
        .iter()
        .map(|&(version, words, sum, _)| (version, words, sum))
        .collect();
    let postgres: Vec<_> = RELEASED
        .iter()
        .map(|&(version, words, _, sum)| (version, words, sum))
        .collect();
    assert_recognised(&SQLITE, &sqlite);
    assert_recognised(&POSTGRES, &postgres);
}

fn assert_recognised(migrator: &Migrator, released: &[(i64, &str, &str)]) {
    for &(version, words, sum) in released {
        let migration = migrator
            .iter()
            .find(|migration| migration.version == version)
            .unwrap();
        assert_eq!(migration.description, words);
        assert_eq!(
            hex(&migration.checksum),
            sum,
            "{version} {words} was changed"
        );
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

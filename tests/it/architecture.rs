//! Imports go one way, and what is known in one place is known there alone.

mod circles;

use std::fs;
use std::path::{Path, PathBuf};

/// Which part of the tree may name what.
const KNOWN_ONLY_IN: [(&str, &[&str]); 6] = [
    ("sqlx", &["store", "store.rs"]),
    ("redis", &["broker", "broker.rs"]),
    (
        "socketioxide",
        &["transport/socketio", "transport/socketio.rs"],
    ),
    (
        "axum",
        &[
            "transport",
            "admin",
            "admin.rs",
            "server",
            "server.rs",
            "config",
        ],
    ),
    ("SystemTime::now", &["clock.rs"]),
    ("jsonwebtoken", &["auth", "auth.rs"]),
];

/// What a part must not import.
const DOES_NOT_IMPORT: [(&str, &[&str]); 25] = [
    (
        "domain",
        &[
            "crate::contract",
            "crate::store",
            "crate::hub",
            "crate::writer",
            "crate::session",
            "crate::state",
            "tokio",
        ],
    ),
    (
        "contract",
        &[
            "crate::store",
            "crate::hub",
            "crate::writer",
            "crate::session",
            "crate::state",
            "tokio",
        ],
    ),
    (
        "store",
        &[
            "crate::contract",
            "crate::hub",
            "crate::presence",
            "crate::writer",
            "crate::session",
            "crate::state",
        ],
    ),
    (
        "auth",
        &[
            "crate::contract",
            "crate::hub",
            "crate::presence",
            "crate::writer",
            "crate::session",
            "crate::state",
            "crate::transport",
        ],
    ),
    (
        "broker",
        &[
            "crate::contract",
            "crate::store",
            "crate::hub",
            "crate::presence",
            "crate::writer",
            "crate::session",
            "crate::state",
            "crate::transport",
        ],
    ),
    (
        "single_flight",
        &[
            "crate::store",
            "crate::hub",
            "crate::session",
            "crate::state",
        ],
    ),
    (
        "channel_cache",
        &[
            "crate::hub",
            "crate::session",
            "crate::state",
            "crate::transport",
        ],
    ),
    (
        "retention",
        &[
            "crate::hub",
            "crate::session",
            "crate::state",
            "crate::transport",
        ],
    ),
    (
        "learn",
        &[
            "crate::store",
            "crate::hub",
            "crate::broker",
            "crate::presence",
            "crate::writer",
            "crate::session",
            "crate::state",
            "crate::transport",
            "tokio",
        ],
    ),
    (
        "limits",
        &[
            "crate::store",
            "crate::hub",
            "crate::broker",
            "crate::presence",
            "crate::writer",
            "crate::session",
            "crate::state",
            "crate::transport",
            "tokio",
        ],
    ),
    (
        "presence/instances",
        &[
            "crate::hub",
            "crate::broker",
            "crate::presence",
            "crate::writer",
            "crate::session",
            "crate::state",
            "tokio",
        ],
    ),
    (
        "presence",
        &[
            "crate::contract",
            "crate::store",
            "crate::writer",
            "crate::session",
            "crate::state",
            "crate::transport",
        ],
    ),
    (
        "hub",
        &[
            "crate::contract",
            "crate::presence",
            "crate::writer",
            "crate::session",
            "crate::state",
            "crate::transport",
        ],
    ),
    (
        "direct",
        &[
            "crate::store",
            "crate::hub",
            "crate::writer",
            "crate::session",
            "crate::state",
            "crate::transport",
        ],
    ),
    (
        "ingress",
        &[
            "crate::state",
            "crate::hub",
            "crate::session",
            "crate::transport",
        ],
    ),
    (
        "writer",
        &["crate::session", "crate::state", "crate::transport"],
    ),
    (
        "compatibility",
        &[
            "crate::store",
            "crate::hub",
            "crate::presence",
            "crate::writer",
            "crate::session",
            "crate::transport",
        ],
    ),
    (
        "session",
        &["crate::transport", "crate::admin", "crate::server"],
    ),
    (
        "state",
        &[
            "crate::session",
            "crate::transport",
            "crate::admin",
            "crate::server",
        ],
    ),
    (
        "transport/socketio",
        &[
            "crate::transport::websocket",
            "crate::transport::sse",
            "crate::transport::rest",
        ],
    ),
    (
        "transport/websocket",
        &[
            "crate::transport::socketio",
            "crate::transport::sse",
            "crate::transport::rest",
        ],
    ),
    (
        "transport/sse",
        &[
            "crate::transport::socketio",
            "crate::transport::websocket",
            "crate::transport::rest",
        ],
    ),
    (
        "transport/rest",
        &[
            "crate::transport::socketio",
            "crate::transport::websocket",
            "crate::transport::sse",
        ],
    ),
    (
        "transport/http",
        &[
            "crate::transport::connection",
            "crate::transport::socketio",
            "crate::transport::websocket",
            "crate::transport::sse",
            "crate::transport::rest",
        ],
    ),
    (
        "transport/connection",
        &[
            "crate::transport::socketio",
            "crate::transport::websocket",
            "crate::transport::sse",
            "crate::transport::rest",
        ],
    ),
];

#[test]
fn each_thing_is_known_in_its_place_alone() {
    for (path, code) in sources("src") {
        for (what, places) in KNOWN_ONLY_IN {
            let allowed = places.iter().any(|place| path.starts_with(place));
            assert!(
                allowed || !names(&code, what),
                "{} names {what}",
                path.display()
            );
        }
    }
}

#[test]
fn imports_go_one_way() {
    for (path, code) in sources("src") {
        for (part, forbidden) in DOES_NOT_IMPORT {
            if path.starts_with(part) || path == Path::new(part).with_extension("rs") {
                for what in forbidden {
                    assert!(!names(&code, what), "{} imports {what}", path.display());
                }
            }
        }
    }
}

/// Tables of promises and of public reports name the tests that hold them.
#[test]
fn tests_that_the_documents_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
    let code = ["src", "tests/it"].into_iter().flat_map(sources);
    let code: String = code.map(|(_, code)| code).collect();
    let (promises, reports) = (read("ARCHITECTURE.md"), read("tests/clients/README.md"));
    let rows = promises.lines().filter(|line| line.starts_with("| **P"));
    let rows = rows.chain(reports.lines().filter(|line| line.starts_with("| ")));
    let named = rows.flat_map(|row| row.split('`').skip(1).step_by(2));
    let exists = |name: &str| match name.rsplit_once("::") {
        Some((_, item)) => ["fn ", "mod ", "struct ", "enum "]
            .iter()
            .any(|what| code.contains(&format!("{what}{item}"))),
        None if [".mjs", ".py"].iter().any(|end| name.ends_with(end)) => {
            ["tests/clients", "tests/attacks"].iter().any(|folder| {
                root.join(folder)
                    .join(name.rsplit('/').next().unwrap())
                    .exists()
            })
        }
        None => !name.starts_with("fixtures/") || root.join(name).exists(),
    };
    let named: Vec<_> = named.filter(|name| !name.contains(['{', ' '])).collect();
    assert!(named.len() > 100, "{named:?}");
    let missing: Vec<_> = named.into_iter().filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Whether code, not a comment, names something.
fn names(code: &str, what: &str) -> bool {
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .any(|line| {
            line.match_indices(what).any(|(at, _)| {
                let (before, after) = (&line[..at], &line[at + what.len()..]);
                let begins = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
                let used = ["::", "("].iter().any(|sign| after.starts_with(sign));
                begins && (used || before.ends_with("use "))
            })
        })
}

/// Every file below a folder, by its path there.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let code = fs::read_to_string(&path).unwrap();
                sources.push((path.strip_prefix(&root).unwrap().to_owned(), code));
            }
        }
    }
    sources
}

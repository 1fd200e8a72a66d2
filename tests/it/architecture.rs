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
const DOES_NOT_IMPORT: [(&str, &[&str]); 22] = [
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
    for (path, code) in sources() {
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
    for (path, code) in sources() {
        for (part, forbidden) in DOES_NOT_IMPORT {
            if path.starts_with(part) || path == Path::new(part).with_extension("rs") {
                for what in forbidden {
                    assert!(!names(&code, what), "{} imports {what}", path.display());
                }
            }
        }
    }
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

/// Every file below `src`, by its path there.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
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

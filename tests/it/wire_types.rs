//! The types that clients are given describe what a real server sends.

mod one_of_everything;
mod payloads;
mod witness;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use boardcast::contract::ErrorCode;
use boardcast::contract::schema::SERVER_EVENTS;
use serde_json::json;
use witness::definitions;

/// Types that nothing leads to.
const NEVER: [&str; 3] = ["project.restored", "epic.restored", "sprint.restored"];
/// What types of events begin with.
const FAMILIES: [&str; 11] = [
    "channel", "project", "task", "epic", "sprint", "member", "comment", "presence", "session",
    "system", "auth",
];

#[test]
fn every_type_is_a_json_schema_and_says_what_it_is() {
    let definitions = definitions();
    for (name, definition) in definitions.as_object().unwrap() {
        let schema = json!({"$ref": format!("#/$defs/{name}"), "$defs": definitions});
        jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(definition["description"].is_string(), "{name}");
    }
}

#[test]
fn codes_are_those_of_the_table() {
    let definitions = definitions();
    let described = definitions["ErrorCode"]["oneOf"].as_array().unwrap();
    let described: Vec<_> = described.iter().map(|code| &code["const"]).collect();
    let codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(described, codes);
}

/// Whoever adds an event says what it carries: else no client is told that it is there.
#[test]
fn every_type_of_event_in_the_code_is_described() {
    let described: BTreeSet<_> = SERVER_EVENTS.map(|event| event.event_type).into();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("table.rs") {
                let code = fs::read_to_string(path).unwrap();
                found.extend(types_in(&code).map(str::to_owned));
            }
        }
    }
    for name in &found {
        // A path into a payload, of those that frontends read.
        if name.ends_with("._id") {
            continue;
        }
        let is_known = described.contains(&**name) || NEVER.contains(&&**name);
        assert!(
            is_known,
            "{name} is missing in src/contract/schema/table.rs"
        );
    }
    for name in described.iter().filter(|name| name.contains('.')) {
        assert!(found.contains(*name), "nothing sends {name}");
    }
}

/// Texts in quotes that look like the type of an event.
fn types_in(code: &str) -> impl Iterator<Item = &str> {
    code.split('"').filter(|text| {
        text.split_once('.').is_some_and(|(family, rest)| {
            let is_word = |char: char| char.is_ascii_lowercase() || char == '_';
            FAMILIES.contains(&family) && !["", "id"].contains(&rest) && rest.chars().all(is_word)
        })
    })
}

//! Whatever frontends send, what they hear back is as the types say.

use std::fs;
use std::path::Path;

use boardcast::contract::EventStyle;
use serde_json::{Value, json};

use super::witness::Witness;
use crate::support::client::Client;
use crate::support::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_spelling_was_sent_the_answers_have_the_described_types() {
    let server = Server::start("sqlite::memory:").await;
    let witnesses = EventStyle::ALL.map(|style| (style, Witness::of(style)));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/payloads");
    let mut heard = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let fixture: Value = serde_json::from_str(&text).unwrap();
        let style = fixture["eventStyle"].as_str().unwrap_or("colon");
        let known = witnesses.iter().find(|(known, _)| known.as_str() == style);
        heard += play(&server, &fixture, &known.unwrap().1).await;
    }
    assert!(heard > 100, "{heard} events");
}

/// Takes a fixture's steps; how many events were heard. What depends on answers is left to others.
async fn play(server: &Server, fixture: &Value, witness: &Witness) -> usize {
    let mut auth = json!({});
    if fixture["eventStyle"].is_string() {
        auth["eventStyle"] = fixture["eventStyle"].clone();
    }
    let client = Client::connect_with(&server.address, &auth).await.unwrap();
    if fixture["joined"] != false {
        for project in fixture["projects"].as_array().unwrap() {
            let answer = client.call("join:project", project.clone()).await;
            witness.answered("join:project", &answer);
        }
    }
    let mut heard = 0;
    for step in fixture["steps"].as_array().unwrap() {
        let [name, arguments @ ..] = step["emit"].as_array().unwrap().as_slice() else {
            panic!("{step}");
        };
        if step["emit"].to_string().contains("$bind") {
            return heard;
        }
        let name = name.as_str().unwrap();
        if step["ack"].is_null() {
            client.emit(name, arguments);
        } else {
            let answer = client.ask(name, arguments).await.unwrap();
            witness.answered(name, &answer);
        }
        let events = step["events"].as_array().map_or(0, Vec::len);
        for _ in 0..events {
            witness.hear(&client.next().await);
        }
        heard += events;
    }
    heard
}

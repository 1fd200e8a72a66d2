//! Who connects as whom, and for how long.

mod expiry;
mod keys;
mod line;
mod modes;
mod places;
mod stolen_pid;

use serde_json::{Value, json};

use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::tokens;

/// What a refused client reads.
const UNAUTHENTICATED: &str = r#"44{"message":"unauthenticated"}"#;

/// Settings with which tokens are needed, and these.
fn required<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&tokens::REQUIRED[..], more].concat()
}

async fn start(settings: &[(&str, &str)]) -> Server {
    Server::start_with("sqlite::memory:", settings).await
}

/// A token of somebody who may do everything everywhere.
fn token(user: &str, claims: &Value) -> String {
    let mut all = json!({"projects": {"*": "owner"}});
    for (claim, value) in claims.as_object().unwrap() {
        all[claim] = value.clone();
    }
    tokens::with(user, all)
}

async fn connect(server: &Server, token: &str) -> Client {
    let connected = Client::connect_with(&server.address, &json!({"token": token})).await;
    connected.expect("the token is good")
}

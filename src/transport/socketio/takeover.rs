//! A client that comes back before its old connection is known to be lost: the old one ends, on whatever instance.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::codec::Sockets;
use crate::broker::TopicSubscription;
use crate::domain::ClientId;
use crate::state::AppState;

/// Where instances tell one another who came to them.
const TOPIC: &str = "clients";

/// A client came to an instance.
#[derive(Debug, Serialize, Deserialize)]
struct Moved {
    client: String,
    to: String,
}

/// Ends the connections of clients who go to another instance, until it is dropped.
pub(super) fn listen(app: &AppState, sockets: &Arc<Sockets>) -> TopicSubscription {
    let (me, sockets) = (app.instance().clone(), Arc::clone(sockets));
    let handler = move |message: Bytes| match read(&message) {
        Ok((_, to)) if to == me.as_str() => {}
        // One that has come back here meanwhile loses this connection as well, and comes back once more.
        Ok((client, _)) => sockets.moved(client),
        Err(error) => {
            tracing::debug!(error = %error, "another instance says what is not understood");
        }
    };
    app.broker().subscribe(TOPIC, Arc::new(handler))
}

fn read(message: &[u8]) -> io::Result<(ClientId, String)> {
    let Moved { client, to } = serde_json::from_slice(message)?;
    let client = ClientId::parse(&client).ok_or(io::ErrorKind::InvalidData)?;
    Ok((client, to))
}

/// Tells the other instances that a client is here.
pub(super) fn announce(app: &AppState, client: ClientId) {
    if app.broker().is_shared() {
        let moved = Moved {
            client: client.to_string(),
            to: app.instance().to_string(),
        };
        let json = serde_json::to_vec(&moved).expect("its keys are strings");
        app.broker().publish(TOPIC, json.into());
    }
}

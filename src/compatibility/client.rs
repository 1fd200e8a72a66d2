//! A page: a connection to each of its namespaces.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::facts::{Connect, Emit, Facts};
use super::hearing::{Hearing, Page};
use super::server::Server;
use super::socket::{Socket, SocketError, Target};

/// Where Engine.IO is if the facts name no path.
const DEFAULT_PATH: &str = "/socket.io";
/// A channel that nobody publishes on.
const FENCE: &str = "dialect-try-fence";

/// A page of a user.
#[derive(Debug)]
pub(super) struct Client {
    sockets: Vec<Socket>,
}

/// What came back from a message.
#[derive(Debug)]
pub(super) enum Answer {
    /// No ack was asked for.
    Sent,
    /// The ack's first argument.
    Ack(Value),
}

impl Client {
    /// Opens all namespaces of the facts, each over a connection of its own.
    pub(super) async fn connect(
        page: Page,
        facts: &Facts,
        user: &str,
        server: &Server,
        hearing: &Arc<Hearing>,
    ) -> Result<Self, SocketError> {
        let target = target(&facts.connect, user, server);
        let mut namespaces = facts.connect.namespaces.clone();
        if namespaces.is_empty() {
            namespaces.push("/".to_owned());
        }
        for listen in &facts.listens {
            if let Some(ns) = listen.ns.as_ref().filter(|ns| !namespaces.contains(ns)) {
                namespaces.push(ns.clone());
            }
        }
        let mut sockets = Vec::with_capacity(namespaces.len());
        for namespace in &namespaces {
            sockets.push(Socket::connect(&target, namespace, page, hearing).await?);
        }
        Ok(Self { sockets })
    }

    /// Sends a message as the facts say, and waits until the server has taken it: for its ack, or else for that of a
    /// message after it.
    pub(super) async fn send(
        &mut self,
        emit: &Emit,
        args: &[Value],
    ) -> Result<Answer, SocketError> {
        let socket = self.socket(emit.ns.as_deref())?;
        let answer = if emit.wants_ack() {
            Answer::Ack(socket.call(&emit.event, args).await?)
        } else {
            socket.emit(&emit.event, args).await?;
            Answer::Sent
        };
        // Answers come in the order of the messages, so a refusal without an ack has come by then.
        socket
            .call("unsubscribe", &[json!({"channel": FENCE})])
            .await?;
        Ok(answer)
    }

    fn socket(&mut self, namespace: Option<&str>) -> Result<&mut Socket, SocketError> {
        let mut sockets = self.sockets.iter_mut();
        let found = match namespace {
            Some(name) => sockets.find(|socket| socket.namespace == name),
            None => sockets.next(),
        };
        found.ok_or(SocketError::Closed)
    }
}

/// How a user's page connects.
fn target(connect: &Connect, user: &str, server: &Server) -> Target {
    let address: SocketAddr = server.address();
    let path = connect.path.as_deref().filter(|path| path.starts_with('/'));
    let shown = shown(&connect.query, user, server);
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in &shown {
        match value.as_str() {
            Some(text) => query.append_pair(name, text),
            None => query.append_pair(name, &value.to_string()),
        };
    }
    Target {
        address,
        path: path.unwrap_or(DEFAULT_PATH).to_owned(),
        query: query.finish(),
        origin: connect.origin.clone(),
        auth: Value::Object(shown_in_auth(connect, user, server)),
    }
}

fn shown_in_auth(connect: &Connect, user: &str, server: &Server) -> Map<String, Value> {
    shown(&connect.auth, user, server)
}

/// What a page shows: its user's token where the facts speak of one, its user's id where they speak of an id, and else what
/// stands there.
fn shown(named: &Map<String, Value>, user: &str, server: &Server) -> Map<String, Value> {
    let shown = named.iter().map(|(name, value)| {
        let value = if is_token(name, value) {
            server.token(user).map_or(Value::Null, Value::from)
        } else if is_user_id(name, value) {
            user.into()
        } else {
            value.clone()
        };
        (name.clone(), value)
    });
    shown.collect()
}

/// Whether facts mean a token by an entry of `auth` or of the query.
pub(super) fn is_token(name: &str, value: &Value) -> bool {
    let name = name.to_lowercase();
    let said = value.as_str().is_some_and(|text| {
        let text = text.to_lowercase();
        text.starts_with("jwt") || text.starts_with("bearer") || text.starts_with("token")
    });
    said || (value.is_string() && (name == "token" || name.ends_with("token")))
}

fn is_user_id(name: &str, value: &Value) -> bool {
    let name = name.to_lowercase().replace('_', "");
    name == "userid" || name == "uid" || value.as_str() == Some("id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_name_tokens_in_words() {
        for (name, value, expected) in [
            ("token", json!("jwt (id)"), true),
            ("token", json!("on /notification"), true),
            ("authorization", json!("Bearer jwt"), true),
            ("accessToken", json!("x"), true),
            ("userId", json!("id"), false),
            ("version", json!(3), false),
        ] {
            assert_eq!(is_token(name, &value), expected, "{name}: {value}");
        }
    }
}

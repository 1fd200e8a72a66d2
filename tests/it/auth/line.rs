//! A connection, packet by packet, on which a token may stand in every place.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::support::{client, http};

/// Time between two tries to enter.
const AGAIN: Duration = Duration::from_millis(200);
/// The cookie of the tests.
pub(super) const COOKIE: &str = "session";

/// The ways to a server.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Transport {
    Polling,
    WebSocket,
}

pub(super) const TRANSPORTS: [Transport; 2] = [Transport::Polling, Transport::WebSocket];

/// What a client shows, by the places where it can stand.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) auth: Value,
    /// What is added to the query.
    pub(super) query: String,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            auth: json!({}),
            query: String::new(),
            headers: Vec::new(),
        }
    }
}

impl Shown {
    pub(super) fn in_auth(auth: Value) -> Self {
        Self {
            auth,
            ..Self::default()
        }
    }

    pub(super) fn in_query(query: &str) -> Self {
        Self {
            query: format!("&{query}"),
            ..Self::default()
        }
    }

    pub(super) fn in_header(name: &'static str, value: String) -> Self {
        Self {
            headers: vec![(name, value)],
            ..Self::default()
        }
    }

    pub(super) fn and(mut self, other: Self) -> Self {
        for (key, value) in other.auth.as_object().unwrap() {
            self.auth[key] = value.clone();
        }
        self.query += &other.query;
        self.headers.extend(other.headers);
        self
    }

    /// The same token in each place, alone.
    pub(super) fn everywhere(token: &str) -> Vec<(&'static str, Self)> {
        let bearer = format!("Bearer {token}");
        vec![
            ("auth.token", Self::in_auth(json!({"token": token}))),
            (
                "auth.token, Bearer",
                Self::in_auth(json!({"token": bearer})),
            ),
            ("auth.apiKey", Self::in_auth(json!({"apiKey": token}))),
            ("auth.api_key", Self::in_auth(json!({"api_key": token}))),
            ("X-API-Key", Self::in_header("x-api-key", token.to_owned())),
            ("query, apiKey", Self::in_query(&format!("apiKey={token}"))),
            (
                "query, api_key",
                Self::in_query(&format!("api_key={token}")),
            ),
            ("Authorization", Self::in_header("authorization", bearer)),
            (
                "Authorization, bare",
                Self::in_header("authorization", token.to_owned()),
            ),
            ("query", Self::in_query(&format!("token={token}"))),
            (
                "cookie",
                Self::in_header("cookie", format!("a=b; {COOKIE}={token}; c=d")),
            ),
        ]
    }
}

/// See the module.
pub(super) struct Line {
    end: End,
    arrived: VecDeque<String>,
}

enum End {
    WebSocket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    Polling { address: String, path: String },
}

impl Line {
    /// Opens a session of version 4, or 3 for Socket.IO 2.
    pub(super) async fn open(
        address: &str,
        transport: Transport,
        version: u8,
        shown: &Shown,
    ) -> Self {
        let query = &shown.query;
        let path =
            |transport: &str| format!("/socket.io/?EIO={version}&transport={transport}{query}");
        match transport {
            Transport::WebSocket => {
                let url = format!("ws://{address}{}", path("websocket"));
                let mut request = url.into_client_request().unwrap();
                for (name, value) in &shown.headers {
                    let value = HeaderValue::from_str(value).unwrap();
                    let name = HeaderName::from_static(name);
                    request.headers_mut().append(name, value);
                }
                let (stream, _) = tokio_tungstenite::connect_async(request).await.unwrap();
                let mut line = Self {
                    end: End::WebSocket(Box::new(stream)),
                    arrived: VecDeque::new(),
                };
                assert!(line.next().await.starts_with('0'));
                line
            }
            Transport::Polling => {
                let path = path("polling");
                let headers = shown.headers.iter();
                let headers: Vec<_> = headers
                    .map(|(name, value)| format!("{name}: {value}\r\n"))
                    .collect();
                let headers = headers.concat();
                let head = format!(
                    "GET {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n{headers}\r\n"
                );
                let (status, body) = http::request(address, &head).await;
                assert_eq!(status, 200, "{body}");
                let start = body.find('{').unwrap();
                let opened = serde_json::Deserializer::from_str(&body[start..])
                    .into_iter::<Value>()
                    .next();
                let sid = opened.unwrap().unwrap()["sid"].as_str().unwrap().to_owned();
                // Later requests show nothing: what was shown at the beginning counts.
                let path = format!("/socket.io/?EIO={version}&transport=polling&sid={sid}");
                Self {
                    end: End::Polling {
                        address: address.to_owned(),
                        path,
                    },
                    arrived: VecDeque::new(),
                }
            }
        }
    }

    /// Opens a session and enters the namespace; the line, and what is answered.
    pub(super) async fn enter(
        address: &str,
        transport: Transport,
        shown: &Shown,
    ) -> (Self, String) {
        let mut line = Self::open(address, transport, 4, shown).await;
        let answer = line.connect(&shown.auth).await;
        (line, answer)
    }

    /// Enters the namespace; what is answered.
    pub(super) async fn connect(&mut self, auth: &Value) -> String {
        self.send(&format!("40{auth}")).await;
        self.next().await
    }

    /// Enters the namespace that was left just now; what is answered. socketioxide ignores a CONNECT that comes before it
    /// has let the socket go, and nobody can see when it has: so it is said until it is heard, as it has no effect twice.
    pub(super) async fn connect_again(&mut self, auth: &Value) -> String {
        let packet = format!("40{auth}");
        self.send(&packet).await;
        if let End::Polling { address, path } = &self.end {
            let (address, path) = (address.clone(), path.clone());
            let again = async {
                loop {
                    sleep(AGAIN).await;
                    http::post(&address, &path, &packet).await;
                }
            };
            return tokio::select! {
                answer = self.next() => answer,
                never = again => never,
            };
        }
        loop {
            match timeout(AGAIN, self.next()).await {
                Ok(answer) => return answer,
                Err(_) => self.send(&packet).await,
            }
        }
    }

    /// Asks something; the answer.
    pub(super) async fn call(&mut self, name: &str, payload: Value) -> Value {
        self.send(&format!("427{}", json!([name, payload]))).await;
        loop {
            if let Some(answer) = self.next().await.strip_prefix("437") {
                let answer: Vec<Value> = serde_json::from_str(answer).unwrap();
                return answer.into_iter().next().unwrap();
            }
        }
    }

    pub(super) async fn send(&mut self, packet: &str) {
        match &mut self.end {
            End::WebSocket(stream) => stream.send(Message::text(packet)).await.unwrap(),
            End::Polling { address, path } => {
                let (status, body) = http::post(address, path, packet).await;
                assert_eq!(status, 200, "{body}");
            }
        }
    }

    /// The next packet that is no ping.
    pub(super) async fn next(&mut self) -> String {
        loop {
            if let Some(packet) = self.arrived.pop_front() {
                if packet != "2" {
                    return packet;
                }
                continue;
            }
            match &mut self.end {
                End::WebSocket(stream) => {
                    self.arrived.push_back(client::next_text(stream).await);
                }
                End::Polling { address, path } => {
                    let (status, body) = http::get(address, path).await;
                    assert_eq!(status, 200, "{body}");
                    self.arrived.extend(body.split('\u{1e}').map(str::to_owned));
                }
            }
        }
    }
}

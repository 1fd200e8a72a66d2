//! A connection to one namespace: Engine.IO 4 and Socket.IO 5 over a WebSocket, without long-polling and binary data.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::hearing::{Heard, Hearing, Page};

/// How long a connection and its namespace may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);
/// How long an ack may take.
const ACK_TIME: Duration = Duration::from_secs(10);
/// Messages that wait to be sent.
const MAX_WAITING: usize = 256;

type Stream = WebSocketStream<TcpStream>;
/// Who waits for which ack. `None` after the connection's end.
type Acks = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>>;

/// How to connect.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    /// The path of Engine.IO.
    pub(super) path: String,
    /// The query, encoded, without `EIO` and `transport`.
    pub(super) query: String,
    pub(super) origin: Option<String>,
    pub(super) auth: Value,
}

/// Why there is no connection, or no answer.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The server does not take the connection.
    #[error("the server does not accept the connection: {0}")]
    Handshake(String),
    /// The server does not want it in the namespace.
    #[error("the server refuses the namespace {namespace}: {why}")]
    Namespace {
        /// The namespace.
        namespace: String,
        /// What the server says.
        why: String,
    },
    /// It took too long.
    #[error("the server did not answer within {} s", CONNECT_TIME.as_secs())]
    Late,
    /// The server has closed the connection.
    #[error("the connection is closed")]
    Closed,
}

/// A connected namespace; closed when it is dropped.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) namespace: String,
    outgoing: mpsc::Sender<Message>,
    acks: Acks,
    next_ack: u64,
    _tasks: JoinSet<()>,
}

impl Socket {
    /// Connects to a namespace. What it hears goes to `hearing`.
    pub(super) async fn connect(
        target: &Target,
        namespace: &str,
        page: Page,
        hearing: &Arc<Hearing>,
    ) -> Result<Self, SocketError> {
        let connecting = timeout(CONNECT_TIME, open(target, namespace));
        let stream = connecting.await.map_err(|_| SocketError::Late)??;
        let (sink, source) = stream.split();
        let (outgoing, waiting) = mpsc::channel(MAX_WAITING);
        let acks = Acks::new(Mutex::new(Some(HashMap::new())));
        let incoming = Incoming {
            page,
            namespace: namespace.to_owned(),
            hearing: Arc::clone(hearing),
            acks: Arc::clone(&acks),
            outgoing: outgoing.clone(),
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(incoming.read(source));
        tasks.spawn(write(sink, waiting));
        Ok(Self {
            namespace: namespace.to_owned(),
            outgoing,
            acks,
            next_ack: 0,
            _tasks: tasks,
        })
    }

    /// Sends an event without asking for an ack.
    pub(super) async fn emit(&self, event: &str, args: &[Value]) -> Result<(), SocketError> {
        self.send(None, event, args).await
    }

    /// Sends an event and waits for its ack: the first argument of it.
    pub(super) async fn call(&mut self, event: &str, args: &[Value]) -> Result<Value, SocketError> {
        let (number, (answer, answered)) = (self.next_ack, oneshot::channel());
        self.next_ack += 1;
        match self.acks.lock().as_deref_mut() {
            Ok(Some(waiting)) => waiting.insert(number, answer),
            _ => return Err(SocketError::Closed),
        };
        self.send(Some(number), event, args).await?;
        let answered = timeout(ACK_TIME, answered).await;
        answered
            .map_err(|_| SocketError::Late)?
            .map_err(|_| SocketError::Closed)
    }

    async fn send(&self, ack: Option<u64>, event: &str, args: &[Value]) -> Result<(), SocketError> {
        let mut packet = vec![Value::from(event)];
        packet.extend_from_slice(args);
        let ack = ack.map_or_else(String::new, |number| number.to_string());
        let text = format!("42{}{ack}{}", prefix(&self.namespace), Value::from(packet));
        let sent = self.outgoing.send(Message::text(text)).await;
        sent.map_err(|_| SocketError::Closed)
    }
}

/// What stands before the data of a packet of a namespace.
fn prefix(namespace: &str) -> String {
    match namespace {
        "/" => String::new(),
        other => format!("{other},"),
    }
}

/// Opens the WebSocket and enters the namespace.
async fn open(target: &Target, namespace: &str) -> Result<Stream, SocketError> {
    let failed = |error: &dyn std::fmt::Display| SocketError::Handshake(error.to_string());
    let mut url = format!(
        "ws://{}{}/?EIO=4&transport=websocket",
        target.address,
        target.path.trim_end_matches('/')
    );
    if !target.query.is_empty() {
        url.push('&');
        url.push_str(&target.query);
    }
    let mut request = url.into_client_request().map_err(|error| failed(&error))?;
    if let Some(origin) = &target.origin {
        let origin = HeaderValue::from_str(origin).map_err(|error| failed(&error))?;
        request.headers_mut().insert("Origin", origin);
    }
    let stream = TcpStream::connect(target.address).await;
    let stream = stream.map_err(|error| failed(&error))?;
    let opened = tokio_tungstenite::client_async(request, stream).await;
    let (mut stream, _) = opened.map_err(|error| match error {
        Error::Http(answer) => {
            let body = answer.body().as_deref().unwrap_or_default();
            let body = String::from_utf8_lossy(body).into_owned();
            SocketError::Handshake(format!("{} {body}", answer.status()))
        }
        error => failed(&error),
    })?;
    let connect = format!("40{}{}", prefix(namespace), target.auth);
    send(&mut stream, connect).await?;
    loop {
        let text = next(&mut stream).await.ok_or(SocketError::Closed)?;
        match text.split_at_checked(2) {
            Some(("40", _)) => return Ok(stream),
            Some(("44", why)) => {
                return Err(SocketError::Namespace {
                    namespace: namespace.to_owned(),
                    why: data(why).to_owned(),
                });
            }
            _ if text == "2" => send(&mut stream, "3".to_owned()).await?,
            _ => {}
        }
    }
}

async fn send(stream: &mut Stream, text: String) -> Result<(), SocketError> {
    let sent = stream.send(Message::text(text)).await;
    sent.map_err(|_| SocketError::Closed)
}

/// The next Engine.IO packet; `None` at the end.
async fn next<S>(stream: &mut S) -> Option<String>
where
    S: StreamExt<Item = Result<Message, Error>> + Unpin,
{
    loop {
        match stream.next().await?.ok()? {
            Message::Text(text) => return Some(text.as_str().to_owned()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

/// The data of a packet, without its namespace.
fn data(packet: &str) -> &str {
    match packet.strip_prefix('/') {
        Some(rest) => rest.split_once(',').map_or("", |(_, data)| data),
        None => packet,
    }
}

async fn write(mut sink: SplitSink<Stream, Message>, mut waiting: mpsc::Receiver<Message>) {
    while let Some(message) = waiting.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

/// The reading half.
struct Incoming {
    page: Page,
    namespace: String,
    hearing: Arc<Hearing>,
    acks: Acks,
    outgoing: mpsc::Sender<Message>,
}

impl Incoming {
    async fn read(self, mut source: SplitStream<Stream>) {
        while let Some(text) = next(&mut source).await {
            if text == "2" && self.outgoing.send(Message::text("3")).await.is_err() {
                break;
            }
            match text.split_at_checked(2) {
                Some(("42", rest)) => self.event(data(rest), text.len()),
                Some(("43", rest)) => self.ack(data(rest)),
                Some(("41", _)) => break,
                _ => {}
            }
        }
        // Those who wait for an ack learn of the end by it.
        if let Ok(mut acks) = self.acks.lock() {
            *acks = None;
        }
    }

    fn event(&self, data: &str, bytes: usize) {
        let Ok(Value::Array(mut args)) = serde_json::from_str(data) else {
            return;
        };
        if args.is_empty() {
            return;
        }
        if let Value::String(event) = args.remove(0) {
            let heard = Heard {
                page: self.page,
                namespace: self.namespace.clone(),
                event,
                args,
            };
            self.hearing.add(heard, bytes);
        }
    }

    fn ack(&self, data: &str) {
        let digits = data.find('[').unwrap_or(0);
        let (number, args) = data.split_at(digits);
        let args = serde_json::from_str::<Vec<Value>>(args);
        if let (Ok(number), Ok(args), Ok(Some(waiting))) =
            (number.parse(), args, self.acks.lock().as_deref_mut())
            && let Some(answer) = waiting.remove(&number)
        {
            // Who has stopped waiting does not want it.
            answer
                .send(args.into_iter().next().unwrap_or_default())
                .ok();
        }
    }
}

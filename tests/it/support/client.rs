//! A small Socket.IO client over WebSocket, for tests that need a hundred of them or one that misbehaves.
//! What real clients do is tested with real clients, in `tests/clients`.

mod incoming;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub(crate) use incoming::Received;
use incoming::{Acks, Incoming};

use super::http;

/// A WebSocket.
pub(crate) type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

const PATIENCE: Duration = Duration::from_mins(1);
/// How long a connection may take to be made by a client that has others to try.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// A connected client; disconnected when dropped.
pub(crate) struct Client {
    outgoing: mpsc::UnboundedSender<Message>,
    acks: Acks,
    next_ack: AtomicU64,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Received>>,
    /// Kept apart from the events, whose order they do not share.
    signals: tokio::sync::Mutex<mpsc::UnboundedReceiver<Received>>,
    reading: watch::Sender<bool>,
    reader: tokio::task::JoinHandle<()>,
    writer: tokio::task::JoinHandle<()>,
    /// The private id of the session, if the server gave one.
    pid: Option<String>,
    /// Whether the session of before goes on.
    recovered: bool,
    /// The cursor that came last, on this connection or on those before.
    offset: Arc<Mutex<Option<String>>>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
    }
}

impl Client {
    pub(crate) async fn connect(address: &str) -> Self {
        Self::connect_with(address, &json!({}))
            .await
            .expect("the server lets everyone in")
    }

    /// Connects with `auth`; the error of `connect_error` if the server does not want it.
    pub(crate) async fn connect_with(address: &str, auth: &Value) -> Result<Self, Value> {
        let stream = open(address).await;
        Self::enter(stream, auth).await.expect("a good connection")
    }

    /// Connects from an address of this machine; the HTTP status if that is refused, or 0 if without a word.
    pub(crate) async fn connect_from(source: &str, address: &str) -> Result<Self, u16> {
        let stream = http::connect_from(source, address).await;
        let stream = MaybeTlsStream::Plain(stream.expect("the server listens"));
        let (mut stream, _) = match tokio_tungstenite::client_async(url(address), stream).await {
            Err(Error::Http(refusal)) => return Err(refusal.status().as_u16()),
            Err(_) => return Err(0),
            Ok(connected) => connected,
        };
        next_text(&mut stream).await;
        let entered = Self::enter(stream, &json!({})).await;
        Ok(entered.expect("a good connection").expect("no refusal"))
    }

    /// Connects; `None` if the server cannot be reached, ends meanwhile or takes too long.
    pub(crate) async fn try_connect(address: &str, auth: &Value) -> Option<Self> {
        let connecting = async {
            let (mut stream, _) = tokio_tungstenite::connect_async(url(address)).await.ok()?;
            try_message(&mut stream).await?;
            Self::enter(stream, auth).await?.ok()
        };
        let connected = tokio::time::timeout(CONNECT_PATIENCE, connecting).await;
        connected.ok().flatten()
    }

    /// Enters the namespace; `None` if the connection ends.
    async fn enter(stream: Stream, auth: &Value) -> Option<Result<Self, Value>> {
        let (mut sink, mut source) = stream.split();
        sink.send(Message::text(format!("40{auth}"))).await.ok()?;
        // The first ping often comes before the answer, and a server with little patience wants its pong.
        let mut answer = try_message(&mut source).await?;
        while answer == "2" {
            sink.send(Message::text("3")).await.ok()?;
            answer = try_message(&mut source).await?;
        }
        // Python clients would not come back.
        assert_ne!(answer, "1", "the server says farewell");
        if let Some(refusal) = answer.strip_prefix("44") {
            return Some(Err(serde_json::from_str(refusal).expect("JSON")));
        }
        let answer = answer
            .strip_prefix("40")
            .unwrap_or_else(|| panic!("{answer}"));
        let answer: Value = serde_json::from_str(answer).expect("CONNECT is answered with JSON");
        let pid = answer["pid"].as_str().map(str::to_owned);
        let offset = auth["offset"].as_str().map(str::to_owned);
        let offset = Arc::new(Mutex::new(offset));
        let (outgoing, mut to_send) = mpsc::unbounded_channel::<Message>();
        let (to_events, events) = mpsc::unbounded_channel();
        let (to_signals, signals) = mpsc::unbounded_channel();
        let (reading, may_read) = watch::channel(true);
        let acks = Acks::new(Mutex::new(Some(HashMap::new())));
        let incoming = Incoming {
            outgoing: outgoing.clone(),
            events: to_events,
            signals: to_signals,
            acks: Arc::clone(&acks),
            offset: pid.is_some().then(|| Arc::clone(&offset)),
        };
        let reader = tokio::spawn(incoming.read(source, may_read));
        let writer = tokio::spawn(async move {
            while let Some(message) = to_send.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
        });
        Some(Ok(Self {
            outgoing,
            acks,
            next_ack: AtomicU64::new(1),
            events: tokio::sync::Mutex::new(events),
            signals: tokio::sync::Mutex::new(signals),
            reading,
            reader,
            writer,
            recovered: pid.is_some() && auth["pid"] == answer["pid"],
            pid,
            offset,
        }))
    }

    /// Sends an event with any arguments and asks for no ack.
    pub(crate) fn emit(&self, name: &str, args: &[Value]) {
        self.send_raw(format!("42{}", packet(name, args)));
    }

    /// Sends an Engine.IO message as it stands.
    pub(crate) fn send_raw(&self, text: String) {
        self.outgoing.send(Message::text(text)).ok();
    }

    /// Sends an event and asks for an ack, which the receiver gets.
    pub(crate) fn ask(&self, name: &str, args: &[Value]) -> oneshot::Receiver<Value> {
        self.ask_raw(&packet(name, args))
    }

    /// Sends a packet that may be no JSON and asks for an ack.
    pub(crate) fn ask_raw(&self, packet: &str) -> oneshot::Receiver<Value> {
        let ack = self.next_ack.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        if let Some(waiting) = &mut *self.acks.lock().unwrap() {
            waiting.insert(ack, sender);
        }
        self.send_raw(format!("42{ack}{packet}"));
        receiver
    }

    /// Sends an event and waits for its ack.
    pub(crate) async fn call(&self, name: &str, payload: Value) -> Value {
        self.try_call(name, payload)
            .await
            .expect("every packet that asks for an ack gets one")
    }

    /// As [`Client::call`]; `None` if the connection ends first.
    pub(crate) async fn try_call(&self, name: &str, payload: Value) -> Option<Value> {
        let answer = self.ask(name, &[payload]);
        tokio::time::timeout(PATIENCE, answer)
            .await
            .expect("an ack in time")
            .ok()
    }

    pub(crate) async fn join(&self, project: &str) -> Value {
        let joined = self.call("join:project", json!(project)).await;
        assert_eq!(joined["ok"], true, "{joined}");
        joined
    }

    /// The next event, within a minute.
    pub(crate) async fn next(&self) -> Received {
        self.try_next(PATIENCE).await.expect("an event in time")
    }

    /// The next event; `None` if there is none in time or the connection has ended.
    pub(crate) async fn try_next(&self, patience: Duration) -> Option<Received> {
        let mut events = self.events.lock().await;
        tokio::time::timeout(patience, events.recv())
            .await
            .ok()
            .flatten()
    }

    /// The next signal, within a minute.
    pub(crate) async fn next_signal(&self) -> Received {
        let mut signals = self.signals.lock().await;
        let next = tokio::time::timeout(PATIENCE, signals.recv()).await;
        next.expect("a signal in time").expect("a connection")
    }

    /// The next signal of a name, within a time; others that come before it are dropped.
    pub(crate) async fn try_signal(&self, name: &str, patience: Duration) -> Option<Received> {
        let awaited = async {
            loop {
                let signal = self.next_signal().await;
                if signal.name == name {
                    return signal;
                }
            }
        };
        tokio::time::timeout(patience, awaited).await.ok()
    }

    /// The signals that have come so far.
    pub(crate) async fn signals_so_far(&self) -> Vec<Received> {
        let mut signals = self.signals.lock().await;
        std::iter::from_fn(|| signals.try_recv().ok()).collect()
    }

    /// Takes so many events.
    pub(crate) async fn take(&self, count: usize) -> Vec<Received> {
        let mut taken = Vec::with_capacity(count);
        for _ in 0..count {
            taken.push(self.next().await);
        }
        taken
    }

    /// Stops or goes on reading from the connection.
    pub(crate) fn set_reading(&self, reading: bool) {
        self.reading.send_replace(reading);
    }

    /// Falls asleep: reads nothing and answers nothing, while the connection stays open. What had arrived by then can
    /// still be taken.
    pub(crate) async fn sleep(&self) {
        end(&self.reader).await;
        self.acks.lock().unwrap().take();
    }

    /// Loses the connection. What had arrived by then can still be taken.
    pub(crate) async fn cut(&self) {
        self.sleep().await;
        end(&self.writer).await;
    }

    /// What socket.io-client 4.6 or newer adds to the `auth` with which it comes back. What has arrived counts as
    /// seen: whoever goes on with another client must have read it from this one.
    pub(crate) fn recovery(&self) -> Value {
        let mut recovery = json!({});
        if let Some(pid) = &self.pid {
            recovery["pid"] = json!(pid);
            if let Some(offset) = &*self.offset.lock().unwrap() {
                recovery["offset"] = json!(offset);
            }
        }
        recovery
    }

    /// Whether the session of before goes on, so that the rooms are there and nothing is missing.
    pub(crate) fn recovered(&self) -> bool {
        self.recovered
    }

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.reader.is_finished()
    }
}

async fn end(task: &tokio::task::JoinHandle<()>) {
    task.abort();
    while !task.is_finished() {
        tokio::task::yield_now().await;
    }
}

fn packet(name: &str, args: &[Value]) -> String {
    let mut packet = vec![json!(name)];
    packet.extend_from_slice(args);
    Value::from(packet).to_string()
}

fn url(address: &str) -> String {
    format!("ws://{address}/socket.io/?EIO=4&transport=websocket")
}

/// Opens a WebSocket and takes the Engine.IO handshake.
pub(crate) async fn open(address: &str) -> Stream {
    let (mut stream, _) = tokio_tungstenite::connect_async(url(address))
        .await
        .expect("the server listens");
    let opened = next_text(&mut stream).await;
    assert!(opened.starts_with('0'), "{opened}");
    stream
}

/// The next text message that is no ping.
pub(crate) async fn next_text<S>(source: &mut S) -> String
where
    S: futures_util::Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    loop {
        let text = try_message(source).await.expect("an open connection");
        if text != "2" {
            return text;
        }
    }
}

/// The next text message; `None` if the connection ends.
async fn try_message<S>(source: &mut S) -> Option<String>
where
    S: futures_util::Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    loop {
        let message = tokio::time::timeout(PATIENCE, source.next())
            .await
            .expect("a message in time");
        if let Message::Text(text) = message?.ok()? {
            return Some(text.to_string());
        }
    }
}

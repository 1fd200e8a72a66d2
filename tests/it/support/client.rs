//! A small Socket.IO client over WebSocket, for tests that need a hundred of them or one that misbehaves.
//! What real clients do is tested with real clients, in `tests/clients`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Acks = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

const PATIENCE: Duration = Duration::from_mins(1);

/// An event as it arrived.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Received {
    pub(crate) name: String,
    pub(crate) args: Vec<Value>,
}

impl Received {
    pub(crate) fn seq(&self) -> i64 {
        self.args[0]["seq"]
            .as_i64()
            .unwrap_or_else(|| panic!("an event has a seq: {self:?}"))
    }
}

/// A connected client; disconnected when dropped.
pub(crate) struct Client {
    outgoing: mpsc::UnboundedSender<Message>,
    acks: Acks,
    next_ack: AtomicU64,
    events: tokio::sync::Mutex<mpsc::UnboundedReceiver<Received>>,
    signals: tokio::sync::Mutex<mpsc::UnboundedReceiver<Received>>,
    reading: watch::Sender<bool>,
    reader: tokio::task::JoinHandle<()>,
    writer: tokio::task::JoinHandle<()>,
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
        let (mut sink, mut source) = stream.split();
        sink.send(Message::text(format!("40{auth}")))
            .await
            .expect("connected");
        // The first ping often comes before the answer, and a server with little patience wants its pong.
        let mut answer = next_message(&mut source).await;
        while answer == "2" {
            sink.send(Message::text("3")).await.expect("connected");
            answer = next_message(&mut source).await;
        }
        if let Some(refusal) = answer.strip_prefix("44") {
            return Err(serde_json::from_str(refusal).expect("JSON"));
        }
        assert!(answer.starts_with("40{"), "{answer}");
        let (outgoing, mut to_send) = mpsc::unbounded_channel::<Message>();
        let (incoming, events) = mpsc::unbounded_channel();
        let (fleeting, signals) = mpsc::unbounded_channel();
        let (reading, may_read) = watch::channel(true);
        let acks = Acks::default();
        let reader = tokio::spawn(read(
            source,
            outgoing.clone(),
            Incoming {
                events: incoming,
                signals: fleeting,
            },
            Arc::clone(&acks),
            may_read,
        ));
        let writer = tokio::spawn(async move {
            while let Some(message) = to_send.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            outgoing,
            acks,
            next_ack: AtomicU64::new(1),
            events: tokio::sync::Mutex::new(events),
            signals: tokio::sync::Mutex::new(signals),
            reading,
            reader,
            writer,
        })
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
        self.acks.lock().unwrap().insert(ack, sender);
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

    /// The next message that is in no log, within a minute.
    pub(crate) async fn next_signal(&self) -> Received {
        let mut signals = self.signals.lock().await;
        let next = tokio::time::timeout(PATIENCE, signals.recv()).await;
        next.expect("a signal in time").expect("a connection")
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

    /// Whether the connection has ended.
    pub(crate) fn is_closed(&self) -> bool {
        self.reader.is_finished()
    }
}

fn packet(name: &str, args: &[Value]) -> String {
    let mut packet = vec![json!(name)];
    packet.extend_from_slice(args);
    Value::from(packet).to_string()
}

/// Opens a WebSocket and takes the Engine.IO handshake.
pub(crate) async fn open(address: &str) -> Stream {
    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
    let (mut stream, _) = tokio_tungstenite::connect_async(url)
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
        let text = next_message(source).await;
        if text != "2" {
            return text;
        }
    }
}

/// The next text message.
async fn next_message<S>(source: &mut S) -> String
where
    S: futures_util::Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    loop {
        let message = tokio::time::timeout(PATIENCE, source.next())
            .await
            .expect("a message in time");
        let message = message.expect("an open connection");
        if let Message::Text(text) = message.expect("a good message") {
            return text.to_string();
        }
    }
}

/// Where events go, and messages that are in no log.
struct Incoming {
    events: mpsc::UnboundedSender<Received>,
    signals: mpsc::UnboundedSender<Received>,
}

impl Incoming {
    fn take(&self, received: Received) {
        let is_signal = received.name != "error" && received.args[0]["seq"].is_null();
        let queue = if is_signal {
            &self.signals
        } else {
            &self.events
        };
        queue.send(received).ok();
    }
}

async fn read(
    mut source: futures_util::stream::SplitStream<Stream>,
    outgoing: mpsc::UnboundedSender<Message>,
    incoming: Incoming,
    acks: Acks,
    mut may_read: watch::Receiver<bool>,
) {
    loop {
        if may_read.wait_for(|reading| *reading).await.is_err() {
            return;
        }
        let message = tokio::select! {
            message = source.next() => message,
            _ = may_read.changed() => continue,
        };
        let Some(Ok(message)) = message else { break };
        let Message::Text(text) = message else {
            continue;
        };
        match text.as_str() {
            "2" => {
                outgoing.send(Message::text("3")).ok();
            }
            text => {
                if let Some(event) = text.strip_prefix("42") {
                    let mut args: Vec<Value> =
                        serde_json::from_str(event).expect("an event is JSON");
                    let name = args
                        .remove(0)
                        .as_str()
                        .expect("an event has a name")
                        .to_owned();
                    incoming.take(Received { name, args });
                } else if let Some(ack) = text.strip_prefix("43") {
                    let digits = ack.find('[').expect("an ack has an array");
                    let id: u64 = ack[..digits].parse().expect("an ack has an id");
                    let mut args: Vec<Value> =
                        serde_json::from_str(&ack[digits..]).expect("an ack is JSON");
                    let waiting = acks.lock().unwrap().remove(&id);
                    waiting
                        .expect("one ack per packet")
                        .send(args.remove(0))
                        .ok();
                }
            }
        }
    }
    // Whoever still waits learns that no ack will come.
    acks.lock().unwrap().clear();
}

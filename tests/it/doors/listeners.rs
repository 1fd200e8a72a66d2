//! Those who listen, one at each door. Of what they hear only the bytes of the payload are kept, and where it belongs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use super::CHANNELS;
use crate::support::http;

const PATIENCE: Duration = Duration::from_secs(30);

/// A way to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Door {
    SocketIo,
    Flat,
    Envelope,
    Sse,
    LongPoll,
}

impl Door {
    pub(super) const ALL: [Self; 5] = [
        Self::SocketIo,
        Self::Flat,
        Self::Envelope,
        Self::Sse,
        Self::LongPoll,
    ];
}

/// An event as somebody heard it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) seq: i64,
    pub(super) event_type: String,
    pub(super) payload: String,
}

/// What was heard, and where to go on.
#[derive(Default)]
struct Notes {
    heard: BTreeMap<String, Vec<Heard>>,
    cursors: BTreeMap<&'static str, String>,
    ready: usize,
}

/// Under which one cursor for all channels is kept.
const ALL: &str = "";

/// See the module.
pub(super) struct Listener {
    pub(super) door: Door,
    notes: Arc<Mutex<Notes>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Listener {
    /// Listens from the beginning. Returns when nothing can be missed any more.
    pub(super) async fn start(door: Door, address: &str) -> Self {
        let mut listener = Self {
            door,
            notes: Arc::default(),
            tasks: Vec::new(),
        };
        listener.listen(address);
        let ready = async {
            while listener.notes.lock().unwrap().ready < listener.tasks.len() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, ready).await;
        in_time.unwrap_or_else(|_| panic!("{door:?} is subscribed in time"));
        listener
    }

    /// Loses the connection and comes back, perhaps to another instance, with the last cursor.
    pub(super) async fn cut_and_go_on(&mut self, address: &str) {
        for task in &self.tasks {
            task.abort();
        }
        for task in self.tasks.drain(..) {
            // It may hear something until it has ended.
            let ended = task.await;
            assert!(
                ended.is_err_and(|error| error.is_cancelled()),
                "{:?}",
                self.door
            );
        }
        self.listen(address);
    }

    fn listen(&mut self, address: &str) {
        // One for each channel, where there are no others.
        let channels: Vec<_> = match self.door {
            Door::LongPoll => CHANNELS.chunks(1).collect(),
            _ => vec![&CHANNELS[..]],
        };
        for channels in channels {
            let (door, address) = (self.door, address.to_owned());
            let notes = Arc::clone(&self.notes);
            self.tasks.push(tokio::spawn(async move {
                match door {
                    Door::SocketIo => socket_io(&address, &notes).await,
                    Door::Flat => websocket(&address, "/ws", &notes).await,
                    Door::Envelope => websocket(&address, "/ws/v1", &notes).await,
                    Door::Sse => sse(&address, &notes).await,
                    Door::LongPoll => long_poll(&address, channels[0], &notes).await,
                }
            }));
        }
    }

    pub(super) fn heard(&self) -> BTreeMap<String, Vec<Heard>> {
        self.notes.lock().unwrap().heard.clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Notes {
    fn cursor(&self) -> Option<&String> {
        self.cursors.get(ALL)
    }

    fn hear(&mut self, channel: &str, heard: Heard, cursor: Option<String>) {
        let channel = if channel.starts_with("agent:") {
            "agent:*"
        } else {
            channel
        };
        self.heard
            .entry(channel.to_owned())
            .or_default()
            .push(heard);
        if let Some(cursor) = cursor {
            self.cursors.insert(ALL, cursor);
        }
    }
}

type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<TcpStream>>;

async fn open(url: &str) -> Socket {
    let (socket, _) = tokio_tungstenite::connect_async(url).await.expect(url);
    socket
}

async fn next(socket: &mut Socket) -> Option<String> {
    loop {
        match socket.next().await? {
            Ok(Message::Text(text)) => return Some(text.as_str().to_owned()),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

/// What a whole message says of an event.
#[derive(Deserialize)]
struct Told<'a> {
    #[serde(default)]
    channel: String,
    r#type: String,
    seq: i64,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Told<'_> {
    fn heard(&self) -> Heard {
        Heard {
            seq: self.seq,
            event_type: self.r#type.clone(),
            payload: self.data.get().to_owned(),
        }
    }
}

async fn socket_io(address: &str, notes: &Mutex<Notes>) {
    let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
    let mut socket = open(&url).await;
    let mut whole = None;
    while let Some(text) = next(&mut socket).await {
        match text.get(..1) {
            Some("0") => socket.send(Message::text("40{}")).await.unwrap(),
            Some("2") => socket.send(Message::text("3")).await.unwrap(),
            _ => {}
        }
        if text.starts_with("40") {
            let since = notes.lock().unwrap().cursor().cloned();
            let wish = json!(["subscribe", {"channels": CHANNELS, "since": since}]);
            let wish = Message::text(format!("421{wish}"));
            socket.send(wish).await.unwrap();
        } else if let Some(answer) = text.strip_prefix("431") {
            assert!(answer.starts_with("[{\"ok\":true"), "{answer}");
            notes.lock().unwrap().ready += 1;
        } else if let Some(packet) = text.strip_prefix("42") {
            hear_packet(packet, &mut whole, &mut notes.lock().unwrap());
        }
    }
}

/// What an event of a project says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfProject {
    seq: i64,
    project_id: String,
}

/// Takes a packet of Socket.IO. An event of a channel comes twice: whole, and under its own name.
fn hear_packet(packet: &str, whole: &mut Option<(String, Heard)>, notes: &mut Notes) {
    let packet: Vec<&RawValue> = serde_json::from_str(packet).unwrap();
    let name: String = serde_json::from_str(packet[0].get()).unwrap();
    let payload = packet[1].get();
    let cursor = packet.last().unwrap().get();
    let cursor = serde_json::from_str::<String>(cursor).ok();
    match &*name {
        "session:cursor" => {
            notes.cursors.insert(ALL, cursor.unwrap());
        }
        "event" => {
            let told: Told<'_> = serde_json::from_str(payload).unwrap();
            *whole = Some((told.channel.clone(), told.heard()));
        }
        name if name.starts_with("presence:") => {}
        name => {
            assert!(cursor.is_some(), "{name} {payload}");
            if let Some((channel, heard)) = whole.take() {
                assert_eq!((&*heard.event_type, &*heard.payload), (name, payload));
                notes.hear(&channel, heard, cursor);
                return;
            }
            let of: OfProject = serde_json::from_str(payload).expect(payload);
            let heard = Heard {
                seq: of.seq,
                event_type: name.to_owned(),
                payload: payload.to_owned(),
            };
            notes.hear(&format!("project:{}", of.project_id), heard, cursor);
        }
    }
}

/// A message of either spelling.
#[derive(Deserialize)]
struct Flat<'a> {
    r#type: String,
    channel: Option<String>,
    seq: Option<i64>,
    cursor: Option<String>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    metadata: Option<Metadata>,
}

#[derive(Deserialize)]
struct Metadata {
    channel: Option<String>,
    seq: Option<i64>,
    cursor: Option<String>,
}

async fn websocket(address: &str, path: &str, notes: &Mutex<Notes>) {
    let is_flat = path == "/ws";
    let mut socket = open(&format!("ws://{address}{path}")).await;
    let since = notes.lock().unwrap().cursor().cloned();
    if is_flat {
        let wish = json!({"type": "subscribe", "channels": CHANNELS, "since": since, "id": "1"});
        socket.send(Message::text(wish.to_string())).await.unwrap();
    } else {
        for (number, channel) in CHANNELS.iter().enumerate() {
            let wish = json!({"id": number.to_string(), "type": "subscribe", "timestamp": 1,
                "data": {"resource": channel, "cursor": since}, "metadata": {"version": "1.0"}});
            socket.send(Message::text(wish.to_string())).await.unwrap();
        }
    }
    let mut subscribed = 0;
    while let Some(text) = next(&mut socket).await {
        let told: Flat<'_> = serde_json::from_str(&text).expect(&text);
        assert!(!told.r#type.contains("error"), "{text}");
        if matches!(&*told.r#type, "subscribed" | "subscription_update") {
            subscribed += 1;
            if is_flat || subscribed == CHANNELS.len() {
                notes.lock().unwrap().ready += 1;
            }
            continue;
        }
        let metadata = told.metadata.as_ref();
        let seq = told.seq.or(metadata.and_then(|metadata| metadata.seq));
        let channel = told.channel.clone();
        let channel = channel.or(metadata.and_then(|metadata| metadata.channel.clone()));
        let cursor = told.cursor.clone();
        let cursor = cursor.or(metadata.and_then(|metadata| metadata.cursor.clone()));
        if let (Some(seq), Some(channel), Some(data)) = (seq, channel, told.data) {
            let heard = Heard {
                seq,
                event_type: told.r#type.clone(),
                payload: data.get().to_owned(),
            };
            assert!(cursor.is_some(), "{text}");
            notes.lock().unwrap().hear(&channel, heard, cursor);
        }
    }
}

/// What the data of an event stream says.
#[derive(Deserialize)]
struct Data<'a> {
    channel: String,
    r#type: String,
    seq: i64,
    #[serde(borrow)]
    message: &'a RawValue,
}

async fn sse(address: &str, notes: &Mutex<Notes>) {
    let channels = format!("channel={}", CHANNELS.join("&channel="));
    let last = notes.lock().unwrap().cursor().cloned();
    let last = last.map(|id| format!("Last-Event-ID: {id}\r\n"));
    // In HTTP 1.0 the body is what comes until the end.
    let head = format!(
        "GET /api/events?{} HTTP/1.0\r\nHost: it\r\n{}\r\n",
        channels,
        last.unwrap_or_default()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut lines = BufReader::new(stream).lines();
    let status = lines.next_line().await.unwrap().unwrap();
    assert!(status.contains(" 200 "), "{status}");
    let (mut id, mut data, mut named) = (None, String::new(), None);
    let mut is_ready = false;
    while let Ok(Some(line)) = lines.next_line().await {
        match line.split_once(": ") {
            Some(("id", text)) => id = Some(text.to_owned()),
            Some(("data", text)) => data.push_str(text),
            Some(("event", text)) => named = Some(text.to_owned()),
            _ => {}
        }
        if !line.is_empty() {
            continue;
        }
        assert_eq!(named, None, "{data}");
        let mut notes = notes.lock().unwrap();
        if let Some(id) = id.take() {
            notes.cursors.insert(ALL, id);
            if !std::mem::replace(&mut is_ready, true) {
                notes.ready += 1;
            }
        }
        if !data.is_empty() {
            let said: Data<'_> = serde_json::from_str(&data).expect(&data);
            let event = Heard {
                seq: said.seq,
                event_type: said.r#type,
                payload: said.message.get().to_owned(),
            };
            notes.hear(&said.channel, event, None);
            data.clear();
        }
    }
}

/// A page of a channel's log.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    cursor: String,
    has_more: bool,
    #[serde(borrow)]
    events: Vec<Told<'a>>,
}

async fn page(address: &str, channel: &str, query: &str) -> String {
    let channel = channel.replace('*', "%2A");
    let path = format!("/api/channels/{channel}/events?{query}");
    let (status, body) =
        http::request(address, &format!("GET {path} HTTP/1.0\r\nHost: it\r\n\r\n")).await;
    assert_eq!(status, 200, "{path}: {body}");
    body
}

async fn long_poll(address: &str, channel: &'static str, notes: &Mutex<Notes>) {
    loop {
        let since = notes.lock().unwrap().cursors.get(channel).cloned();
        let since = since.unwrap_or_else(|| "0".to_owned());
        let query = format!("since={since}&limit=7&wait=1");
        let body = page(address, channel, &query).await;
        let page: Page<'_> = serde_json::from_str(&body).expect(&body);
        let mut notes = notes.lock().unwrap();
        for event in &page.events {
            notes.hear(channel, event.heard(), None);
        }
        if notes.cursors.insert(channel, page.cursor).is_none() {
            notes.ready += 1;
        }
    }
}

/// All that a channel has.
pub(super) async fn whole_log(address: &str, channel: &str) -> Vec<Heard> {
    let (mut log, mut since) = (Vec::new(), "0".to_owned());
    loop {
        let body = page(address, channel, &format!("since={since}&limit=500")).await;
        let page: Page<'_> = serde_json::from_str(&body).expect(&body);
        log.extend(page.events.iter().map(Told::heard));
        since = page.cursor;
        if !page.has_more {
            return log;
        }
    }
}

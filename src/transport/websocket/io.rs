//! A connection's stream: one task reads what the client says and writes what waits for it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::{sleep, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::close;
use super::door::{Packet, WebSocketConnection};
use super::large::beside_runtime;
use super::message::{Message as ClientMessage, Received};
use crate::clock::Clock;
use crate::transport::connection::Close;
use crate::transport::flow::Flow;

/// Read buffer in bytes: small, because most messages are, and each connection has one.
const READ_BUFFER: usize = 512;
/// Bytes that are written in one go, and of which a frame consists: the buffer for them is kept.
const WRITE_BUFFER: usize = 16 * 1024;
/// Most messages in a batch…
const BATCH_MESSAGES: usize = 256;
/// … and most bytes before the last one.
const BATCH_BYTES: usize = 256 * 1024;
/// How long the other end has for taking the close frame, and then for closing its side.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long a last word may take if all is over.
const LAST_WORD: Duration = Duration::from_millis(250);
/// Bytes that are read and dropped after the close frame. What lies unread when a socket is closed makes the operating
/// system reset the connection, and the client may never see the close frame.
const MAX_DISCARDED: usize = 64 * 1024 * 1024;

type Outgoing<S> = SplitSink<WebSocketStream<S>, Message>;
type Incoming<S> = SplitStream<WebSocketStream<S>>;

/// How reading or writing ended.
enum Ended {
    /// The client has gone, perhaps with a word.
    Gone,
    /// The connection is to end at once.
    Aborted,
}

/// Lets go of a connection, whatever becomes of its task.
struct Leaving(Arc<WebSocketConnection>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.door.shared.timers.remove(self.0.id);
        self.0.let_go("gone");
    }
}

/// Serves a connection until its end.
pub(super) async fn run<S, M>(connection: Arc<WebSocketConnection>, stream: Flow<S, M>)
where
    Flow<S, M>: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let leaving = Leaving(connection);
    let connection = &leaving.0;
    let max_message = connection.app().config().max_websocket_message();
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message));
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let (mut outgoing, mut incoming) = socket.split();
    let ended = tokio::select! {
        ended = read(connection, &mut incoming) => Some(ended),
        written = write(connection, &mut outgoing) => written.err().map(|_| Ended::Gone),
        () = connection.door.was_cut.notified() => Some(Ended::Aborted),
    };
    // Boxed, because it is large and happens once.
    Box::pin(part(connection, ended, outgoing, incoming)).await;
}

/// Says goodbye, as far as anybody listens.
async fn part<S, M>(
    connection: &WebSocketConnection,
    ended: Option<Ended>,
    mut outgoing: Outgoing<Flow<S, M>>,
    incoming: Incoming<Flow<S, M>>,
) where
    Flow<S, M>: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let patience = match ended {
        // What the other end said is answered by the library, on the next flush.
        Some(Ended::Gone) => {
            connection.finish(Close::Normal, "client");
            let flushed = timeout(LAST_WORD, outgoing.flush()).await;
            return drop(flushed);
        }
        Some(Ended::Aborted) => LAST_WORD,
        None => GOODBYE,
    };
    let (close, reason) = connection.ending();
    let frame = CloseFrame {
        code: CloseCode::from(close::code(close)),
        reason: reason.to_owned().into(),
    };
    let said = timeout(patience, outgoing.send(Message::Close(Some(frame)))).await;
    if matches!(said, Ok(Ok(())))
        && let Ok(socket) = outgoing.reunite(incoming)
    {
        // Nothing of what was read is kept meanwhile: it may be a large message that was given up.
        let mut stream = socket.into_inner();
        let discarded = discard(stream.get_mut());
        if timeout(GOODBYE, discarded).await.is_err() {
            tracing::debug!(connection.id = %connection.id, "no goodbye");
        }
    }
}

/// Reads and drops what comes until the other end closes its side.
async fn discard<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) {
    if stream.shutdown().await.is_err() {
        return;
    }
    let (mut buffer, mut discarded) = (vec![0; WRITE_BUFFER], 0);
    while discarded < MAX_DISCARDED {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(bytes) => discarded += bytes,
        }
    }
}

async fn read<S>(connection: &Arc<WebSocketConnection>, incoming: &mut Incoming<S>) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let heartbeat = &connection.door.heartbeat;
    loop {
        heartbeat.set_paused(true);
        connection.room_in_inbox().await;
        heartbeat.set_paused(false);
        let Some(message) = incoming.next().await else {
            return Ended::Gone;
        };
        heartbeat.heard();
        let pause = match message {
            Ok(Message::Text(text)) => receive(connection, &text),
            // Some libraries send every JSON like that.
            Ok(Message::Binary(bytes)) => {
                receive(connection, std::str::from_utf8(&bytes).unwrap_or_default())
            }
            Ok(Message::Close(_)) => return Ended::Gone,
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => connection.spend_frame(),
            Err(error) => {
                let Some((code, reason)) = violation(&error) else {
                    return Ended::Gone;
                };
                connection.finish(Close::Violation(code), reason);
                return Ended::Aborted;
            }
        };
        if let Some(pause) = pause {
            heartbeat.set_paused(true);
            sleep(pause).await;
        }
    }
}

/// Takes a text in; for how long nothing more is to be read.
fn receive(connection: &Arc<WebSocketConnection>, text: &str) -> Option<Duration> {
    connection.door.shared.note_message();
    let format = connection.door.format;
    let max = connection.app().payload_limits().max_payload_bytes;
    let message = beside_runtime(text.len(), || {
        let mut message = ClientMessage::read(format, text);
        if let Ok(message) = &mut message {
            // What it is then is what counts as received, and waits.
            message.inflate(max);
        }
        message
    });
    if let Ok(message) = &message {
        tracing::debug!(client.id = %connection.client, event = message.name, "message received");
    }
    // The inbox has room: that was waited for.
    let (pause, _) = connection.receive(Received(message));
    pause
}

/// What a client does that it must not, in the protocol's number and our words; `None` if it has just gone.
fn violation(error: &Error) -> Option<(u16, &'static str)> {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            Some((close::TOO_LARGE, "message_too_large"))
        }
        Error::Utf8(_) => Some((close::NOT_UTF8, "not_utf8")),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Error::Protocol(_) => Some((close::PROTOCOL, "protocol_error")),
        _ => None,
    }
}

/// Writes until nothing more is to come.
async fn write<S>(connection: &WebSocketConnection, outgoing: &mut Outgoing<S>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let queue = &connection.queue;
    loop {
        let packet = tokio::select! {
            packet = queue.next() => packet,
            () = connection.door.ping_due.notified() => {
                outgoing.send(Message::Ping(Bytes::new())).await?;
                continue;
            }
        };
        let Some(mut packet) = packet else {
            return outgoing.flush().await;
        };
        let may_wait = packet.may_wait();
        if let Some(pause) = connection.door.params.batch.filter(|_| may_wait) {
            let (batch, after) = gather(connection, packet, pause).await;
            feed(connection, outgoing, Packet::other(batch)).await?;
            let Some(after) = after else {
                outgoing.flush().await?;
                continue;
            };
            packet = after;
        }
        feed(connection, outgoing, connection.door.packed(packet)).await?;
        // Of those who want batches events wait for the next one.
        while connection.door.params.batch.is_none()
            && let Some(packet) = queue.try_next(WRITE_BUFFER)
        {
            feed(connection, outgoing, connection.door.packed(packet)).await?;
        }
        outgoing.flush().await?;
    }
}

/// The events of some time as one message, and what came then, which ends that time: an answer may come with a cursor,
/// and must not overtake what that covers.
async fn gather(
    connection: &WebSocketConnection,
    first: Packet,
    pause: Duration,
) -> (String, Option<Packet>) {
    let deadline = tokio::time::Instant::now() + pause;
    let mut bytes = first.text_bytes();
    let mut texts = vec![first.into_text()];
    let mut after = None;
    while texts.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
        match timeout_at(deadline, connection.queue.next()).await {
            Ok(Some(packet)) if packet.may_wait() => {
                bytes += packet.text_bytes();
                texts.push(packet.into_text());
            }
            Ok(other) => {
                after = other;
                break;
            }
            Err(_) => break,
        }
    }
    let text = if texts.len() == 1 {
        texts.swap_remove(0)
    } else {
        connection.door.format.batch(Clock.now(), &texts)
    };
    (text, after)
}

/// Hands a message to the stream, in frames of moderate size: the library keeps a buffer of the size of the largest.
async fn feed<S>(
    connection: &WebSocketConnection,
    outgoing: &mut Outgoing<S>,
    packet: Packet,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    connection.door.shared.note_message();
    let (head, text) = packet.into_parts();
    if head.is_none() && text.len() <= WRITE_BUFFER {
        return outgoing.feed(Message::text(text)).await;
    }
    let parts = head.into_iter().chain([Bytes::from(text)]);
    let mut rest: VecDeque<Bytes> = parts.filter(|part| !part.is_empty()).collect();
    let mut data = Data::Text;
    while let Some(part) = rest.front_mut() {
        let frame = part.split_to(part.len().min(WRITE_BUFFER));
        if part.is_empty() {
            rest.pop_front();
        }
        let frame = Frame::message(frame, OpCode::Data(data), rest.is_empty());
        outgoing.feed(Message::Frame(frame)).await?;
        data = Data::Continue;
    }
    Ok(())
}

//! A connection's stream: one task reads what the client says and writes what waits for it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout, timeout_at};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::close;
use super::connection::{Connection, Packet};
use crate::clock::Clock;

/// Read buffer in bytes: small, because most messages are, and each connection has one.
const READ_BUFFER: usize = 512;
/// Bytes that are written in one go, and of which a frame consists: the buffer for them is kept.
const WRITE_BUFFER: usize = 16 * 1024;
/// Most messages in a batch…
const BATCH_MESSAGES: usize = 256;
/// … and most bytes before the last one.
const BATCH_BYTES: usize = 256 * 1024;
/// How long the other end has for saying goodbye.
const GOODBYE: Duration = Duration::from_secs(2);
/// How long a last word may take if all is over.
const LAST_WORD: Duration = Duration::from_millis(250);

type Outgoing<S> = SplitSink<WebSocketStream<S>, Message>;
type Incoming<S> = SplitStream<WebSocketStream<S>>;

/// How reading ended.
enum Heard {
    /// The client has gone, perhaps with a word.
    Gone,
    /// The client does what it must not.
    Wrong(u16, &'static str),
}

/// Lets go of a connection, whatever becomes of its task.
struct Leaving(Arc<Connection>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

/// Serves a connection until its end.
pub(super) async fn run<S>(connection: Arc<Connection>, stream: S)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let leaving = Leaving(connection);
    let connection = &leaving.0;
    let max_message = connection.gateway.app.config().max_message;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_message_size(Some(max_message))
        .max_frame_size(Some(max_message));
    let socket = WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await;
    let (mut outgoing, mut incoming) = socket.split();
    let ended = tokio::select! {
        heard = read(connection, &mut incoming) => Some(heard),
        written = write(connection, &mut outgoing) => written.err().map(|_| Heard::Gone),
        () = connection.was_cut.notified() => {
            let (code, reason) = connection.farewell();
            Some(Heard::Wrong(code, reason))
        }
    };
    // Boxed, because it is large and happens once.
    Box::pin(part(connection, ended, outgoing, incoming)).await;
}

/// Says goodbye, as far as anybody listens.
async fn part<S>(
    connection: &Connection,
    ended: Option<Heard>,
    mut outgoing: Outgoing<S>,
    mut incoming: Incoming<S>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (last, patience) = match ended {
        // What the other end said is answered by the library, on the next flush.
        Some(Heard::Gone) => {
            connection.end(close::NORMAL, "client");
            let flushed = timeout(LAST_WORD, outgoing.flush()).await;
            return drop(flushed);
        }
        Some(Heard::Wrong(code, reason)) => {
            connection.end(code, reason);
            ((code, reason), LAST_WORD)
        }
        None => (connection.farewell(), GOODBYE),
    };
    let (code, reason) = last;
    let frame = CloseFrame {
        code: CloseCode::from(code),
        reason: reason.into(),
    };
    let said = timeout(patience, outgoing.send(Message::Close(Some(frame)))).await;
    if matches!(said, Ok(Ok(()))) {
        let silence = async { while let Some(Ok(_)) = incoming.next().await {} };
        if timeout(GOODBYE, silence).await.is_err() {
            tracing::debug!(connection.id = %connection.id, "no goodbye");
        }
    }
}

async fn read<S>(connection: &Arc<Connection>, incoming: &mut Incoming<S>) -> Heard
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        connection.vitals.set_paused(true);
        connection.has_room().await;
        connection.vitals.set_paused(false);
        let Some(message) = incoming.next().await else {
            return Heard::Gone;
        };
        connection.vitals.heard();
        let pause = match message {
            Ok(Message::Text(text)) => connection.receive(&text),
            // Some libraries send every JSON like that.
            Ok(Message::Binary(bytes)) => {
                connection.receive(std::str::from_utf8(&bytes).unwrap_or_default())
            }
            Ok(Message::Close(_)) => return Heard::Gone,
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => connection.spend_frame(),
            Err(error) => return wrong(&error),
        };
        if let Some(pause) = pause {
            sleep(pause).await;
        }
    }
}

fn wrong(error: &Error) -> Heard {
    match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => {
            Heard::Wrong(close::TOO_LARGE, "message_too_large")
        }
        Error::Utf8(_) => Heard::Wrong(close::NO_TEXT, "not_utf8"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Heard::Gone,
        Error::Protocol(_) => Heard::Wrong(close::PROTOCOL, "protocol_error"),
        _ => Heard::Gone,
    }
}

/// Writes until nothing more is to come.
async fn write<S>(connection: &Connection, outgoing: &mut Outgoing<S>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let outlet = &connection.outlet;
    loop {
        let packet = tokio::select! {
            packet = outlet.next() => packet,
            () = connection.ping_due.notified() => {
                outgoing.send(Message::Ping(Bytes::new())).await?;
                continue;
            }
        };
        let Some(mut packet) = packet else {
            return outgoing.flush().await;
        };
        if let Some(pause) = connection.wishes.batch.filter(|_| packet.is_event) {
            let (batch, after) = gather(connection, packet, pause).await;
            feed(connection, outgoing, batch).await?;
            let Some(after) = after else {
                outgoing.flush().await?;
                continue;
            };
            packet = after;
        }
        feed(connection, outgoing, packet.text).await?;
        // Of those who want batches events wait for the next one.
        while connection.wishes.batch.is_none()
            && let Some(packet) = outlet.try_next(WRITE_BUFFER)
        {
            feed(connection, outgoing, packet.text).await?;
        }
        outgoing.flush().await?;
    }
}

/// The events of some time as one message, and what came then, which ends that time: an answer may come with a cursor,
/// and must not overtake what that covers.
async fn gather(
    connection: &Connection,
    first: Packet,
    pause: Duration,
) -> (String, Option<Packet>) {
    let deadline = tokio::time::Instant::now() + pause;
    let mut bytes = first.text.len();
    let mut texts = vec![first.text];
    let mut after = None;
    while texts.len() < BATCH_MESSAGES && bytes < BATCH_BYTES {
        match timeout_at(deadline, connection.outlet.next()).await {
            Ok(Some(packet)) if packet.is_event => {
                bytes += packet.text.len();
                texts.push(packet.text);
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
        connection.spelling.batch(Clock.now(), &texts)
    };
    (text, after)
}

/// Hands a text to the stream, in frames of moderate size: the library keeps a buffer of the size of the largest.
async fn feed<S>(
    connection: &Connection,
    outgoing: &mut Outgoing<S>,
    text: String,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    connection.gateway.note_message();
    if text.len() <= WRITE_BUFFER {
        return outgoing.feed(Message::text(text)).await;
    }
    let mut rest = Bytes::from(text);
    let mut data = Data::Text;
    while !rest.is_empty() {
        let frame = rest.split_to(rest.len().min(WRITE_BUFFER));
        let frame = Frame::message(frame, OpCode::Data(data), rest.is_empty());
        outgoing.feed(Message::Frame(frame)).await?;
        data = Data::Continue;
    }
    Ok(())
}

//! A Socket.IO client over WebSocket that does next to nothing, so that the server's work is measured and
//! not the client's: frames are looked at where they lie, and what is sent is masked with zeros.

use std::net::Ipv4Addr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::Outcome;

const TEXT: u8 = 0x81;
/// Set in the length of a client's frames.
const MASKED: u8 = 0x80;
/// The length follows in two bytes.
const LENGTH_16: u8 = 0x7e;
/// The length follows in eight bytes.
const LENGTH_64: u8 = 0x7f;
const PING: &[u8] = b"2";
const PONG: &str = "3";
/// Bytes read at once.
const READ: usize = 16 * 1024;
/// A frame that announces more than this is none of ours.
const MAX_FRAME: usize = 1 << 24;

/// A connection to a server's main namespace.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    pub(crate) async fn connect(address: &str) -> Outcome<Self> {
        Ok(Self::enter(address, "").await?.0)
    }

    /// Connects with an `auth` as JSON; also gives the answer. What follows the answer is there to be read.
    pub(crate) async fn enter(address: &str, auth: &str) -> Outcome<(Self, String)> {
        Self::enter_over(TcpStream::connect(address).await?, address, auth).await
    }

    /// Connects from an address of this machine.
    pub(crate) async fn connect_from(source: Ipv4Addr, address: &str) -> Outcome<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((source, 0).into())?;
        let stream = socket.connect(address.parse()?).await?;
        Ok(Self::enter_over(stream, address, "").await?.0)
    }

    /// Connects to the plain WebSocket.
    pub(crate) async fn plain(address: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        let mut client = Self::upgrade(stream, address, "/ws").await?;
        client.expect(br#"{"type":"connection""#).await?;
        Ok(client)
    }

    /// Subscribes to a project on the plain WebSocket.
    pub(crate) async fn subscribe(&mut self, project: &str) -> Outcome<()> {
        let message = format!(r#"{{"type":"subscribe","channel":"project:{project}"}}"#);
        self.send(&[&message]).await?;
        self.expect(br#"{"type":"subscribed""#).await?;
        Ok(())
    }

    async fn enter_over(stream: TcpStream, address: &str, auth: &str) -> Outcome<(Self, String)> {
        let path = "/socket.io/?EIO=4&transport=websocket";
        let mut client = Self::upgrade(stream, address, path).await?;
        client.expect(b"0{").await?;
        client.send(&[&format!("40{auth}")]).await?;
        let answer = client.expect(b"40{").await?;
        Ok((client, answer))
    }

    async fn upgrade(stream: TcpStream, address: &str, path: &str) -> Outcome<Self> {
        let mut client = Self {
            stream,
            received: Vec::new(),
        };
        client.stream.set_nodelay(true)?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        );
        client.stream.write_all(request.as_bytes()).await?;
        let end = loop {
            client.fill().await?;
            let end = client
                .received
                .windows(4)
                .position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
        };
        if !client.received.starts_with(b"HTTP/1.1 101") {
            return Err("the server does not upgrade".into());
        }
        client.received.drain(..end);
        Ok(client)
    }

    /// Subscribes to a project.
    pub(crate) async fn join(&mut self, project: &str) -> Outcome<()> {
        self.send(&[&format!(r#"420["join:project","{project}"]"#)])
            .await?;
        self.expect(br"430[{").await?;
        Ok(())
    }

    /// Sends an event with one argument, as JSON, and waits for the answer to it.
    pub(crate) async fn ask(&mut self, event: &str, argument: &str) -> Outcome<String> {
        self.send(&[&format!(r#"427["{event}",{argument}]"#)])
            .await?;
        let answer = self.expect(b"437[").await?;
        if answer.contains(r#""ok":false"#) {
            return Err(answer.chars().take(300).collect::<String>().into());
        }
        Ok(answer)
    }

    /// Reads until a message that begins like this, and not beyond it.
    async fn expect(&mut self, start: &[u8]) -> Outcome<String> {
        loop {
            while let Some((message, rest)) = frame(&self.received)? {
                let taken = self.received.len() - rest.len();
                let pinged = message == PING;
                let found = message
                    .starts_with(start)
                    .then(|| String::from_utf8_lossy(message).into_owned());
                self.received.drain(..taken);
                if pinged {
                    self.send(&[PONG]).await?;
                }
                if let Some(found) = found {
                    return Ok(found);
                }
            }
            self.fill().await?;
        }
    }

    /// Sends messages with one write.
    pub(crate) async fn send(&mut self, messages: &[&str]) -> Outcome<()> {
        Ok(self.stream.write_all(&frames(messages)?).await?)
    }

    /// The bare connection, for those who read and write at the same time; what was read already is lost.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Waits for messages and shows every one that is complete; pings are answered. May be dropped while it waits.
    pub(crate) async fn read(&mut self, each: impl FnMut(&[u8])) -> Outcome<()> {
        if frame(&self.received)?.is_none() {
            self.fill().await?;
        }
        self.take(each).await
    }

    async fn fill(&mut self) -> Outcome<()> {
        self.received.reserve(READ);
        match self.stream.read_buf(&mut self.received).await? {
            0 => Err("the server has closed the connection".into()),
            _ => Ok(()),
        }
    }

    async fn take(&mut self, mut each: impl FnMut(&[u8])) -> Outcome<()> {
        let (mut rest, mut pinged) = (self.received.as_slice(), false);
        while let Some((message, after)) = frame(rest)? {
            rest = after;
            pinged |= message == PING;
            each(message);
        }
        let taken = self.received.len() - rest.len();
        self.received.drain(..taken);
        if pinged {
            self.send(&[PONG]).await?;
        }
        Ok(())
    }
}

/// Messages as they are sent.
pub(crate) fn frames(messages: &[&str]) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    for message in messages {
        bytes.push(TEXT);
        if let Ok(short @ ..126) = u8::try_from(message.len()) {
            bytes.push(MASKED | short);
        } else {
            bytes.push(MASKED | LENGTH_16);
            bytes.extend(u16::try_from(message.len())?.to_be_bytes());
        }
        bytes.extend([0; 4]);
        bytes.extend(message.as_bytes());
    }
    Ok(bytes)
}

/// The first frame's payload and what follows; nothing if it is not complete.
pub(crate) fn frame(bytes: &[u8]) -> Outcome<Option<(&[u8], &[u8])>> {
    let (length, rest) = match bytes {
        [TEXT, LENGTH_16, high, low, rest @ ..] => {
            (usize::from(u16::from_be_bytes([*high, *low])), rest)
        }
        [TEXT, LENGTH_64, rest @ ..] => match rest.split_first_chunk() {
            Some((length, rest)) => (usize::try_from(u64::from_be_bytes(*length))?, rest),
            None => return Ok(None),
        },
        [TEXT, LENGTH_16, ..] | [] | [TEXT] => return Ok(None),
        [TEXT, short, rest @ ..] => (usize::from(*short), rest),
        _ => return Err("the server sent a frame that is no text".into()),
    };
    if length > MAX_FRAME {
        return Err("the server sent a frame that is too large".into());
    }
    Ok(rest.split_at_checked(length))
}

//! The probe of an upgrade, which the door makes itself, before the session changes hands: engineioxide ends a session whose
//! probe fails. The client says `2probe` over the WebSocket and hears `3probe`; it then waits for its last poll, and says
//! `5`. Only then engineioxide gets the stream, which insists on a probe of its own: it reads [`ASKED`], and its [`ANSWER`]
//! goes nowhere.

use std::io::{self, Cursor};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::upgrade_attempt::Attempt;

const PING: &[u8] = b"2probe";
const UPGRADE: &[u8] = b"5";
/// Packets that mean nothing yet: heartbeats, and a packet without a meaning.
const MEANINGLESS: [&[u8]; 3] = [b"2", b"3", b"6"];
/// `2probe` and `5`, as a client's frames, under a mask that changes nothing.
pub(super) const ASKED: &[u8] = b"\x81\x86\0\0\0\x002probe\x81\x81\0\0\0\x005";
/// `3probe`, as a frame.
pub(super) const ANSWER: &[u8] = b"\x81\x063probe";
/// A goodbye without a reason, as a frame.
const CLOSE: &[u8] = b"\x88\x00";
/// The longest payload of a frame that may come before the end of a probe: that of a ping.
const MAX_PAYLOAD: u64 = 125;
/// Most bytes of a probe: it has two packets, and pings of whoever is between.
const MAX_BYTES: usize = 4 * 1024;

/// A frame whose mask is taken off.
struct Frame {
    opcode: OpCode,
    payload: BytesMut,
}

/// Waits for the client to change to the WebSocket; what it has sent after that.
///
/// # Errors
///
/// It does something else, or goes.
pub(super) async fn wait<S>(stream: &mut S, attempt: &Attempt) -> io::Result<Bytes>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut bytes, mut left) = (BytesMut::new(), MAX_BYTES);
    loop {
        while let Some(Frame { opcode, payload }) = take_frame(&mut bytes)? {
            match opcode {
                OpCode::Data(Data::Text) if payload == PING => {
                    stream.write_all(ANSWER).await?;
                    stream.flush().await?;
                    attempt.probed();
                }
                // Small devices say so without asking first.
                OpCode::Data(Data::Text) if payload == UPGRADE => return Ok(bytes.freeze()),
                OpCode::Data(Data::Text) if MEANINGLESS.contains(&&payload[..]) => {}
                OpCode::Control(Control::Ping) => {
                    let length = u8::try_from(payload.len()).map_err(io::Error::other)?;
                    stream.write_all(&[0x8a, length]).await?;
                    stream.write_all(&payload).await?;
                    stream.flush().await?;
                }
                OpCode::Control(Control::Pong) => {}
                _ => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        let read = stream.read_buf(&mut bytes).await?;
        left = left.saturating_sub(read);
        if read == 0 || left == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// Says goodbye over a WebSocket that is not needed, as far as that is possible at once.
pub(super) async fn part<S: AsyncWrite + Unpin>(stream: &mut S) -> io::Result<()> {
    stream.write_all(CLOSE).await?;
    stream.shutdown().await
}

/// Takes a whole frame from the beginning.
fn take_frame(bytes: &mut BytesMut) -> io::Result<Option<Frame>> {
    let mut cursor = Cursor::new(&bytes[..]);
    let header = FrameHeader::parse(&mut cursor).map_err(io::Error::other)?;
    let Some((header, length)) = header else {
        return Ok(None);
    };
    let start = usize::try_from(cursor.position()).map_err(io::Error::other)?;
    let is_plain = header.is_final && !(header.rsv1 || header.rsv2 || header.rsv3);
    let Some(mask) = header.mask.filter(|_| is_plain && length <= MAX_PAYLOAD) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let length = usize::try_from(length).map_err(io::Error::other)?;
    if bytes.len() < start + length {
        return Ok(None);
    }
    let mut payload = bytes.split_to(start + length).split_off(start);
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    let opcode = header.opcode;
    Ok(Some(Frame { opcode, payload }))
}

#[cfg(test)]
mod tests;

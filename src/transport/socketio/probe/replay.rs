//! A WebSocket that was probed already, for engineioxide, which insists on a probe of its own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::PONG;

/// `2probe` and `5`, as a client's frames, under a mask that changes nothing.
const PROBE: &[u8] = b"\x81\x86\0\0\0\x002probe\x81\x81\0\0\0\x005";

/// See the module. Of a WebSocket that is no upgrade nothing is repeated.
#[derive(Debug)]
pub(in super::super) struct Replay<S> {
    stream: S,
    /// What is read before anything else.
    repeated: Bytes,
    /// What the client has said since.
    said: Bytes,
    /// What is written first, and has been written already.
    answered: &'static [u8],
}

impl<S> Replay<S> {
    /// A WebSocket that begins.
    pub(in super::super) fn nothing(stream: S) -> Self {
        Self {
            stream,
            repeated: Bytes::new(),
            said: Bytes::new(),
            answered: &[],
        }
    }

    /// A WebSocket after its probe, and what was read beyond that.
    pub(in super::super) fn probe(stream: S, said: Bytes) -> Self {
        Self {
            stream,
            repeated: Bytes::from_static(PROBE),
            said,
            answered: PONG,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Replay<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        for before in [&mut this.repeated, &mut this.said] {
            if !before.is_empty() {
                let read = before.len().min(buf.remaining());
                buf.put_slice(&before[..read]);
                before.advance(read);
                if before.is_empty() {
                    *before = Bytes::new();
                }
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut this.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replay<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.answered.is_empty() {
            return Pin::new(&mut self.stream).poll_write(cx, buf);
        }
        let (now, later) = self.answered.split_at(self.answered.len().min(buf.len()));
        if !buf.starts_with(now) {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        self.answered = later;
        Poll::Ready(Ok(now.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

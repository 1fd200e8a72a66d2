//! The first line of a connection, in which characters are encoded that stand in queries as they are: some clients write JSON
//! there, which Node takes and the `http` crate does not.
//!
//! Only the first request of a connection can be told from what comes later, so its answer ends a connection on which something
//! was encoded: the next request is a first one again.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// See the module.
#[derive(Debug)]
pub(super) struct RequestLine<S> {
    stream: S,
    is_over: bool,
    /// What was encoded and has not been read yet.
    encoded: Vec<u8>,
    was_encoded: Arc<AtomicBool>,
}

impl<S> RequestLine<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            is_over: false,
            encoded: Vec::new(),
            was_encoded: Arc::default(),
        }
    }

    /// Whether something had to be encoded.
    pub(super) fn was_encoded(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.was_encoded)
    }

    /// Looks at bytes that were read, and encodes what is in the line; nothing if they can stay.
    fn look(&mut self, read: &[u8]) -> Option<Vec<u8>> {
        let end = read.iter().position(|&byte| byte == b'\n');
        self.is_over = end.is_some();
        let (line, rest) = read.split_at(end.unwrap_or(read.len()));
        if !line.iter().any(|&byte| needs_encoding(byte)) {
            return None;
        }
        self.was_encoded.store(true, Ordering::Relaxed);
        let mut encoded = Vec::with_capacity(read.len() + 64);
        for &byte in line {
            if needs_encoding(byte) {
                encoded.extend_from_slice(percent_encoding::percent_encode_byte(byte).as_bytes());
            } else {
                encoded.push(byte);
            }
        }
        encoded.extend_from_slice(rest);
        Some(encoded)
    }
}

const fn needs_encoding(byte: u8) -> bool {
    matches!(byte, b'"' | b'<' | b'>')
}

impl<S: AsyncRead + Unpin> AsyncRead for RequestLine<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.encoded.is_empty() {
            let before = buf.filled().len();
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            if this.is_over {
                return Poll::Ready(Ok(()));
            }
            let Some(encoded) = this.look(&buf.filled()[before..]) else {
                return Poll::Ready(Ok(()));
            };
            this.encoded = encoded;
            buf.set_filled(before);
        }
        let now = this.encoded.len().min(buf.remaining());
        buf.put_slice(&this.encoded[..now]);
        this.encoded.drain(..now);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for RequestLine<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn only_the_first_line_is_encoded_in_pieces_of_any_size() {
        let request = "GET /?a={\"b\":\"<é>\"}|^` HTTP/1.1\r\nX: \"<a>\"\r\n\r\n\"body\"";
        let expected = "GET /?a={%22b%22:%22%3Cé%3E%22}|^` HTTP/1.1\r\nX: \"<a>\"\r\n\r\n\"body\"";
        for piece in [1, 7, 1000] {
            let (mut client, server) = tokio::io::duplex(piece);
            let sending = async {
                tokio::io::AsyncWriteExt::write_all(&mut client, request.as_bytes())
                    .await
                    .unwrap();
                drop(client);
            };
            let mut line = RequestLine::new(server);
            let was_encoded = line.was_encoded();
            let mut read = String::new();
            let ((), length) = tokio::join!(sending, line.read_to_string(&mut read));
            assert_eq!((read.as_str(), length.unwrap()), (expected, expected.len()));
            assert!(was_encoded.load(Ordering::Relaxed));
        }
    }

    #[tokio::test]
    async fn line_without_such_characters_stays() {
        let request = "GET /?a={b}|c HTTP/1.1\r\nX: \"a\"\r\n\r\n";
        let mut line = RequestLine::new(request.as_bytes());
        let mut read = String::new();
        line.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, request);
        assert!(!line.was_encoded.load(Ordering::Relaxed));
    }
}

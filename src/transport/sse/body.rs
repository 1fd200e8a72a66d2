//! The body of an answer that goes on for as long as its client listens.

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use crate::limits::Place;
use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep};

use super::codec::{SseConnection, keep_alive};

/// After how much silence a sign of life is sent: proxies end what is silent for a minute, and some sooner.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Bytes that are written together, if several messages wait.
const TOGETHER: usize = 16 * 1024;

/// A client's stay, which ends when this is dropped: with the body of its answer, or before there is one.
#[derive(Debug)]
pub(super) struct Stay {
    pub(super) connection: Arc<SseConnection>,
    /// Counts it among the streams of its address.
    pub(super) _place: Option<Place<IpAddr>>,
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.connection.let_go("client_gone");
    }
}

/// See the module's description.
#[derive(Debug)]
pub(super) struct Stream {
    stay: Stay,
    written: Instant,
    keep_alive: Pin<Box<Sleep>>,
}

impl Stream {
    pub(super) fn new(stay: Stay) -> Self {
        Self {
            stay,
            written: Instant::now(),
            keep_alive: Box::pin(sleep(KEEP_ALIVE)),
        }
    }

    /// A sign of life once it is time for one. What was written since moves that time on, without a new timer each time.
    fn poll_keep_alive(&mut self, cx: &mut Context<'_>) -> Poll<Bytes> {
        loop {
            ready!(self.keep_alive.as_mut().poll(cx));
            let now = Instant::now();
            let due = self.written + KEEP_ALIVE;
            let is_due = due <= now;
            self.keep_alive
                .as_mut()
                .reset(if is_due { now + KEEP_ALIVE } else { due });
            if is_due && let Some(text) = keep_alive(&self.stay.connection) {
                return Poll::Ready(text);
            }
        }
    }
}

/// What waits besides, as far as it is written together.
fn with_more(connection: &SseConnection, first: Bytes) -> Bytes {
    let room = |text: &[u8]| TOGETHER.saturating_sub(text.len());
    let Some(second) = connection.queue.try_next(room(&first)) else {
        return first;
    };
    let mut together = BytesMut::with_capacity(first.len() + second.len());
    together.extend_from_slice(&first);
    together.extend_from_slice(&second);
    while let Some(more) = connection.queue.try_next(room(&together)) {
        together.extend_from_slice(&more);
    }
    together.freeze()
}

impl Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let text = match self.stay.connection.queue.poll_next(cx) {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(first)) => with_more(&self.stay.connection, first),
            Poll::Pending => ready!(self.poll_keep_alive(cx)),
        };
        self.written = Instant::now();
        Poll::Ready(Some(Ok(Frame::data(text))))
    }
}

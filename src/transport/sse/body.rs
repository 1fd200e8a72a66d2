//! The body of an answer that goes on for as long as its client listens.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Sleep, sleep};

use super::listener::{Listener, Stay};

/// After how much silence a sign of life is sent: proxies end what is silent for a minute, and some sooner.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Bytes that are written together, if several messages wait.
const TOGETHER: usize = 16 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct Stream<K> {
    stay: Stay<K>,
    written: Instant,
    keep_alive: Pin<Box<Sleep>>,
}

impl<K> Stream<K> {
    pub(super) fn new(stay: Stay<K>) -> Self {
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
            if is_due && let Some(text) = self.stay.listener.keep_alive() {
                return Poll::Ready(text);
            }
        }
    }
}

/// What waits besides, as far as it is written together.
fn with_more(listener: &Listener, first: Bytes) -> Bytes {
    let room = |text: &[u8]| TOGETHER.saturating_sub(text.len());
    let Some(second) = listener.outlet.try_next(room(&first)) else {
        return first;
    };
    let mut together = BytesMut::with_capacity(first.len() + second.len());
    together.extend_from_slice(&first);
    together.extend_from_slice(&second);
    while let Some(more) = listener.outlet.try_next(room(&together)) {
        together.extend_from_slice(&more);
    }
    together.freeze()
}

impl<K: Unpin> Body for Stream<K> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let text = match self.stay.listener.outlet.poll_next(cx) {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(first)) => with_more(&self.stay.listener, first),
            Poll::Pending => ready!(self.poll_keep_alive(cx)),
        };
        self.written = Instant::now();
        Poll::Ready(Some(Ok(Frame::data(text))))
    }
}

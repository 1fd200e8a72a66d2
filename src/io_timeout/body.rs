//! The body of a request, which is put together as it comes and handed on whole.
//!
//! It has to be there after a while: a client that sends a byte now and then would else keep its connection, and what it
//! has sent so far, for as long as it likes. And its pieces are copied into one buffer: kept as they come, a piece of
//! one byte takes up 34, and who reads the body looks at each.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::limits::{GivenUp, UnfinishedMessage};

/// See the module.
#[derive(Debug)]
pub(crate) struct TimedBody<B> {
    body: B,
    /// Runs from the beginning; missing if there is nothing to wait for.
    deadline: Option<Pin<Box<Sleep>>>,
    /// What is there so far.
    buffer: BytesMut,
    /// Bytes that nobody reads more of.
    most: usize,
    unfinished: UnfinishedMessage,
    given_up: Option<GivenUp>,
}

impl<B: Body> TimedBody<B> {
    /// Wraps a body that has `patience` to come to its end, and of which at most so many bytes are of use. What is there
    /// counts as `unfinished`.
    pub(crate) fn new(
        body: B,
        patience: Duration,
        most: usize,
        unfinished: UnfinishedMessage,
    ) -> Self {
        let deadline = (!body.is_end_stream()).then(|| Box::pin(sleep(patience)));
        Self {
            body,
            deadline,
            buffer: BytesMut::new(),
            most,
            unfinished,
            given_up: None,
        }
    }
}

impl<B> TimedBody<B> {
    /// Keeps what came.
    fn keep(&mut self, data: &Bytes) {
        self.buffer.extend_from_slice(data);
        let bytes = self.buffer.capacity();
        self.unfinished.watch(bytes, &mut self.given_up);
    }

    /// Hands on what is there.
    fn whole(&mut self) -> Frame<Bytes> {
        self.unfinished.watch(0, &mut self.given_up);
        Frame::data(std::mem::take(&mut self.buffer).freeze())
    }

    /// Why the body is not waited for any longer. The time is looked at each time, because pieces that come without a pause
    /// must not go on for ever, either.
    fn over(&self) -> Option<io::Error> {
        let deadline = self.deadline.as_ref();
        let is_late = deadline.is_some_and(|deadline| deadline.deadline() <= Instant::now());
        is_late.then(|| io::ErrorKind::TimedOut.into())
    }

    /// Resolves when the body is not waited for any longer.
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        if let Some(given_up) = &mut self.given_up
            && given_up.poll_unpin(cx).is_ready()
        {
            return Poll::Ready(io::ErrorKind::QuotaExceeded.into());
        }
        match &mut self.deadline {
            Some(deadline) => deadline
                .as_mut()
                .poll(cx)
                .map(|()| io::ErrorKind::TimedOut.into()),
            None => Poll::Pending,
        }
    }
}

impl<B> Body for TimedBody<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = &mut *self;
        loop {
            let Poll::Ready(polled) = Pin::new(&mut this.body).poll_frame(cx) else {
                let error = ready!(this.poll_over(cx));
                return Poll::Ready(Some(Err(error)));
            };
            let Some(frame) = polled else {
                let whole = (!this.buffer.is_empty()).then(|| Ok(this.whole()));
                return Poll::Ready(whole);
            };
            // Trailers say nothing to anybody.
            let Ok(data) = frame.map_err(io::Error::other)?.into_data() else {
                continue;
            };
            if this.buffer.is_empty() && this.body.is_end_stream() {
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            this.keep(&data);
            if this.buffer.len() > this.most {
                return Poll::Ready(Some(Ok(this.whole())));
            }
            if let Some(error) = this.over() {
                return Poll::Ready(Some(Err(error)));
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.buffer.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, buffered) = (self.body.size_hint(), self.buffer.len() as u64);
        let mut hint = SizeHint::new();
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + buffered);
        }
        hint.set_lower(rest.lower() + buffered);
        hint
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream::{self, BoxStream};
    use futures_util::{Stream, StreamExt};
    use http_body_util::{BodyExt, StreamBody};

    use super::*;
    use crate::limits::UnfinishedMessages;

    const PATIENCE: Duration = Duration::from_secs(10);
    const MOST: usize = 1024 * 1024;
    /// More than half of a body.
    const PART: &[u8] = &[b'x'; MOST / 2 + 1];

    type Pieces = StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>;

    fn patient(
        pieces: impl Stream<Item = &'static [u8]> + Send + 'static,
        all: &UnfinishedMessages,
    ) -> TimedBody<Pieces> {
        let frames = pieces.map(|piece| Ok(Frame::data(Bytes::from_static(piece))));
        TimedBody::new(
            StreamBody::new(frames.boxed()),
            PATIENCE,
            MOST,
            all.message(),
        )
    }

    /// So many pieces of one byte.
    fn pieces(count: usize) -> impl Stream<Item = &'static [u8]> {
        stream::repeat(&b"x"[..]).take(count)
    }

    #[tokio::test]
    async fn pieces_are_handed_on_as_one() {
        let all = UnfinishedMessages::new(MOST);
        let mut body = patient(pieces(MOST), &all);
        let whole = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(whole.len(), MOST);
        assert!(body.frame().await.is_none());
        assert_eq!(all.bytes(), 0);
    }

    #[tokio::test]
    async fn nothing_is_kept_of_what_is_too_long() {
        let all = UnfinishedMessages::new(MOST);
        let mut body = patient(pieces(10 * MOST), &all);
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first.len(), MOST + 1);
        assert_eq!(all.bytes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_comes_without_a_pause_ends_in_time() {
        let all = UnfinishedMessages::new(MOST);
        let endless = stream::repeat(&b"x"[..]).then(async |piece| {
            tokio::time::advance(Duration::from_millis(1)).await;
            piece
        });
        let mut body = patient(endless, &all);
        let begun = Instant::now();
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() <= PATIENCE + Duration::from_millis(2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let all = UnfinishedMessages::new(MOST);
        let mut body = patient(stream::pending(), &all);
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_of_too_many_bodies_is_given_up() {
        let all = UnfinishedMessages::new(MOST);
        let begun = || patient(stream::iter([PART]).chain(stream::pending()), &all);
        let mut bodies: Vec<_> = (0..150).map(|_| begun()).collect();
        for body in &mut bodies {
            let waiting = tokio::time::timeout(Duration::from_millis(1), body.frame());
            assert!(waiting.await.is_err());
        }
        assert!(all.bytes() <= 64 * MOST);
        let error = bodies[0].frame().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::QuotaExceeded);
    }
}

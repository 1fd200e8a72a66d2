//! The body of a request, which has to be there after a while: a client that sends a byte now and then would else keep
//! its connection, and what it has sent so far, for as long as it likes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Sleep, sleep};

/// See the module.
#[derive(Debug)]
pub(crate) struct PatientBody {
    body: Incoming,
    /// Runs from the beginning; missing if there is nothing to wait for.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl PatientBody {
    pub(crate) fn new(body: Incoming, patience: Duration) -> Self {
        let deadline = (!body.is_end_stream()).then(|| Box::pin(sleep(patience)));
        Self { body, deadline }
    }
}

impl Body for PatientBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_pending()
            && let Some(deadline) = &mut self.deadline
        {
            ready!(deadline.as_mut().poll(cx));
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        }
        polled.map_err(io::Error::other)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

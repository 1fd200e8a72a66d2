//! The stream under a WebSocket, of which a packet counter sees everything.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::PacketCounter;
use crate::transport::flow::lengths;
use crate::transport::socketio::frames::Frames;
use crate::transport::socketio::{msgpack, pid};

/// Bytes that are read before others have their turn. socketioxide starts a task for each packet, and of those that are
/// no messages, such as CONNECT again and again, no limit sees any: who read on would have millions of tasks waiting.
const AT_ONCE: usize = 512;

/// A stream that reports to a packet counter what is written to it, and that the counter can end.
#[derive(Debug)]
pub(in super::super) struct Metered<S> {
    stream: S,
    counter: Arc<PacketCounter>,
    frames: Frames,
    /// A frame that was completed on its way, as far as it has not been written yet.
    completed: VecDeque<u8>,
    /// Runs while nothing is read.
    pause: Option<Pin<Box<Sleep>>>,
    /// Bytes that were read since others had their turn.
    eager: usize,
    /// The frame that is translated, as far as it is there.
    frame: Vec<u8>,
    /// Events and acks that were translated and have not left.
    translated: u64,
    /// Answers to CONNECT that were completed and have not left.
    answers: u32,
    /// What has been written already, and is written once more.
    answered: &'static [u8],
}

impl<S> Drop for Metered<S> {
    fn drop(&mut self) {
        self.counter.say_goodbye();
    }
}

impl<S> Metered<S> {
    pub(in super::super) fn new(stream: S, counter: Arc<PacketCounter>) -> Self {
        Self {
            stream,
            counter,
            frames: Frames::default(),
            completed: VecDeque::new(),
            pause: None,
            eager: 0,
            frame: Vec::new(),
            translated: 0,
            answers: 0,
            answered: &[],
        }
    }

    /// A stream over which these bytes have been written already: they are not written again.
    pub(in super::super) fn after(
        answered: &'static [u8],
        stream: S,
        counter: Arc<PacketCounter>,
    ) -> Self {
        let mut metered = Self::new(stream, counter);
        metered.answered = answered;
        metered
    }

    /// Takes what has been written already.
    fn swallow(&mut self, buf: &[u8]) -> io::Result<usize> {
        let (now, later) = self.answered.split_at(self.answered.len().min(buf.len()));
        if !buf.starts_with(now) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.answered = later;
        Ok(now.len())
    }

    /// Waits until the client may be read from again.
    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = self.counter.take_pause() {
            self.pause = Some(Box::pin(sleep(pause)));
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// What was written to.
    #[cfg(test)]
    pub(in super::super) fn written(&self) -> &S {
        &self.stream
    }
}

impl<S: AsyncWrite + Unpin> Metered<S> {
    /// Writes what has been completed.
    fn poll_completed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.completed.is_empty() {
            let (bytes, _) = self.completed.as_slices();
            let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.completed.drain(..written);
        }
        if self.completed.capacity() > 0 {
            self.completed = VecDeque::new();
            self.counter.count(std::mem::take(&mut self.translated));
            self.counter.answered(std::mem::take(&mut self.answers));
        }
        Poll::Ready(Ok(()))
    }

    /// What to do with bytes while an answer to CONNECT lacks its id: what comes before it passes.
    fn next_step(&mut self, buf: &[u8]) -> Step {
        if let Some(to_boundary) = self.frames.to_boundary() {
            return Step::Pass(to_boundary.min(buf.len()));
        }
        match pid::find_frame(buf) {
            None => Step::Pass(buf.len()),
            Some(answer) if answer.start == 0 => match self.counter.take_pid(answer.namespace) {
                Some(pid) => {
                    self.completed.extend(answer.with(&pid));
                    self.answers += 1;
                    Step::Taken(answer.end)
                }
                None => Step::Pass(answer.end),
            },
            Some(answer) => Step::Pass(answer.start),
        }
    }
}

impl<S> Metered<S> {
    /// What to do with bytes for a client that speaks MessagePack: they are translated frame by frame.
    fn translate(&mut self, buf: &[u8]) -> Step {
        if let Some(to_boundary) = self.frames.to_boundary() {
            return Step::Pass(to_boundary.min(buf.len()));
        }
        let mut rest = buf;
        let end = loop {
            if let Some((header, length)) = lengths(&self.frame) {
                break header.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
            }
            let Some((byte, more)) = rest.split_first() else {
                return Step::Taken(buf.len());
            };
            self.frame.push(*byte);
            rest = more;
        };
        let missing = end - self.frame.len();
        let (payload, rest) = rest.split_at(missing.min(rest.len()));
        self.frame.extend_from_slice(payload);
        if self.frame.len() == end {
            let frame = std::mem::take(&mut self.frame);
            let frame = self.complete(frame);
            self.translated += Frames::default().follow(&frame);
            self.completed.extend(msgpack::encode_frame(frame));
        }
        Step::Taken(buf.len() - rest.len())
    }

    /// The frame with its id, if it answers CONNECT.
    fn complete(&self, frame: Vec<u8>) -> Vec<u8> {
        if self.counter.lacks_pid()
            && let Some(answer) = pid::find_frame(&frame)
            && let Some(pid) = self.counter.take_pid(answer.namespace)
        {
            return answer.with(&pid);
        }
        frame
    }
}

impl<S: AsyncRead + Unpin> Metered<S> {
    /// Reads a little, or lets others have their turn.
    fn poll_some(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.eager >= AT_ONCE {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let most = buf.remaining().min(AT_ONCE);
        let mut some = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut some))?;
        let read = some.filled().len();
        buf.advance(read);
        self.eager += read;
        Poll::Ready(Ok(()))
    }
}

/// What becomes of bytes that are to be written.
enum Step {
    /// So many are written as they stand.
    Pass(usize),
    /// So many were taken over, and are written as something else.
    Taken(usize),
}

impl<S: AsyncRead + Unpin> AsyncRead for Metered<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Whether or not anything is read now.
        self.counter.write_waiting(cx)?;
        let polled = match self.poll_pause(cx) {
            Poll::Ready(()) => self.poll_some(cx, buf),
            Poll::Pending => Poll::Pending,
        };
        if polled.is_pending() {
            self.eager = 0;
            self.counter.waiting.lock().reader = Some(cx.waker().clone());
        }
        // Looked at after the waker is in place, so that a close in between is not missed.
        if self.counter.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Metered<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.counter.is_closed() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if !self.answered.is_empty() {
            return Poll::Ready(self.swallow(buf));
        }
        ready!(self.poll_completed(cx))?;
        let step = if self.counter.speaks_msgpack() {
            self.translate(buf)
        } else if self.counter.lacks_pid() {
            self.next_step(buf)
        } else {
            Step::Pass(buf.len())
        };
        let passing = match step {
            Step::Pass(bytes) => bytes,
            // They leave with the next bytes, or are flushed.
            Step::Taken(bytes) => return Poll::Ready(Ok(bytes)),
        };
        let polled = Pin::new(&mut self.stream).poll_write(cx, &buf[..passing]);
        if let Poll::Ready(Ok(written)) = polled {
            let packets = self.frames.follow(&buf[..written]);
            self.counter.count(packets);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_completed(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_completed(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::domain::PrivateId;
    use crate::transport::socketio::frames::frame;

    /// It takes so many bytes at a time.
    #[derive(Debug, Default)]
    struct Narrow {
        written: Vec<u8>,
        at_once: usize,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buf: &[u8],
        ) -> Poll<io::Result<usize>> {
            let taken = buf.len().min(self.at_once);
            self.written.extend(&buf[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    proptest! {
        /// However narrow the stream and wherever the answer stands, it gets its id, once, and nothing else changes.
        #[test]
        fn the_answer_to_connect_gets_its_id(
            before in prop::collection::vec(prop::sample::select(vec![2_usize, 60, 900]), 0..4),
            after in prop::collection::vec(prop::sample::select(vec![2_usize, 60, 900]), 0..4),
            at_once in 1_usize..200,
        ) {
            let event = |length: &usize| frame(1, &format!("42{}", "x".repeat(length - 2)));
            let (before, after): (Vec<_>, Vec<_>) = (
                before.iter().flat_map(event).collect(),
                after.iter().flat_map(event).collect(),
            );
            let answer = r#"40{"sid":"AAAAAAAAAAAAAAAA"}"#;
            let pid = PrivateId::generate();
            let completed = format!(r#"40{{"sid":"AAAAAAAAAAAAAAAA","pid":"{pid}"}}"#);
            let counter = Arc::new(PacketCounter::default());
            counter.give_pid("/", pid);
            let mut stream = Metered::new(Narrow { at_once, ..Narrow::default() }, Arc::clone(&counter));
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let bytes = [before.clone(), frame(1, answer), after.clone(), frame(1, answer)].concat();
                stream.write_all(&bytes).await.unwrap();
                stream.flush().await.unwrap();
            });
            let expected = [before, frame(1, &completed), after, frame(1, answer)].concat();
            prop_assert_eq!(&stream.stream.written, &expected);
            prop_assert!(!counter.lacks_pid());
        }
    }
}

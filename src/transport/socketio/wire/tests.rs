use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::task::noop_waker;
use proptest::prelude::*;

use super::super::frames::frame;
use super::*;
use crate::domain::PrivateId;

/// A socket that takes so many bytes until it is asked to take more.
#[derive(Debug, Default)]
struct Socket {
    written: Vec<u8>,
    room: usize,
    writes: usize,
    waker: Option<Waker>,
    is_broken: bool,
}

/// A socket whose other end is in the hands of a test.
#[derive(Debug, Clone, Default)]
struct Far(Arc<Mutex<Socket>>);

impl Far {
    fn new(room: usize) -> Self {
        let far = Self::default();
        far.0.lock().room = room;
        far
    }

    fn take(&self, more: usize) {
        let mut socket = self.0.lock();
        socket.room = socket.room.saturating_add(more);
        let waker = socket.waker.take();
        drop(socket);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn written(&self) -> Vec<u8> {
        self.0.lock().written.clone()
    }

    fn writes(&self) -> usize {
        self.0.lock().writes
    }
}

impl AsyncRead for Far {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Far {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut socket = self.0.lock();
        if socket.is_broken {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let taken = socket.room.min(buf.len());
        if taken == 0 {
            socket.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        socket.room -= taken;
        socket.writes += 1;
        socket.written.extend_from_slice(&buf[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

fn wire(far: &Far) -> (Wire<Far>, Arc<PacketCounter>) {
    let counter = Arc::new(PacketCounter::default());
    (Wire::open(far.clone(), &counter), counter)
}

/// Counts how often a task is woken.
#[derive(Debug, Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Woken {
    fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[test]
fn frames_that_are_written_together_leave_with_one_write_and_wake_nobody() {
    let far = Far::new(usize::MAX);
    let (_wire, counter) = wire(&far);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    counter
        .write_waiting(&mut Context::from_waker(&waker))
        .unwrap();
    let frames = [frame(1, "42[1]"), frame(1, "42[2]"), frame(1, "42[3]")].concat();
    assert_eq!(counter.direct().unwrap().write(&frames), Written::All);
    assert_eq!((far.writes(), woken.times()), (1, 0));
    assert_eq!(far.written(), frames);
}

#[test]
fn what_a_socket_does_not_take_follows_when_the_reader_is_woken() {
    let frames = [frame(1, "42[1]"), frame(1, "42[2]"), frame(1, "42[3]")].concat();
    let far = Far::new(frames.len() / 2);
    let (_wire, counter) = wire(&far);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let cx = &mut Context::from_waker(&waker);
    counter.write_waiting(cx).unwrap();
    let direct = counter.direct().unwrap();
    assert_eq!(direct.write(&frames), Written::Part(1));
    assert_eq!(direct.write(&frame(1, "42[4]")), Written::Part(0));
    assert_eq!(counter.left(), 0, "who writes counts what left at once");
    far.take(usize::MAX);
    assert_eq!(woken.times(), 1);
    counter.write_waiting(cx).unwrap();
    assert_eq!(counter.left(), 3);
    assert_eq!(far.written(), [frames, frame(1, "42[4]")].concat());
}

#[test]
fn nothing_is_written_before_the_answer_to_connect_has_left() {
    let far = Far::new(0);
    let (wire, counter) = wire(&far);
    counter.give_pid("/", PrivateId::generate());
    assert!(counter.direct().is_none());
    let mut metered = super::super::packet_counter::Metered::new(wire, Arc::clone(&counter));
    let waker = noop_waker();
    let cx = &mut Context::from_waker(&waker);
    let answer = frame(1, r#"40{"sid":"AAAAAAAAAAAAAAAA"}"#);
    assert!(Pin::new(&mut metered).poll_write(cx, &answer).is_ready());
    assert!(Pin::new(&mut metered).poll_flush(cx).is_pending());
    assert!(
        !counter.lacks_pid() && counter.direct().is_none(),
        "it is on its way"
    );
    far.take(usize::MAX);
    assert!(Pin::new(&mut metered).poll_flush(cx).is_ready());
    assert!(counter.direct().is_some());
}

#[test]
fn a_broken_stream_is_told_to_the_reader() {
    let far = Far::new(usize::MAX);
    let (wire, counter) = wire(&far);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let cx = &mut Context::from_waker(&waker);
    counter.write_waiting(cx).unwrap();
    far.0.lock().is_broken = true;
    assert_eq!(
        counter.direct().unwrap().write(&frame(1, "42[1]")),
        Written::All
    );
    assert_eq!(woken.times(), 1);
    let error = counter.write_waiting(cx).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    drop(wire);
    assert!(counter.direct().is_none(), "the stream is let go of");
}

#[test]
fn who_waited_behind_others_is_woken_when_these_have_left() {
    let far = Far::new(3);
    let (mut wire, counter) = wire(&far);
    let (reader, writer) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let (reading, writing) = (
        Waker::from(Arc::clone(&reader)),
        Waker::from(Arc::clone(&writer)),
    );
    let (reading, writing) = (
        &mut Context::from_waker(&reading),
        &mut Context::from_waker(&writing),
    );
    counter.write_waiting(reading).unwrap();
    let direct = counter.direct().unwrap();
    assert_eq!(direct.write(&frame(1, "42[1]")), Written::Part(0));
    let ping = frame(1, "2");
    assert!(Pin::new(&mut wire).poll_write(writing, &ping).is_pending());
    far.take(2);
    assert_eq!((reader.times(), writer.times()), (1, 1));
    assert!(Pin::new(&mut wire).poll_write(writing, &ping).is_pending());
    // The socket takes more before the reader has its turn, and wakes nobody for that.
    far.0.lock().room = usize::MAX;
    counter.write_waiting(reading).unwrap();
    assert_eq!(writer.times(), 2);
    assert!(Pin::new(&mut wire).poll_write(writing, &ping).is_ready());
    assert_eq!(far.written(), [frame(1, "42[1]"), ping].concat());
}

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// engineioxide writes a frame of so many bytes.
    Engine(usize),
    /// Frames of so many bytes are written past it.
    Direct(Vec<usize>),
    /// The socket takes so many bytes.
    Room(usize),
    Read,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1_usize..400).prop_map(Step::Engine),
        prop::collection::vec(1_usize..400, 1..5).prop_map(Step::Direct),
        (1_usize..600).prop_map(Step::Room),
        Just(Step::Read),
    ]
}

/// engineioxide's writer: it writes what it has, as far as it is taken.
#[derive(Debug, Default)]
struct Writer(VecDeque<u8>);

impl Writer {
    fn run(&mut self, wire: &mut Wire<Far>, cx: &mut Context<'_>) {
        while !self.0.is_empty() {
            let bytes = self.0.make_contiguous();
            match Pin::new(&mut *wire).poll_write(cx, bytes) {
                Poll::Ready(written) => drop(self.0.drain(..written.unwrap())),
                Poll::Pending => return,
            }
        }
    }
}

proptest! {
    /// Whatever the socket takes at a time: frames of both are whole, those of each are in order, those that were written past
    /// engineioxide come before what it writes later, and all of them are counted.
    #[test]
    fn frames_of_both_are_whole_and_in_order(steps in prop::collection::vec(step(), 1..60)) {
        let far = Far::new(0);
        let (mut wire, counter) = wire(&far);
        let waker = noop_waker();
        let cx = &mut Context::from_waker(&waker);
        let mut writer = Writer::default();
        let (mut engine, mut direct) = (Vec::new(), Vec::new());
        // How many of the direct frames come before each frame of engineioxide, at least.
        let mut before = Vec::new();
        for step in steps {
            match step {
                Step::Engine(length) => {
                    let payload = format!("2e{}:{}", engine.len(), "x".repeat(length));
                    writer.0.extend(frame(1, &payload));
                    engine.push(payload);
                    before.push(direct.len());
                    writer.run(&mut wire, cx);
                }
                Step::Direct(lengths) => {
                    let mut frames = Vec::new();
                    for length in lengths {
                        let payload = format!("42{}:{}", direct.len(), "x".repeat(length));
                        frames.extend(frame(1, &payload));
                        direct.push(payload);
                    }
                    let together = frames.len();
                    let packets = direct.len() as u64;
                    let written = counter.direct().unwrap().write(&frames);
                    prop_assert!(together > 0 && packets > 0);
                    match written {
                        Written::All => counter.count(count(&frames)),
                        Written::Part(left) => counter.count(left),
                    }
                }
                Step::Room(more) => {
                    far.take(more);
                    writer.run(&mut wire, cx);
                }
                Step::Read => counter.write_waiting(cx).unwrap(),
            }
        }
        far.take(usize::MAX / 2);
        writer.run(&mut wire, cx);
        counter.write_waiting(cx).unwrap();
        let payloads = payloads(&far.written());
        let (theirs, ours): (Vec<_>, Vec<_>) =
            payloads.iter().cloned().partition(|payload| payload.starts_with("2e"));
        prop_assert_eq!(&theirs, &engine);
        prop_assert_eq!(&ours, &direct);
        prop_assert_eq!(counter.left(), direct.len() as u64);
        let mut told = 0;
        let mut least = before.iter();
        for payload in &payloads {
            if payload.starts_with("2e") {
                prop_assert!(told >= *least.next().unwrap());
            } else {
                told += 1;
            }
        }
    }
}

fn count(frames: &[u8]) -> u64 {
    Frames::default().follow(frames)
}

fn payloads(mut frames: &[u8]) -> Vec<String> {
    let mut payloads = Vec::new();
    while !frames.is_empty() {
        let (header, length) = crate::transport::flow::lengths(frames).expect("a whole header");
        let end = header + usize::try_from(length).unwrap();
        payloads.push(String::from_utf8(frames[header..end].to_vec()).unwrap());
        frames = &frames[end..];
    }
    payloads
}

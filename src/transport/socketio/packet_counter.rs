//! Counts what has really left for a client, and wakes those who wait for room.
//!
//! socketioxide does not tell how full a socket's queue is. But all bytes pass through here: through a
//! [`Metered`] stream under the WebSocket, or as the body of a polling answer. Each event or ack that is seen
//! passing is one that no longer lies in the queue.

mod stream;

use std::any::Any;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;

use parking_lot::{MappedMutexGuard, Mutex, MutexGuard};
use tokio::sync::Notify;

use super::direct_write::DirectWrite;
use super::encode_cache::EncodeCache;
use super::namespaces::{DEFAULT, Namespaces, ServedNamespaces};
use super::poll_tracker::PollTracker;
use super::send_window::SendWindow;
use super::upgrade_state::UpgradeState;
use crate::domain::PrivateId;
use crate::hub::Wake;
use crate::limits::Place;
use crate::memory::MemoryBudget;
use crate::transport::connection::send_queue::Wakes;
use crate::transport::flow::{Messages, Received};
pub(super) use stream::Metered;

/// How often a session may enter namespaces.
const MAX_ENTRIES: u32 = 100;

/// What has left for one client, over whatever transport it is on.
#[derive(Debug, Default)]
pub(super) struct PacketCounter {
    /// Events and acks that have left.
    left: AtomicU64,
    closed: AtomicBool,
    ended: Notify,
    /// Whether an answer to CONNECT that is on its way lacks its id.
    lacks_pid: AtomicBool,
    /// Guards the ids that go into such answers, by namespace: several may be on their way.
    pids: Mutex<Vec<(Box<str>, PrivateId)>>,
    /// Answers to CONNECT that have not left: nothing overtakes them.
    unanswered: AtomicU32,
    /// Guards where packets are written past engineioxide, while the client has a WebSocket.
    direct: Mutex<Option<Arc<dyn DirectWrite>>>,
    /// Guards what lies in socketioxide's packet queue, which all namespaces of the transport share; nothing before the
    /// client has entered one.
    window: Mutex<Option<SendWindow>>,
    /// Guards what ends a session that has no stream of its own, or had none at its beginning.
    goodbye: Mutex<Option<Box<dyn Any + Send>>>,
    /// For how many microseconds nothing more is to be read; 0 if for none.
    pause: AtomicU64,
    /// Whether the client was held back since [`PacketCounter::take_held_back`], so that it may seem to be silent.
    held_back: AtomicBool,
    /// How often the client has asked to enter a namespace.
    entries: AtomicU32,
    /// The namespaces that there are; without it nobody wants to know which ones are asked for.
    served: Option<Arc<ServedNamespaces>>,
    /// Those that the client is in.
    pub(super) namespaces: Namespaces,
    /// Whether the client writes its packets in MessagePack, as its first one tells.
    pub(super) is_msgpack: OnceLock<bool>,
    /// When the client polled, if it is on long-polling.
    pub(super) polls: PollTracker,
    /// Where the client stands with its change to a WebSocket.
    pub(super) upgrade: UpgradeState,
    /// Counts the session for as long as anything is kept for it.
    _place: Option<Place<IpAddr>>,
    /// Guards who waits for room and the reader that must notice a close.
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    /// Whom to wake once so many events and acks have left.
    wakes: Wakes,
    reader: Option<Waker>,
}

impl PacketCounter {
    /// The counter of a session that begins, in its place.
    pub(super) fn new(place: Option<Place<IpAddr>>, served: &Arc<ServedNamespaces>) -> Self {
        Self {
            _place: place,
            served: Some(Arc::clone(served)),
            ..Self::default()
        }
    }

    /// Whether a packet is one that a rate counts.
    pub(super) fn is_counted(&self, message: &Received<'_>) -> bool {
        if !message.is_text {
            return self.speaks_msgpack() && self.namespaces.is_in_any();
        }
        match message.start {
            [b'4', b'2', b'/', next, ..] if *next != b',' => self.namespaces.is_in_named(),
            [b'4', b'2', ..] => self.namespaces.contains(DEFAULT),
            [b'4', b'5', ..] => self.namespaces.is_in_any(),
            _ => false,
        }
    }

    /// Records that the client asks to enter a namespace, if there is none of that name.
    pub(super) fn record_namespace(&self, namespace: &str) {
        if let Some(served) = &self.served {
            served.record(namespace);
        }
    }

    /// Whether the client reads and writes MessagePack.
    pub(super) fn speaks_msgpack(&self) -> bool {
        self.is_msgpack.get() == Some(&true)
    }

    /// The client asks to enter a namespace; whether it may. It costs more than a message, and no client does it often
    /// without a new session.
    pub(super) fn enter(&self) -> bool {
        self.entries.fetch_add(1, Ordering::Relaxed) < MAX_ENTRIES
    }

    /// How often the client has asked to enter a namespace.
    pub(super) fn entries(&self) -> u32 {
        self.entries.load(Ordering::Relaxed)
    }

    /// Ends the transport of a client that is in no namespace, unless it has asked to enter one since there were so many
    /// [`PacketCounter::entries`].
    pub(super) fn close_unless_back(&self, entries: u32) {
        if self.entries() == entries && self.namespaces.is_out() {
            self.close();
        }
    }

    /// Nothing more is read for a while.
    pub(super) fn pause(&self, pause: Duration) {
        let micros = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX);
        self.pause.fetch_max(micros, Ordering::Relaxed);
        self.held_back.store(true, Ordering::Relaxed);
    }

    /// For how long nothing is to be read from now on, if at all.
    pub(super) fn take_pause(&self) -> Option<Duration> {
        if self.pause.load(Ordering::Relaxed) == 0 {
            return None;
        }
        Some(Duration::from_micros(self.pause.swap(0, Ordering::Relaxed)))
    }

    /// Whether the client was held back since this was asked last.
    pub(super) fn take_held_back(&self) -> bool {
        self.held_back.load(Ordering::Relaxed) && self.held_back.swap(false, Ordering::Relaxed)
    }

    /// Events and acks that have left so far.
    pub(super) fn left(&self) -> u64 {
        self.left.load(Ordering::Acquire)
    }

    /// Wakes once so many have left in all. Whoever asks must look again afterwards: it may be so already.
    pub(super) fn wake_at(&self, left: u64, wake: &Wake) {
        self.waiting.lock().wakes.wake_at(left, wake);
    }

    /// Wakes nobody any more who asked for it.
    pub(super) fn forget(&self, wake: &Wake) {
        self.waiting.lock().wakes.forget(wake);
    }

    /// Ends the transport; the client can come back.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        if let Some(reader) = self.waiting.lock().reader.take() {
            reader.wake();
        }
        self.ended.notify_waiters();
        self.say_goodbye();
    }

    /// Keeps what ends the session when it is dropped.
    pub(super) fn keep_goodbye(&self, goodbye: impl Send + 'static) {
        *self.goodbye.lock() = Some(Box::new(goodbye));
    }

    fn say_goodbye(&self) {
        let goodbye = self.goodbye.lock().take();
        drop(goodbye);
    }

    /// Resolves when the transport is to end.
    pub(super) async fn closed(&self) {
        let mut ended = std::pin::pin!(self.ended.notified());
        ended.as_mut().enable();
        if !self.is_closed() {
            ended.await;
        }
    }

    /// Wakes everybody who waits for room: there will be none any more, or nobody who needs it.
    pub(super) fn wake_all(&self) {
        self.waiting.lock().wakes.wake_up_to(u64::MAX);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The next answer to CONNECT of this namespace carries this id.
    pub(super) fn give_pid(&self, namespace: &str, pid: PrivateId) {
        let mut pids = self.pids.lock();
        let known = pids.len();
        pids.retain(|(name, _)| **name != *namespace);
        if pids.len() == known {
            self.unanswered.fetch_add(1, Ordering::AcqRel);
        }
        pids.push((namespace.into(), pid));
        self.lacks_pid.store(true, Ordering::Release);
    }

    pub(super) fn lacks_pid(&self) -> bool {
        self.lacks_pid.load(Ordering::Acquire)
    }

    /// The id, for the answer of this namespace that is passing.
    pub(super) fn take_pid(&self, namespace: &str) -> Option<PrivateId> {
        let mut pids = self.pids.lock();
        let at = pids.iter().position(|(name, _)| **name == *namespace)?;
        let (_, pid) = pids.swap_remove(at);
        if pids.is_empty() {
            self.lacks_pid.store(false, Ordering::Release);
            *pids = Vec::new();
        }
        Some(pid)
    }

    /// The texts of events that all transports share.
    pub(super) fn encode_cache(&self) -> Option<&EncodeCache> {
        self.served.as_deref().map(|served| &served.encode_cache)
    }

    /// Notes that answers to CONNECT have left that had been given an id.
    pub(super) fn answered(&self, answers: u32) {
        self.unanswered.fetch_sub(answers, Ordering::AcqRel);
    }

    /// Lets packets be written past engineioxide.
    pub(super) fn attach(&self, direct: Arc<dyn DirectWrite>) {
        *self.direct.lock() = Some(direct);
    }

    /// Takes [`PacketCounter::attach`] back.
    pub(super) fn detach(&self) {
        let direct = self.direct.lock().take();
        drop(direct);
    }

    /// Where packets are written past engineioxide, once the client was let in by an answer that has left. Their text is
    /// not translated.
    pub(super) fn direct(&self) -> Option<Arc<dyn DirectWrite>> {
        if self.unanswered.load(Ordering::Acquire) > 0 || self.speaks_msgpack() {
            return None;
        }
        self.direct.lock().clone()
    }

    /// Writes what waits to be written past engineioxide.
    ///
    /// # Errors
    ///
    /// The stream is broken.
    pub(super) fn write_waiting(&self, cx: &mut Context<'_>) -> io::Result<()> {
        let direct = self.direct.lock().clone();
        direct.map_or(Ok(()), |direct| direct.write_waiting(cx))
    }

    /// Notes what may lie in socketioxide's queue, unless that is known: the transport's first namespace tells.
    pub(super) fn open_window(&self, max_answer: usize, memory: &MemoryBudget) {
        let open = || SendWindow::new(self.left(), max_answer, memory);
        self.window.lock().get_or_insert_with(open);
    }

    /// What lies in socketioxide's queue. Nobody else puts anything in for as long as this is kept.
    pub(super) fn window(&self) -> MappedMutexGuard<'_, SendWindow> {
        let window = MutexGuard::try_map(self.window.lock(), Option::as_mut);
        window.unwrap_or_else(|_| unreachable!("a queue opens the window when it is made"))
    }

    /// Notes that packets have left.
    pub(super) fn count(&self, packets: u64) {
        if packets == 0 {
            return;
        }
        let before = self.left.fetch_add(packets, Ordering::AcqRel);
        let left = before + packets;
        self.waiting.lock().wakes.wake_up_to(left);
    }
}

impl Messages for Arc<PacketCounter> {
    fn received(&mut self, message: &Received<'_>) -> bool {
        !self.is_counted(message)
    }
}

/// A poll that waits for its answer.
#[derive(Debug)]
pub(super) struct Polling(Arc<PacketCounter>);

impl Polling {
    pub(super) fn begin(counter: &Arc<PacketCounter>) -> Self {
        counter.polls.begin();
        Self(Arc::clone(counter))
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.0.polls.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::connection::send_queue::Kind;

    #[test]
    fn each_namespace_gets_its_own_id_once() {
        let counter = PacketCounter::default();
        let (one, two) = (PrivateId::generate(), PrivateId::generate());
        counter.give_pid("/", one.clone());
        counter.give_pid("/board", PrivateId::generate());
        counter.give_pid("/board", two.clone());
        assert_eq!(counter.take_pid("/chat"), None);
        assert_eq!(counter.take_pid("/board"), Some(two));
        assert!(counter.lacks_pid());
        assert_eq!(counter.take_pid("/board"), None);
        assert_eq!(counter.take_pid("/"), Some(one));
        assert!(!counter.lacks_pid());
    }

    #[test]
    fn a_transport_ends_unless_its_client_is_in_a_namespace_or_has_asked_again() {
        let counter = PacketCounter::default();
        assert!(counter.enter());
        counter.namespaces.enter("/board");
        counter.close_unless_back(counter.entries());
        assert!(!counter.is_closed(), "it is in one");
        counter.namespaces.leave("/board");
        let left = counter.entries();
        assert!(counter.enter());
        counter.close_unless_back(left);
        assert!(!counter.is_closed(), "it has asked again");
        counter.close_unless_back(counter.entries());
        assert!(counter.is_closed());
    }

    #[test]
    fn a_session_asks_only_so_often() {
        let counter = PacketCounter::default();
        let asked = (0..2 * MAX_ENTRIES).filter(|_| counter.enter());
        assert_eq!(asked.count(), MAX_ENTRIES as usize);
    }

    /// What is sent elsewhere is dropped, so that no rate would count it.
    #[test]
    fn events_count_where_the_client_is() {
        let counter = PacketCounter::default();
        let starts: [&[u8]; 6] = [b"42[", b"42/,1[", b"42/board", b"451-/boa", b"40", b"43["];
        let received = |start| Received {
            is_text: true,
            start,
            length: 20,
        };
        let are_counted = || starts.map(|start| counter.is_counted(&received(start)));
        assert_eq!(are_counted(), [false; 6]);
        counter.namespaces.enter("/board");
        assert_eq!(are_counted(), [false, false, true, true, false, false]);
        counter.namespaces.enter("/");
        assert_eq!(are_counted(), [true, true, true, true, false, false]);
        counter.namespaces.leave("/board");
        assert_eq!(are_counted(), [true, true, false, true, false, false]);
    }

    #[test]
    fn all_namespaces_share_one_window() {
        let counter = PacketCounter::default();
        let memory = MemoryBudget::new(usize::MAX, usize::MAX);
        counter.open_window(1 << 20, &memory);
        for _ in 0..Kind::Event.max_messages() {
            counter.window().put(10);
        }
        counter.open_window(1 << 20, &memory);
        assert!(!counter.window().takes(Kind::Event, 10));
        counter.count(1);
        let mut window = counter.window();
        window.settle(counter.left());
        assert!(window.takes(Kind::Event, 10));
    }

    /// Each session has one, most of them with one namespace alone.
    #[test]
    fn a_counter_is_small() {
        assert!(
            size_of::<PacketCounter>() <= 424,
            "{}",
            size_of::<PacketCounter>()
        );
        assert_eq!(size_of::<Namespaces>(), 24);
    }
}

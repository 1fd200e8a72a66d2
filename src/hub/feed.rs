//! One channel's deliverer: a task that hands every subscriber the event after its position.
//!
//! That one rule serves the live path, a join in the middle of the log, a slow reader and a message that
//! was lost on the way: while a position is behind the head, the next event comes from the ring, from the
//! page that was read last, or from a new page of the log. A page is read once for all who need it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior};

use super::page::{self, Found, Page, PageRead, READ_RETRY, Turns};
use super::relay::{Heard, Message, Queued};
use super::ring::{Ring, weight};
use super::shrink::Footprint;
use super::subscription::Subscription;
use super::{
    From, HubOptions, Joined, Offer, OutOfRange, SLOW_READER, SubscribeError, Subscriber, Wake,
};
use crate::broker::Confirmation;
use crate::domain::{ChannelName, ChannelNo, Event, Seq, Signal};
use crate::store::{Store, StoreError};

/// Events from so many bytes on are large: a few of them are all that a ring has room for.
const LARGE: usize = 1024 * 1024;
/// Subscribers that are served before other tasks have their turn: each may cost a system call.
const AT_ONCE: usize = 64;
/// How often blocked subscribers are looked at besides being woken.
const BLOCKED_TICK: Duration = Duration::from_millis(250);

/// After how many ticks even those are looked at for whom the log must be read, though nothing says that they have room:
/// else each of them could cost a page of the log with every tick.
const TICKS_PER_READ: u32 = 8;

/// What is known of the channel, once its head has been read.
struct Log {
    /// Missing before the channel's first event. It is taken from what was committed here or from the log, and never from
    /// what another instance says.
    no: Option<ChannelNo>,
    head: Seq,
}

pub(super) struct Feed {
    channel: ChannelName,
    store: Store,
    heard: Arc<Heard>,
    /// Tells when other instances' events are heard.
    confirmation: Confirmation,
    /// Counts the pages that are read, of all feeds.
    log_reads: Arc<AtomicU64>,
    options: HubOptions,
    log: Option<Log>,
    ring: Ring,
    page: Vec<Arc<Event>>,
    page_bytes: usize,
    footprint: Footprint,
    turns: Turns,
    slots: Vec<Subscription>,
    wake: Wake,
    /// When the head could not be read.
    unreadable: Option<Instant>,
}

impl Feed {
    pub(super) fn new(
        channel: ChannelName,
        store: Store,
        heard: Arc<Heard>,
        confirmation: Confirmation,
        log_reads: Arc<AtomicU64>,
        footprint: Footprint,
        options: HubOptions,
    ) -> Self {
        Self {
            channel,
            store,
            heard,
            confirmation,
            log_reads,
            options,
            log: None,
            ring: Ring::new(options.ring_events, options.ring_bytes),
            page: Vec::new(),
            page_bytes: 0,
            footprint,
            turns: Turns::default(),
            slots: Vec::new(),
            wake: Arc::new(Notify::new()),
            unreadable: None,
        }
    }

    /// Serves until the last subscription is dropped.
    pub(super) async fn run(mut self, mut messages: mpsc::Receiver<Queued>) {
        let mut tick = tokio::time::interval(BLOCKED_TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reading: Option<PageRead> = None;
        let mut ticks = 0;
        loop {
            if reading.is_none() {
                reading = self.next_read();
            }
            tokio::select! {
                message = messages.recv() => match message {
                    Some(Queued { message, .. }) => self.take_messages(message, &mut messages).await,
                    None => return,
                },
                page = async { reading.as_mut().expect("guarded").await }, if reading.is_some() => {
                    reading = match page {
                        Some(page) => self.take_page(page).await,
                        None => None,
                    };
                }
                () = self.wake.notified(), if self.any_waiting() => self.retry_waiting(true),
                _ = tick.tick(), if self.any_waiting() => {
                    self.close_stuck();
                    ticks = (ticks + 1) % TICKS_PER_READ;
                    self.retry_waiting(ticks == 0);
                }
            }
            self.deliver().await;
            self.account();
        }
    }

    /// Tells how much the feed keeps, and forgets what all feeds together keep too much: now that it is delivered, it can
    /// be read from the log by those who need it later.
    fn account(&mut self) {
        self.footprint.set(self.ring.bytes() + self.page_bytes);
        let excess = self.footprint.excess();
        if excess > 0 {
            self.give_up(excess);
        }
    }

    /// Forgets at least so many bytes, if it has as many: first the page, which is older than the ring.
    fn give_up(&mut self, bytes: usize) {
        let of_ring = bytes.saturating_sub(self.page_bytes);
        self.set_page(Vec::new());
        self.ring.give_up(of_ring);
        self.footprint.set(self.ring.bytes());
    }

    fn set_page(&mut self, page: Vec<Arc<Event>>) {
        self.page_bytes = page.iter().map(|event| weight(event)).sum();
        self.page = page;
    }

    /// Takes all that waits, so that what was committed together is delivered together.
    async fn take_messages(&mut self, first: Message, messages: &mut mpsc::Receiver<Queued>) {
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Committed(events) => {
                    self.know_number(events.first().map(|event| event.channel_no));
                    self.take_events(&events).await;
                }
                Message::Events(events) => self.take_events(&events).await,
                Message::Announced => {}
                Message::Signal(signal) => self.tell_all(&signal).await,
                Message::GiveUp(bytes) => self.give_up(bytes),
                Message::Settle(reply) => {
                    self.deliver().await;
                    tell(reply);
                }
                Message::Subscribe {
                    id,
                    subscriber,
                    from,
                    committed,
                    reply,
                } => {
                    // Those who are here already get what came before; the newcomer does not.
                    self.deliver().await;
                    if let Some((_, seq)) = committed {
                        self.heard.head.fetch_max(seq, Ordering::AcqRel);
                    }
                    let joined = self.subscribe(id, subscriber, from, committed).await;
                    if reply.send(joined).is_err() {
                        self.slots.retain(|slot| slot.id != id);
                    }
                }
                Message::Unsubscribe { id, reply } => {
                    self.deliver().await;
                    self.slots.retain(|slot| slot.id != id);
                    if let Some(reply) = reply {
                        tell(reply);
                    }
                }
            }
            next = messages.try_recv().ok().map(|queued| queued.message);
        }
    }

    async fn subscribe(
        &mut self,
        id: u64,
        subscriber: Arc<dyn Subscriber>,
        from: From,
        committed: Option<(ChannelNo, Seq)>,
    ) -> Result<Joined, SubscribeError> {
        let log = match self.log.take() {
            Some(log) => log,
            None => self.read_head().await?,
        };
        let log = self.log.insert(log);
        let (no, seq) = committed.unzip();
        log.no = log.no.or(no);
        let head = log.head.max(seq.unwrap_or(0));
        let pruned = self.heard.pruned.load(Ordering::Acquire);
        let position = match from {
            From::Now => log.head,
            From::After(seq) | From::Seen(seq) if seq > head => Err(OutOfRange::Ahead)?,
            From::After(seq) | From::Seen(seq) if seq < pruned => Err(OutOfRange::Pruned)?,
            From::Seen(seq) if head.abs_diff(seq) > self.options.replay_limit as u64 => {
                Err(OutOfRange::TooMany)?
            }
            From::After(seq) | From::Seen(seq) => seq,
        };
        let joined = Joined {
            channel_no: log.no,
            head,
            position,
        };
        let mut slot = Subscription::new(id, subscriber, position);
        slot.replays_up_to = head;
        self.slots.push(slot);
        Ok(joined)
    }

    /// Those who waited while the log could not be read are refused with the first of them, not one by one.
    async fn read_head(&mut self) -> Result<Log, SubscribeError> {
        if self.unreadable.is_some_and(|at| at.elapsed() < READ_RETRY) {
            let late = "the head could not be read a moment ago";
            return Err(StoreError::Unavailable(late.into()).into());
        }
        // What is committed before is in the head that is read, and what is committed after is heard of.
        self.confirmation.wait().await;
        // Boxed, because a feed would have room for it as long as it lives, and it is large.
        let read = Box::pin(self.store.channel_get(&self.channel)).await;
        self.unreadable = read.is_err().then(Instant::now);
        let Some(channel) = read? else {
            return Ok(Log { no: None, head: 0 });
        };
        let pruned = channel.pruned_seq;
        self.heard.pruned.fetch_max(pruned, Ordering::AcqRel);
        Ok(Log {
            no: Some(channel.no),
            head: channel.seq,
        })
    }

    /// Learns the number that the channel got with its first event.
    fn know_number(&mut self, no: Option<ChannelNo>) {
        if let Some(log) = &mut self.log {
            log.no = log.no.or(no);
        }
    }

    /// Appends what follows the head. A gap is left for the log to fill.
    async fn take_events(&mut self, events: &[Arc<Event>]) {
        self.footprint.touch();
        for event in events {
            if weight(event) >= LARGE {
                // It may take the place of all others. Who is told of them now need not read them from the log, which does
                // not know over which connection they came.
                self.deliver().await;
            }
            let Some(log) = &mut self.log else { return };
            // Another number is of another log, whoever says so.
            if log.no == Some(event.channel_no) && event.seq == log.head + 1 {
                log.head = event.seq;
                self.ring.push(Arc::clone(event));
            }
        }
    }

    /// Takes a page over. After one that did not help comes a pause.
    async fn take_page(&mut self, page: Page) -> Option<PageRead> {
        let Page {
            no,
            after,
            claimed,
            found,
        } = page;
        self.know_number(no);
        match found {
            Ok(Found::Next(events)) => {
                self.take_events(&events).await;
                // Others are likely to ask for the same: those who come back come back at the same time.
                let reaches_head = events.last().is_some_and(|event| self.is_head(event.seq));
                if reaches_head || !self.ring.is_empty() {
                    self.ring.fill(&events);
                }
                // In place of what others need who lag further behind only if the ring has no room for it.
                if events
                    .iter()
                    .any(|event| self.ring.get(event.seq).is_none())
                {
                    self.set_page(events);
                }
                return None;
            }
            Ok(Found::Pruned(pruned)) => {
                self.take_pruned(pruned);
                return None;
            }
            // Whoever publishes has committed before: there is no more, whatever was said, unless it was said since.
            Ok(Found::End) if self.is_head(after) => {
                let false_claim = self.heard.head.compare_exchange(
                    claimed,
                    after,
                    Ordering::AcqRel,
                    Ordering::Relaxed,
                );
                tracing::debug!(channel = %self.channel, after, ?false_claim, "the log ends earlier than was said");
            }
            Ok(Found::End | Found::Hole) => {
                tracing::warn!(channel = %self.channel, after, "the log has a hole; trying again");
            }
            Err(error) => {
                tracing::warn!(channel = %self.channel, error = %error, "cannot read the log; trying again");
            }
        }
        Some(page::pause())
    }

    /// Learns that the log begins later than was known. Who needs what is gone and not in memory cannot go on and is
    /// closed, to come back and be told so. If even the head is gone, the feed goes on from where the log begins.
    fn take_pruned(&mut self, pruned: Seq) {
        self.heard.pruned.fetch_max(pruned, Ordering::AcqRel);
        if let Some(log) = &mut self.log
            && log.head < pruned
        {
            log.head = pruned;
            self.ring.clear();
            self.set_page(Vec::new());
        }
        let mut slots = std::mem::take(&mut self.slots);
        slots.retain(|slot| {
            let goes_on = slot.position >= pruned || self.find(slot.position + 1).is_some();
            if !goes_on {
                slot.subscriber.close("pruned");
            }
            goes_on
        });
        self.slots = slots;
    }

    fn is_head(&self, seq: Seq) -> bool {
        self.log.as_ref().is_some_and(|log| log.head == seq)
    }

    /// Reads the page after the head or a position that neither ring nor page can serve, whose turn it is.
    fn next_read(&mut self) -> Option<PageRead> {
        let log = self.log.as_ref()?;
        let lagging = self
            .slots
            .iter()
            .filter(|slot| !slot.waiting && slot.position < log.head)
            .filter(|slot| self.find(slot.position + 1).is_none())
            .map(|slot| slot.position);
        let claimed = self.heard.head.load(Ordering::Acquire);
        let behind = (claimed > log.head).then_some(log.head);
        let (turns, after) = self.turns.next(behind, lagging)?;
        let (store, channel) = (self.store.clone(), self.channel.clone());
        let read = page::read(store, channel, log.no, after, claimed);
        self.turns = turns;
        self.log_reads.fetch_add(1, Ordering::Relaxed);
        Some(read)
    }

    fn find(&self, seq: Seq) -> Option<&Arc<Event>> {
        self.ring.get(seq).or_else(|| {
            let first = self.page.first()?.seq;
            let index = usize::try_from(seq.checked_sub(first)?).ok()?;
            self.page.get(index)
        })
    }

    /// The event with this seq and those that follow it in one slice: of the ring, or else of the page.
    fn run_from(&self, seq: Seq) -> Option<&[Arc<Event>]> {
        self.ring.run(seq).or_else(|| {
            let first = self.page.first()?.seq;
            let index = usize::try_from(seq.checked_sub(first)?).ok()?;
            self.page.get(index..).filter(|run| !run.is_empty())
        })
    }

    /// Hands every subscriber what it has not had, as far as it can be found and there is room. Others have their turn in
    /// between: a large room takes a while.
    async fn deliver(&mut self) {
        let Some(head) = self.log.as_ref().map(|log| log.head) else {
            return;
        };
        let mut slots = std::mem::take(&mut self.slots);
        let (mut next, mut served) = (0, 0);
        while let Some(slot) = slots.get_mut(next) {
            let before = slot.position;
            if !self.deliver_to(slot, head) {
                slots.swap_remove(next);
                continue;
            }
            served += usize::from(slot.position > before);
            next += 1;
            if served == AT_ONCE {
                served = 0;
                tokio::task::yield_now().await;
            }
        }
        self.slots = slots;
        if !self.page.is_empty() && self.slots.iter().all(|slot| slot.position >= head) {
            self.set_page(Vec::new());
        }
    }

    /// Whether the subscriber is still there.
    fn deliver_to(&self, slot: &mut Subscription, head: Seq) -> bool {
        while !slot.waiting && slot.position < head {
            let Some(events) = self.run_from(slot.position + 1) else {
                return true;
            };
            let (taken, offered) = slot.subscriber.offer_all(events);
            slot.told(&events[..taken]);
            match offered {
                Offer::Taken => {}
                Offer::Full => {
                    slot.block();
                    slot.subscriber.wake_when_writable(&self.wake);
                }
                Offer::Gone => return false,
            }
        }
        slot.catch_up(head, &self.channel, &self.wake);
        true
    }

    /// Tells those who were told all that happened; the others may have been turned out by what they were not told yet.
    async fn tell_all(&mut self, signal: &Arc<Signal>) {
        self.deliver().await;
        let head = self.log.as_ref().map_or(Seq::MAX, |log| log.head);
        for slot in &mut self.slots {
            slot.signal(head, &self.channel, signal, &self.wake);
        }
    }

    fn any_waiting(&self) -> bool {
        let mut slots = self.slots.iter();
        slots.any(|slot| slot.waiting || slot.pending.waiting)
    }

    /// Offers events anew. With `even_from_log` also to those for whom the log must be read, although they may have taken
    /// nothing since they had no room.
    fn retry_waiting(&mut self, even_from_log: bool) {
        let mut slots = std::mem::take(&mut self.slots);
        for slot in &mut slots {
            let costs_a_read = !even_from_log && self.find(slot.position + 1).is_none();
            slot.waiting &= costs_a_read && !slot.has_taken();
            slot.pending.waiting = false;
        }
        self.slots = slots;
    }

    fn close_stuck(&mut self) {
        let patience = self.options.slow_reader_timeout;
        self.slots.retain_mut(|slot| {
            let stuck = slot.is_stuck(patience);
            if stuck {
                slot.subscriber.close(SLOW_READER);
            }
            !stuck
        });
    }
}

/// Answers somebody who may have stopped waiting.
fn tell(reply: oneshot::Sender<()>) {
    if reply.send(()).is_err() {
        tracing::trace!("nobody waits any more");
    }
}

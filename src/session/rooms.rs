//! The channels that a session is subscribed to, and how far it has been told of each.

mod looks;

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::contract::{
    ChannelRef, Cursor, MAX_CURSOR_CHANNELS, MAX_CURSOR_NAMES_BYTES, MAX_CURSOR_TYPES_BYTES,
    PresenceWish, Types,
};
use crate::domain::{ChannelName, ChannelNo, Epoch, Event, EventType, ProjectId, Seq, Target};
use crate::hub::{self, Subscription};
use crate::presence::{Attendance, Watch};

#[derive(Debug)]
struct Room {
    project: Option<ProjectId>,
    /// Only events of these types are told.
    types: Option<Types>,
    /// Missing while the subscription is being made or ended.
    subscription: Option<Subscription>,
    /// From the first subscription on, until the room is left.
    attendance: Option<Attendance>,
    /// What the client has said of presence events there.
    presence: Option<PresenceWish>,
    /// As long as the client is told of presence there.
    watch: Option<Watch>,
    /// The seq after which events are told.
    since: Seq,
    /// How the cursor spells the channel: known from the first subscription or event on.
    spelled: Option<ChannelRef>,
    /// From where on events follow, as long as the state before them is not on its way: they are held back.
    held: Option<Seq>,
    /// Up to which event the client is told, as long as the state as of it is not on its way; and whether a later one waits.
    stop: Option<(Seq, bool)>,
    /// As of which event it is certain that the client may be here; until that is known nothing is delivered.
    vetted: Option<Seq>,
    /// Whether the client was turned out: it is still to be told so, and hears nothing else.
    revoked: bool,
}

/// What becomes of an event on its way to a client.
#[derive(Debug)]
pub enum Delivery {
    /// It is told, with the cursor that was written, which covers all channels of the session.
    Told,
    /// It is none of those that the client wants to hear of: it counts as told.
    Skipped,
    /// Not yet.
    Wait,
    /// The client is told that it was turned out instead, and then nothing more.
    Revoked,
    /// The client is not there any more.
    Gone,
}

/// A position ahead of every log: whoever comes back with it is told the state anew. It stands in cursors while it is
/// not certain that the client gets the state from which it was to go on.
pub(super) const UNCERTAIN: Seq = Seq::MAX;

/// After so many events that a client did not want to hear of it gets a cursor all the same.
const MAX_SKIPPED: usize = 1000;

/// See the module.
#[derive(Debug)]
pub struct Rooms {
    /// Rooms that the client may be in: each costs a feed, and every cursor names all of them.
    pub(super) max: usize,
    /// Guards the rooms: requests add and remove them, feeds move their positions on.
    joined: Mutex<Joined>,
    /// Told when a client may have been told everything up to where a room stops.
    stopped: Notify,
}

#[derive(Debug)]
struct Joined {
    /// Boxed: a map has room for several, and most clients are in one.
    by_channel: HashMap<ChannelName, Box<Room>>,
    /// The last seq that was delivered of each room.
    told: Cursor,
    /// Events that the client did not want to hear of, since it was given a cursor.
    skipped: usize,
    /// The client has gone. A subscription that is kept now would never end: it and its feed own each other.
    closed: bool,
}

impl Room {
    /// How the cursor spells the room's channel from now on: by its number as soon as that is known.
    fn spell(
        &mut self,
        told: &mut Cursor,
        channel: &ChannelName,
        no: Option<ChannelNo>,
    ) -> ChannelRef {
        let spelled = match (self.spelled.take(), no) {
            (Some(ChannelRef::Name(name)), Some(no)) => {
                told.number(&name, no);
                ChannelRef::Number(no)
            }
            (Some(known), _) => known,
            (None, no) => ChannelRef::new(no, channel),
        };
        self.spelled.insert(spelled).clone()
    }
}

impl Joined {
    /// Whether cursors have room for the name of a channel without events.
    fn has_place_for_name(&self, channel: &ChannelName) -> bool {
        let positions = self.told.positions().iter();
        let names = positions.filter_map(|position| match &position.channel {
            ChannelRef::Name(name) if name != channel => Some(Cursor::name_bytes(name)),
            _ => None,
        });
        names.sum::<usize>() + Cursor::name_bytes(channel) <= MAX_CURSOR_NAMES_BYTES
    }

    fn room(&mut self, target: &Target) -> &mut Room {
        let room = self.by_channel.entry(target.channel.clone());
        room.or_insert_with(|| {
            Box::new(Room {
                project: target.project.clone(),
                types: None,
                subscription: None,
                attendance: None,
                presence: None,
                watch: None,
                since: Seq::MAX,
                spelled: None,
                held: None,
                stop: None,
                vetted: None,
                revoked: false,
            })
        })
    }
}

impl Rooms {
    /// No rooms, in this database, and so many at most.
    pub(super) fn new(epoch: Epoch, max: usize) -> Self {
        Self {
            max: max.min(MAX_CURSOR_CHANNELS),
            joined: Mutex::new(Joined {
                by_channel: HashMap::new(),
                told: Cursor::new(epoch),
                skipped: 0,
                closed: false,
            }),
            stopped: Notify::new(),
        }
    }

    /// Whether these rooms, each named once, may be entered.
    pub(super) fn has_place_for(&self, channels: &[ChannelName]) -> bool {
        let rooms = &self.joined.lock().by_channel;
        let new = channels.iter().filter(|name| !rooms.contains_key(name));
        rooms.len() + new.count() <= self.max
    }

    /// The subscription that a room has, which must be left before another is made.
    pub(super) fn take_subscription(&self, channel: &ChannelName) -> Option<Subscription> {
        let mut rooms = self.joined.lock();
        rooms.by_channel.get_mut(channel)?.subscription.take()
    }

    /// Makes a room before its subscription, so that the first delivery finds it. From now on only events of these types
    /// are told there; all of them without types.
    pub(super) fn enter(&self, target: &Target, types: Option<&Types>, vetted: Option<Seq>) {
        let rooms = &mut *self.joined.lock();
        let room = rooms.room(target);
        room.types = types.cloned();
        room.vetted = vetted;
        room.revoked = false;
        if let Some(channel) = room.spelled.clone() {
            rooms.told.select(&channel, types.cloned());
        }
    }

    /// The types of the events that are told in a room, if not all are.
    pub(super) fn types(&self, channel: &ChannelName) -> Option<Types> {
        let rooms = self.joined.lock();
        rooms.by_channel.get(channel)?.types.clone()
    }

    /// Lets events through, because the client may be here as of a seq. Whether the room is still there.
    pub(super) fn admit(&self, channel: &ChannelName, as_of: Seq) -> bool {
        let mut rooms = self.joined.lock();
        let room = rooms.by_channel.get_mut(channel);
        room.map(|room| room.vetted = Some(as_of)).is_some()
    }

    /// Turns the client out, unless it was vetted after that event. Cursors cover the room until the client is told so:
    /// if its connection ends before that, it is told when it comes back.
    pub(super) fn revoke(&self, channel: &ChannelName, seq: Seq) {
        let mut rooms = self.joined.lock();
        if let Some(room) = rooms.by_channel.get_mut(channel)
            && room.vetted.is_some_and(|vetted| vetted < seq)
        {
            room.revoked = true;
        }
    }

    /// Whether a room has been entered.
    #[must_use]
    pub fn contains(&self, channel: &ChannelName) -> bool {
        let rooms = self.joined.lock();
        let room = rooms.by_channel.get(channel);
        room.is_some_and(|room| !room.revoked)
    }

    /// Whether the client may hear what is said in a room: not before that is certain; `None` if not any more.
    #[must_use]
    pub fn hears(&self, channel: &ChannelName) -> Option<bool> {
        let rooms = self.joined.lock();
        let room = rooms.by_channel.get(channel);
        let room = room.filter(|room| !room.revoked)?;
        Some(room.vetted.is_some())
    }

    /// Whether the client wants to hear of such events in a room.
    #[must_use]
    pub fn wants(&self, channel: &ChannelName, event_type: &EventType) -> bool {
        let rooms = self.joined.lock();
        let room = rooms.by_channel.get(channel);
        let types = room.and_then(|room| room.types.as_ref());
        types.is_none_or(|types| types.contain(event_type))
    }

    /// Whether an event was told in a room, or will be.
    pub(super) fn tells(&self, channel: &ChannelName, event_type: &EventType, seq: Seq) -> bool {
        let rooms = self.joined.lock();
        let room = rooms.by_channel.get(channel);
        room.is_some_and(|room| {
            let types = room.types.as_ref();
            let is_wanted = types.is_none_or(|types| types.contain(event_type));
            is_wanted && !room.revoked && seq > room.since
        })
    }

    /// Whether cursors have room for these types in each of these rooms.
    pub(super) fn has_place_for_types(&self, channels: &[ChannelName], types: &Types) -> bool {
        let rooms = self.joined.lock();
        let others = rooms.by_channel.iter();
        let others = others.filter(|(name, _)| !channels.contains(name));
        let known = others.filter_map(|(_, room)| Some(room.types.as_ref()?.bytes()));
        known.sum::<usize>() + channels.len() * types.bytes() <= MAX_CURSOR_TYPES_BYTES
    }

    /// The channels of all rooms out of which the client was not turned, and their projects.
    pub(super) fn targets(&self) -> Vec<Target> {
        let rooms = self.joined.lock();
        let joined = rooms.by_channel.iter().filter(|(_, room)| !room.revoked);
        let targets = joined.map(|(channel, room)| Target {
            channel: channel.clone(),
            project: room.project.clone(),
        });
        targets.collect()
    }

    /// The seq up to which a room was told.
    pub(super) fn position(&self, channel: &ChannelName) -> Option<Seq> {
        let rooms = self.joined.lock();
        let room = rooms.by_channel.get(channel)?;
        rooms.told.get(room.spelled.as_ref()?)
    }

    /// Keeps a room's new subscription. What was delivered meanwhile lies after its position. Who is not in the room
    /// yet, attends from now on; who has gone meanwhile, does not. `false` if the channel has no event yet and cursors
    /// have no room for its name: then nothing is kept.
    pub(super) fn settle(
        &self,
        channel: &ChannelName,
        subscription: Subscription,
        joined: hub::Joined,
        attend: impl FnOnce() -> Option<Attendance>,
    ) -> bool {
        let mut rooms = self.joined.lock();
        let room = rooms.by_channel.get(channel);
        let spelled = room.and_then(|room| room.spelled.as_ref());
        // A delivery may have given the room its number meanwhile.
        let has_number =
            joined.channel_no.is_some() || matches!(spelled, Some(ChannelRef::Number(_)));
        if !has_number && !rooms.has_place_for_name(channel) {
            return false;
        }
        let Joined {
            by_channel,
            told,
            skipped: _,
            closed: false,
        } = &mut *rooms
        else {
            return true;
        };
        if let Some(room) = by_channel.get_mut(channel) {
            room.subscription = Some(subscription);
            room.since = joined.position;
            if room.attendance.is_none() {
                room.attendance = attend();
            }
            let spelled = room.spell(told, channel, joined.channel_no);
            let position = if let Some(held) = &mut room.held {
                *held = joined.position;
                UNCERTAIN
            } else {
                let delivered = told.get(&spelled).unwrap_or(joined.position);
                delivered.max(joined.position)
            };
            told.set(spelled.clone(), position);
            told.select(&spelled, room.types.clone());
            told.wish(&spelled, room.presence);
        }
        true
    }

    /// Starts a room over at another position.
    pub(super) fn restart(&self, channel: &ChannelName, position: Seq) {
        self.start_over(channel, position, None);
    }

    /// Starts a room over at a state that the client is about to get. Its events are held back until
    /// [`Rooms::release`].
    pub(super) fn hold(&self, channel: &ChannelName, position: Seq) {
        self.start_over(channel, UNCERTAIN, Some(position));
    }

    fn start_over(&self, channel: &ChannelName, position: Seq, held: Option<Seq>) {
        let rooms = &mut *self.joined.lock();
        if let Some(room) = rooms.by_channel.get_mut(channel) {
            room.held = held;
            if let Some(channel) = &room.spelled {
                rooms.told.set(channel.clone(), position);
            }
        }
    }

    /// Lets a room's events follow the state before them, which is on its way. Whether they were held back.
    pub fn release(&self, channel: &ChannelName) -> bool {
        let rooms = &mut *self.joined.lock();
        let room = rooms.by_channel.get_mut(channel);
        let released = room.and_then(|room| room.spelled.clone().zip(room.held.take()));
        let Some((channel, position)) = released else {
            return false;
        };
        rooms.told.set(channel, position);
        true
    }

    /// Lets the events of all rooms follow what was said of their state.
    pub fn release_all(&self) {
        let rooms = &mut *self.joined.lock();
        for room in rooms.by_channel.values_mut() {
            if let (Some(channel), Some(position)) = (&room.spelled, room.held.take()) {
                rooms.told.set(channel.clone(), position);
            }
        }
    }

    /// Keeps back what comes after an event, until [`Rooms::go_on`]: a state as of it is to be told between the two.
    pub fn stop_after(&self, channel: &ChannelName, seq: Seq) {
        let mut rooms = self.joined.lock();
        if let Some(room) = rooms.by_channel.get_mut(channel) {
            room.stop = Some((seq, false));
        }
    }

    /// Waits until a room may have come to where it stops.
    pub fn stopping(&self) -> Notified<'_> {
        self.stopped.notified()
    }

    /// Whether the client was told everything up to where a room stops. An event that is being told counts as told.
    #[must_use]
    pub fn has_stopped(&self, channel: &ChannelName) -> bool {
        let rooms = self.joined.lock();
        let Some(room) = rooms.by_channel.get(channel) else {
            return true;
        };
        let Some((stop, is_waiting)) = room.stop else {
            return true;
        };
        let spelled = room.spelled.as_ref();
        let told = spelled.and_then(|channel| rooms.told.get(channel));
        is_waiting || room.revoked || told.is_none_or(|told| told >= stop)
    }

    /// Ends what [`Rooms::stop_after`] began.
    pub fn go_on(&self, channel: &ChannelName) {
        let mut rooms = self.joined.lock();
        if let Some(room) = rooms.by_channel.get_mut(channel) {
            room.stop = None;
        }
    }

    /// Whether events wait for a state, or until it is certain that the client may hear them.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        let rooms = self.joined.lock();
        let mut rooms = rooms.by_channel.values();
        rooms.any(|room| {
            let is_stopped = matches!(room.stop, Some((_, true)));
            room.held.is_some() || room.vetted.is_none() || is_stopped
        })
    }

    /// The place in a room that is being left; the room stays until [`Rooms::forget`].
    pub(super) fn exit(&self, channel: &ChannelName) -> Option<(Subscription, Option<Attendance>)> {
        let mut rooms = self.joined.lock();
        let room = rooms.by_channel.get_mut(channel)?;
        let subscription = room.subscription.take()?;
        Some((subscription, room.attendance.take()))
    }

    /// Removes a room, and so ends its subscription. Gives back the client's attendance.
    pub(super) fn forget(&self, channel: &ChannelName) -> Option<Attendance> {
        let mut rooms = self.joined.lock();
        let forgotten = rooms.by_channel.remove(channel)?;
        if let Some(channel) = &forgotten.spelled {
            rooms.told.remove(channel);
        }
        drop(rooms);
        forgotten.attendance
    }

    /// The project of a room, as the client wrote its id.
    #[must_use]
    pub fn project(&self, channel: &ChannelName) -> Option<ProjectId> {
        let rooms = self.joined.lock();
        let room = rooms.by_channel.get(channel)?;
        room.project.clone()
    }

    /// Removes all rooms and so ends their subscriptions, for good.
    pub fn close(&self) {
        let mut rooms = self.joined.lock();
        rooms.closed = true;
        let left = std::mem::take(&mut rooms.by_channel);
        drop(rooms);
        drop(left);
    }

    /// The projects that were joined.
    pub(super) fn projects(&self) -> Vec<ProjectId> {
        let rooms = self.joined.lock();
        let joined = rooms.by_channel.values().filter(|room| !room.revoked);
        joined.filter_map(|room| room.project.clone()).collect()
    }

    /// The cursor of all rooms.
    #[must_use]
    pub fn cursor(&self) -> String {
        self.joined.lock().told.text()
    }

    /// The cursor of all rooms but one, of which the client is told that it was turned out.
    #[must_use]
    pub fn cursor_without(&self, channel: &ChannelName) -> String {
        let rooms = self.joined.lock();
        let mut told = rooms.told.clone();
        let room = rooms.by_channel.get(channel);
        if let Some(channel) = room.and_then(|room| room.spelled.as_ref()) {
            told.remove(channel);
        }
        told.text()
    }

    /// Covers a room no longer: the client was told that it was turned out.
    pub fn uncover(&self, channel: &ChannelName) {
        let rooms = &mut *self.joined.lock();
        let room = rooms.by_channel.get(channel);
        if let Some(channel) = room.and_then(|room| room.spelled.as_ref()) {
            rooms.told.remove(channel);
        }
    }

    /// Notes that an event is being delivered and writes the cursor after it into `cursor`, unless it is not to be delivered now, or
    /// is not for this client.
    #[must_use]
    pub fn deliver(&self, event: &Event, is_heard: bool, cursor: &mut String) -> Delivery {
        let rooms = &mut *self.joined.lock();
        let Some(room) = rooms.by_channel.get_mut(&event.channel) else {
            return Delivery::Gone;
        };
        if room.revoked {
            return Delivery::Revoked;
        }
        if room.held.is_some() || room.vetted.is_none() {
            return Delivery::Wait;
        }
        if let Some((stop, is_waiting)) = &mut room.stop {
            if event.seq >= *stop {
                self.stopped.notify_waiters();
            }
            if event.seq > *stop {
                *is_waiting = true;
                return Delivery::Wait;
            }
        }
        let number = ChannelRef::Number(event.channel_no);
        if room.spelled.as_ref() == Some(&number) {
            rooms.told.set(number, event.seq);
        } else {
            // The first event that is delivered here, and perhaps the channel's first one.
            room.spell(&mut rooms.told, &event.channel, Some(event.channel_no));
            rooms.told.set(number.clone(), event.seq);
            rooms.told.select(&number, room.types.clone());
            rooms.told.wish(&number, room.presence);
        }
        let types = room.types.as_ref();
        if is_heard && types.is_none_or(|types| types.contain(&event.event_type)) {
            rooms.skipped = 0;
            cursor.clear();
            rooms.told.write(cursor);
            Delivery::Told
        } else {
            rooms.skipped += 1;
            Delivery::Skipped
        }
    }

    /// The cursor of all rooms, if the client was told of none for many events.
    #[must_use]
    pub fn overdue_cursor(&self) -> Option<String> {
        let rooms = &mut *self.joined.lock();
        if rooms.skipped < MAX_SKIPPED {
            return None;
        }
        rooms.skipped = 0;
        Some(rooms.told.text())
    }

    /// Takes [`Delivery::Told`] back: the event could not be delivered and will be offered again; no cursor may cover it yet.
    pub fn not_told(&self, event: &Event) {
        let rooms = &mut *self.joined.lock();
        let room = rooms.by_channel.get(&event.channel);
        if room.is_some_and(|room| !room.revoked) {
            rooms.told.set(event.channel_no, event.seq - 1);
        }
    }
}

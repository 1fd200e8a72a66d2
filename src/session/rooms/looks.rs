//! In which rooms the client looks at who is there, and what is news to it.

use std::sync::Arc;

use super::Rooms;
use crate::contract::PresenceWish;
use crate::domain::{ChannelName, Lasting};
use crate::presence::Presence;

impl Rooms {
    /// Notes what the client says of presence events in a room, and begins or ends them as `decide` has it.
    pub(in crate::session) fn watch(
        &self,
        channel: &ChannelName,
        said: Option<PresenceWish>,
        presence: &Arc<Presence>,
        decide: impl FnOnce(Option<PresenceWish>) -> bool,
    ) {
        let rooms = &mut *self.joined.lock();
        let Some(room) = rooms.by_channel.get_mut(channel) else {
            return;
        };
        let Some(project) = room.project.as_ref() else {
            return;
        };
        room.presence = PresenceWish::then(room.presence, said);
        if !decide(room.presence) {
            room.watch = None;
        } else if room.watch.is_none() {
            room.watch = Some(presence.watch(project));
        }
        if let Some(channel) = &room.spelled {
            rooms.told.wish(channel, room.presence);
        }
    }

    /// Notes that the client gets a list of those who are in a room.
    pub(in crate::session) fn list(&self, channel: &ChannelName, as_of: u64) {
        let mut rooms = self.joined.lock();
        let room = rooms.by_channel.get_mut(channel);
        if let Some(watch) = room.and_then(|room| room.watch.as_mut()) {
            watch.list(as_of);
        }
    }

    /// Whether the client looks at who is in a room, and this is news to it.
    #[must_use]
    pub fn is_news(&self, channel: &ChannelName, lasting: &Lasting) -> bool {
        let rooms = self.joined.lock();
        let room = rooms.by_channel.get(channel);
        let watch = room.and_then(|room| room.watch.as_ref());
        watch.is_some_and(|watch| watch.is_news(lasting))
    }
}

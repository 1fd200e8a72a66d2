//! Which clients are told who comes and goes in the projects that they join: those who look.

use parking_lot::Mutex;

use super::Session;
use crate::config::PresenceEvents;
use crate::contract::{PresenceWish, Types};
use crate::domain::{ChannelName, EventType};

/// What a subscription names that is for presence events.
const EVENTS: [EventType; 3] = [
    EventType::known("presence.join"),
    EventType::known("presence.update"),
    EventType::known("presence.leave"),
];

/// What a client wants to be told of presence, whatever the room.
#[derive(Debug, Default)]
pub(super) struct Looking {
    /// What the client has said for its whole connection.
    chosen: Mutex<Option<bool>>,
}

impl Session {
    /// One whose client has said, when it connected, whether it is told of presence.
    #[must_use]
    pub fn looking(self, chosen: Option<bool>) -> Self {
        *self.looking.chosen.lock() = chosen;
        self
    }

    /// Notes what a client says after it has connected, for all rooms.
    pub fn choose_presence(&self, chosen: bool) {
        *self.looking.chosen.lock() = Some(chosen);
        for target in self.rooms.targets() {
            self.look(&target.channel, None);
        }
    }

    /// Notes what a client says of presence events in a room that it is in, and begins or ends them.
    pub(super) fn look(&self, channel: &ChannelName, said: Option<PresenceWish>) {
        let presence = self.app.presence();
        self.rooms
            .watch(channel, said, presence, |wish| self.is_told(wish));
    }

    /// Whether the client is told of presence in a room of which it has said this.
    fn is_told(&self, wish: Option<PresenceWish>) -> bool {
        let setting = self.app.config().presence;
        if setting == PresenceEvents::Never {
            return false;
        }
        match wish {
            Some(PresenceWish::No) => return false,
            Some(PresenceWish::Yes) => return true,
            Some(PresenceWish::Implied) | None => {}
        }
        let chosen = *self.looking.chosen.lock();
        let chosen = chosen.or_else(|| self.dialect()?.presence);
        chosen.unwrap_or(wish.is_some() || setting == PresenceEvents::Always)
    }
}

/// What a client wants that subscribes to some types of events: who names presence events asks for them.
pub(super) fn wish_in(types: Option<&Types>) -> Option<PresenceWish> {
    let types = types?;
    let is_named = EVENTS.iter().any(|event| types.contain(event));
    is_named.then_some(PresenceWish::Implied)
}

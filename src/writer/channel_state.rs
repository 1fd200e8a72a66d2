//! One channel in a batch, while its log gets longer.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::cache::Known;
use crate::contract::{ChannelRef, Cursor};
use crate::domain::{
    Actor, ChannelName, ConnectionId, Epoch, Event, EventId, EventType, ProjectId, Seq, Timestamp,
    World,
};
use crate::store::{Channel, Head};

/// Who appends an event, when, and over which connection if a client does.
pub(super) struct Author {
    pub(super) actor: Actor,
    pub(super) at: Timestamp,
    pub(super) origin: Option<ConnectionId>,
    /// What the sender of a publication says of it.
    pub(super) envelope: Option<Arc<RawValue>>,
}

/// See the module.
pub(super) struct ChannelState {
    pub(super) channel: Channel,
    /// What the cache knows of it.
    pub(super) known: Known,
    /// Whether it is in the database.
    is_stored: bool,
    /// The project whose channel it is.
    pub(super) world: Option<World>,
    /// What is new.
    pub(super) events: Vec<Arc<Event>>,
}

impl ChannelState {
    pub(super) fn new(known: Known, is_stored: bool) -> Self {
        let channel = known.channel.clone();
        let project = channel.name.project();
        Self {
            world: project.map(|project| World::new(project, channel.seq)),
            channel,
            known,
            is_stored,
            events: Vec::new(),
        }
    }

    /// Takes over how clients write the project's id.
    pub(super) fn know_project(&mut self, project: &ProjectId) {
        if let Some(world) = &mut self.world {
            world.name(project);
        }
    }

    /// What a commit is to expect, and what becomes of the channel.
    pub(super) fn expected(&self) -> Head {
        Head {
            channel: self.channel.clone(),
            is_stored: self.is_stored,
            next: self.head(),
        }
    }

    /// The seq of the last event.
    pub(super) fn head(&self) -> Seq {
        self.events
            .last()
            .map_or(self.channel.seq, |event| event.seq)
    }

    /// Where somebody stands who has seen all of it.
    pub(super) fn cursor(&self, epoch: &Epoch) -> String {
        let seq = self.head();
        // Without an event the channel's row does not outlive the transaction, nor does its number.
        let no = (seq > 0).then_some(self.channel.no);
        let spelled = ChannelRef::new(no, &self.channel.name);
        Cursor::single(epoch.clone(), spelled, seq).text()
    }

    /// Appends an event under the next seq. `source` is the channel on which it was published, if that is another one.
    pub(super) fn append(
        &mut self,
        id: EventId,
        event_type: EventType,
        payload: Arc<RawValue>,
        source: Option<ChannelName>,
        author: &Author,
    ) -> Arc<Event> {
        let event = Arc::new(Event {
            channel: self.channel.name.clone(),
            channel_no: self.channel.no,
            seq: self.head() + 1,
            id,
            source,
            event_type,
            payload,
            actor: author.actor.clone(),
            envelope: author.envelope.clone(),
            created_at: author.at,
            origin: author.origin,
        });
        self.events.push(Arc::clone(&event));
        event
    }
}

//! Hears what backends publish on channels that are not ours, and gives each message a name on which all instances
//! agree without talking about it. What to do with it is not decided here.

mod hearing;
mod listener;
mod mark;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::Arc;

use super::connect::Connector;
use super::redis::Redis;
use crate::domain::ChannelName;
use crate::shutdown::Lifecycle;
pub use hearing::Heard;
use listener::{Listener, TOPIC};
pub use waiting::Traffic;
use waiting::WaitingRoom;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingress {
    channels: Arc<[ChannelName]>,
    room: Arc<WaitingRoom>,
}

impl Ingress {
    pub(super) fn start(
        redis: &Arc<Redis>,
        channels: &[ChannelName],
        lifecycle: &Lifecycle,
    ) -> Self {
        let instance = redis.instance().clone();
        let room = Arc::new(WaitingRoom::new(instance.clone(), channels));
        let listener = Listener {
            connector: Connector::new(redis.url(), "ingress"),
            redis: Arc::clone(redis),
            instance,
            marks: redis.topic(TOPIC),
            channels: channels.to_vec(),
            room: Arc::clone(&room),
            lifecycle: lifecycle.clone(),
        };
        lifecycle.spawn_service(listener.run());
        Self {
            channels: channels.into(),
            room,
        }
    }

    /// The channels that are heard.
    #[must_use]
    pub fn channels(&self) -> &[ChannelName] {
        &self.channels
    }

    /// Whether what is published now is heard and has a name.
    #[must_use]
    pub fn is_listening(&self) -> bool {
        self.room.is_listening()
    }

    /// What has become of what was published.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.room.traffic()
    }

    /// The next messages of a channel, by its place in [`Ingress::channels`]; waits until there are some. They come
    /// again until they are settled. `None`: there will be no more.
    pub async fn chunk(&self, channel: usize) -> Option<Vec<Heard>> {
        self.room.chunk(channel).await
    }

    /// So many of the first messages of a channel are done with.
    pub fn settle(&self, channel: usize, messages: usize) {
        self.room.settle(channel, messages);
    }
}

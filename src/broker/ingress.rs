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
use crate::domain::BackendSource;
use crate::shutdown::Lifecycle;
pub use hearing::Heard;
use listener::{Listener, TOPIC};
pub use waiting::Traffic;
use waiting::WaitingRoom;

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ingress {
    sources: Arc<[BackendSource]>,
    room: Arc<WaitingRoom>,
}

impl Ingress {
    pub(super) fn start(
        redis: &Arc<Redis>,
        sources: &[BackendSource],
        lifecycle: &Lifecycle,
    ) -> Self {
        let instance = redis.instance().clone();
        let room = Arc::new(WaitingRoom::new(instance.clone(), sources.len()));
        let sources: Arc<[BackendSource]> = sources.into();
        let listener = Listener {
            connector: Connector::new(redis.url(), "ingress"),
            redis: Arc::clone(redis),
            instance,
            marks: redis.topic(TOPIC),
            sources: Arc::clone(&sources),
            room: Arc::clone(&room),
            lifecycle: lifecycle.clone(),
        };
        lifecycle.spawn_service(listener.run());
        Self { sources, room }
    }

    /// Where backends are heard.
    #[must_use]
    pub fn sources(&self) -> &[BackendSource] {
        &self.sources
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

    /// The next messages of a source, by its place in [`Ingress::sources`]; waits until there are some. They come
    /// again until they are settled. `None`: there will be no more.
    pub async fn chunk(&self, source: usize) -> Option<Vec<Heard>> {
        self.room.chunk(source).await
    }

    /// So many of the first messages of a source are done with.
    pub fn settle(&self, source: usize, messages: usize) {
        self.room.settle(source, messages);
    }
}

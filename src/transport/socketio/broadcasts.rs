//! What goes to rooms on all instances at once, through socketioxide's adapter: ephemeral, and best effort.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Instant;

use socketioxide::{BroadcastError, SocketIo};

use super::adapter::{self, ClusterAdapter};
use crate::broker::BrokerUnavailable;
use crate::contract::{Audience, EventStyle, Notification};
use crate::domain::{EventType, Id};

static NOTIFICATION: LazyLock<EventType> =
    LazyLock::new(|| EventType::known("system.notification"));

/// The room of all connections of a user.
pub(super) fn user_room(user: &str) -> String {
    format!("user:{user}")
}

/// The room of all connections whose events are spelled like this.
pub(super) fn style_room(style: EventStyle) -> &'static str {
    match style {
        EventStyle::Colon => "style:colon",
        EventStyle::Dash => "style:dash",
        EventStyle::Snake => "style:snake",
        EventStyle::Camel => "style:camel",
    }
}

/// How many sockets are in a room.
#[derive(Debug)]
pub struct RoomCount {
    /// Per instance, by the adapter's own ids.
    pub instances: BTreeMap<String, usize>,
    /// Whether every instance has answered in time.
    pub complete: bool,
}

/// See the module. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Broadcasts(SocketIo<ClusterAdapter>);

impl Broadcasts {
    pub(super) fn new(io: SocketIo<ClusterAdapter>) -> Self {
        Self(io)
    }

    /// Emits `system:notification` to its audience, to each connection in its own spelling.
    pub async fn notify(&self, notification: &Notification) {
        let room = match &notification.audience {
            Audience::Project(project) => Some(project.channel().as_str().to_owned()),
            Audience::User(user) => Some(user_room(Id::as_str(user))),
            Audience::Everyone => None,
        };
        for style in EventStyle::ALL {
            let others = EventStyle::ALL.into_iter().filter(|&other| other != style);
            let others: Vec<_> = others.map(style_room).collect();
            let to = match room.clone() {
                Some(room) => self.0.to(room),
                None => self.0.broadcast(),
            };
            let name = style.name(&NOTIFICATION);
            let sent = to.except(others).emit(name, &notification.payload).await;
            log(sent);
        }
    }

    /// Counts the sockets of a room.
    ///
    /// # Errors
    ///
    /// Fails while the other instances cannot be asked.
    pub async fn count(&self, room: &str) -> Result<RoomCount, BrokerUnavailable> {
        let asked = Instant::now();
        let sockets = self.0.within(room.to_owned()).fetch_sockets().await;
        let mut instances = BTreeMap::new();
        for socket in sockets.map_err(|_| BrokerUnavailable)? {
            *instances
                .entry(socket.data().server_id.to_string())
                .or_default() += 1;
        }
        Ok(RoomCount {
            instances,
            // The adapter does not say who kept silent, only waits for them as long as it may.
            complete: asked.elapsed() < adapter::ANSWER,
        })
    }

    /// Disconnects the sockets of a room. Their clients do not come back by themselves.
    pub async fn disconnect(&self, room: &str) {
        log(self.0.within(room.to_owned()).disconnect().await);
    }
}

/// Those whose queue is full do not get it: they have more important things to take first.
fn log(sent: Result<(), BroadcastError>) {
    if let Err(error) = sent {
        tracing::debug!(error = %error, "not everybody was reached");
    }
}

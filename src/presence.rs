//! Who is in which project, on all instances.

use std::sync::Arc;
use std::time::Duration;

use crate::broker::Broker;
use crate::domain::{Actor, ConnectionId, Fields, InstanceId, ProjectId};
use crate::hub::Hub;
use crate::lifecycle::Lifecycle;

/// See the module.
#[derive(Debug)]
pub struct Presence {}

impl Presence {
    /// Nobody is there yet.
    #[must_use]
    pub fn start(
        _instance: &InstanceId,
        _broker: &Broker,
        _hub: &Arc<Hub>,
        _lifecycle: &Lifecycle,
        _grace: Duration,
    ) -> Arc<Self> {
        Arc::new(Self {})
    }

    /// Changes what is told of somebody; whether they are in the project.
    pub fn update(
        &self,
        _project: &ProjectId,
        _actor: &Actor,
        _connection: ConnectionId,
        _data: Fields,
    ) -> bool {
        true
    }
}

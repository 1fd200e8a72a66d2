//! Ends an HTTP connection from within: what is on its way to a client that takes nothing cannot be taken back.

use std::sync::Arc;

use tokio::sync::Notify;

/// See the module. Requests carry it as an extension. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct AbortHandle(Arc<Notify>);

impl AbortHandle {
    /// Ends the connection.
    pub(crate) fn hang_up(&self) {
        self.0.notify_one();
    }

    /// Resolves when the connection is to end.
    pub(crate) async fn hung_up(&self) {
        self.0.notified().await;
    }
}

//! A look into a channel's log, for the events that are not in memory.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{ChannelName, ChannelNo, Event, Seq};
use crate::store::{Store, StoreError};

/// Events read from the log at once.
const PAGE_EVENTS: usize = 256;
/// Payload bytes read from the log at once.
const PAGE_BYTES: usize = 1024 * 1024;
/// Pause after a read that failed.
pub(super) const READ_RETRY: Duration = Duration::from_millis(500);

/// A page of the log, or why there is none.
pub(super) struct Page {
    pub(super) after: Seq,
    /// How far the log was said to reach before it was read.
    pub(super) claimed: Seq,
    pub(super) events: Result<Vec<Arc<Event>>, StoreError>,
}

/// Nothing comes of a pause.
pub(super) type PageRead = Pin<Box<dyn Future<Output = Option<Page>> + Send>>;

/// Reads the page after a seq.
pub(super) fn read(
    store: Store,
    channel: ChannelName,
    no: ChannelNo,
    after: Seq,
    claimed: Seq,
) -> PageRead {
    Box::pin(async move {
        let events = store.events_page(&channel, no, after, PAGE_EVENTS, PAGE_BYTES);
        Some(Page {
            after,
            claimed,
            events: events.await,
        })
    })
}

/// Waits a little before what is to be read is decided anew.
pub(super) fn pause() -> PageRead {
    Box::pin(async {
        tokio::time::sleep(READ_RETRY).await;
        None
    })
}

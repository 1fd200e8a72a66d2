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

/// What was found after a seq.
pub(super) struct Page {
    /// The channel's number, unless it has no event yet.
    pub(super) no: Option<ChannelNo>,
    pub(super) after: Seq,
    /// How far the log was said to reach before it was read.
    pub(super) claimed: Seq,
    pub(super) found: Result<Found, StoreError>,
}

/// See [`Page`].
pub(super) enum Found {
    /// What comes next: at least one event.
    Next(Vec<Arc<Event>>),
    /// What came next has been removed, and everything up to this seq.
    Pruned(Seq),
    /// Nothing.
    End,
    /// Something that comes later.
    Hole,
}

/// For whom the log is read next. Who is up to date does not wait behind those who come back, and of these nobody waits
/// behind those who come later.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Turns {
    /// The position that was read last for those who lag behind.
    last: Seq,
    /// Whether what follows the head has been read since.
    at_head: bool,
}

impl Turns {
    /// After which seq to read. The head, if it is behind, has every other turn; those who lag are served upwards, and
    /// then from the lowest again.
    pub(super) fn next(
        self,
        behind: Option<Seq>,
        lagging: impl Iterator<Item = Seq>,
    ) -> Option<(Self, Seq)> {
        let (mut lowest, mut upwards) = (None::<Seq>, None::<Seq>);
        for position in lagging {
            lowest = Some(lowest.map_or(position, |lowest| lowest.min(position)));
            if position > self.last {
                upwards = Some(upwards.map_or(position, |upwards| upwards.min(position)));
            }
        }
        let (Some(last), false) = (upwards.or(lowest), behind.is_some() && !self.at_head) else {
            let at_head = true;
            return behind.map(|head| (Self { at_head, ..self }, head));
        };
        let at_head = false;
        Some((Self { last, at_head }, last))
    }
}

/// Nothing comes of a pause.
pub(super) type PageRead = Pin<Box<dyn Future<Output = Option<Page>> + Send>>;

/// Reads the page after a seq. Of a channel whose number is not known, the number first.
pub(super) fn read(
    store: Store,
    channel: ChannelName,
    mut no: Option<ChannelNo>,
    after: Seq,
    claimed: Seq,
) -> PageRead {
    Box::pin(async move {
        let found = look(&store, &channel, &mut no, after).await;
        Some(Page {
            no,
            after,
            claimed,
            found,
        })
    })
}

async fn look(
    store: &Store,
    channel: &ChannelName,
    number: &mut Option<ChannelNo>,
    after: Seq,
) -> Result<Found, StoreError> {
    if number.is_none() {
        *number = store.channel_get(channel).await?.map(|channel| channel.no);
    }
    let Some(no) = *number else {
        return Ok(Found::End);
    };
    let page = store.events_page(channel, no, after, PAGE_EVENTS, PAGE_BYTES);
    let events = page.await?;
    if events.first().is_some_and(|event| event.seq == after + 1) {
        return Ok(Found::Next(events));
    }
    // Asked after the page: what was missing there because it had been removed is known to be removed here.
    let known = store.channel_get(channel).await?;
    let pruned = known.map_or(0, |channel| channel.pruned_seq);
    Ok(if pruned > after {
        Found::Pruned(pruned)
    } else if events.is_empty() {
        Found::End
    } else {
        Found::Hole
    })
}

/// Waits a little before what is to be read is decided anew.
pub(super) fn pause() -> PageRead {
    Box::pin(async {
        tokio::time::sleep(READ_RETRY).await;
        None
    })
}

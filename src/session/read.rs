//! Reads: a project's state, and what happened after a point of its history.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;

use super::{Session, unavailable};
use crate::contract::{
    ChannelRef, Cursor, ErrorCode, JsonObject, ReadRequest, Reply, Since, payload,
};
use crate::domain::{ChannelName, ChannelNo, Event, ProjectId, Seq, Target};
use crate::hub::OutOfRange;
use crate::memory::FLOOR;
use crate::store::StoreError;

/// Payload bytes in one answer that carries events.
const SYNC_BYTES: usize = 4 * 1024 * 1024;
/// How often it is looked whether there is memory for a large answer…
const MEMORY_LOOKS: u32 = 20;
/// … and how long it is waited in between.
const MEMORY_LOOK: Duration = Duration::from_millis(50);

/// How events are listed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Listing {
    /// By the name under which a project's are delivered.
    Brief,
    /// With all that is known of them.
    Full,
}

/// Part of a channel's log.
pub(super) struct Stretch {
    /// The channel's number; `None` before its first event.
    no: Option<ChannelNo>,
    /// Its events come after this seq.
    after: Seq,
    head: Seq,
    pub(super) events: Vec<Arc<Event>>,
}

impl Stretch {
    /// Events after a seq, of which these are the first.
    pub(super) fn missed(&self, after: Seq) -> u64 {
        self.head.abs_diff(after)
    }
}

/// The seq as of which an answer says something.
pub(super) fn seq_of(answer: &JsonObject) -> Seq {
    answer.get("seq").and_then(Value::as_i64).unwrap_or(0)
}

impl Session {
    /// Serves a read.
    pub async fn read(&self, read: &ReadRequest) -> Reply {
        let reply = self.try_read(read).await;
        let reply = reply.unwrap_or_else(|error| unavailable(&error));
        if reply.text_bytes() > FLOOR && !self.is_there_memory().await {
            let message = "too much waits for clients; try again in a moment";
            return Reply::refused(ErrorCode::Unavailable, message);
        }
        reply
    }

    async fn try_read(&self, read: &ReadRequest) -> Result<Reply, StoreError> {
        match read {
            ReadRequest::Snapshot {
                project,
                page: None,
            } => {
                let state = async { Ok(JsonObject::clone(&*self.snapshot(project).await?)) };
                self.reading(&Target::project(project), Box::pin(state))
                    .await
            }
            ReadRequest::Snapshot {
                project,
                page: Some(page),
            } => self.next_page(project, page).await,
            ReadRequest::List(wish) => Ok(self.list(wish).await),
            ReadRequest::Sync {
                project,
                since,
                limit,
            } => {
                let target = Target::project(project);
                let events = self.sync(&target, since.as_ref(), *limit, Listing::Brief);
                self.reading(&target, Box::pin(events)).await
            }
            ReadRequest::Replay {
                channel,
                since,
                limit,
            } => {
                let target = Target::from(channel.clone());
                let events = async {
                    let events = self.sync(&target, since.as_ref(), *limit, Listing::Full);
                    let mut answer = events.await?;
                    answer.insert("channel", target.channel.as_str());
                    Ok(answer)
                };
                self.reading(&target, Box::pin(events)).await
            }
        }
    }

    /// Whether a large answer may be encoded, perhaps after a moment: not while too much waits for clients.
    async fn is_there_memory(&self) -> bool {
        let memory = self.app.send_memory();
        for _ in 0..MEMORY_LOOKS {
            if !memory.is_exceeded() {
                return true;
            }
            tokio::time::sleep(MEMORY_LOOK).await;
        }
        false
    }

    /// The state in place of a replay that cannot be had, and why.
    pub(super) async fn reset(
        &self,
        project: &ProjectId,
        reason: &str,
    ) -> Result<JsonObject, StoreError> {
        let snapshot = self.snapshot(project).await?;
        let mut extra = JsonObject::default();
        for key in ["projectId", "seq", "cursor"] {
            extra.insert(key, snapshot.get(key).cloned());
        }
        extra.insert("reset", true);
        extra.insert("reason", reason);
        extra.nest("snapshot", &snapshot);
        Ok(extra)
    }

    pub(super) fn cursor_at(
        &self,
        channel: &ChannelName,
        no: Option<ChannelNo>,
        seq: Seq,
    ) -> String {
        let spelled = ChannelRef::new(no, channel);
        Cursor::single(self.app.epoch().clone(), spelled, seq).text()
    }

    /// The seq at which a cursor stands in a channel.
    pub(super) async fn position_of(
        &self,
        cursor: &Cursor,
        channel: &ChannelName,
    ) -> Result<Option<Seq>, StoreError> {
        // It may have been made before the channel's first event.
        let by_name = cursor.get(&ChannelRef::Name(channel.clone()));
        let found = self.app.store().channel_get(channel).await?;
        let by_number = found.and_then(|channel| cursor.get(&channel.no.into()));
        Ok(by_number.or(by_name))
    }

    /// The seq that a `since` means in this channel, or why it cannot be served.
    pub(super) async fn position(
        &self,
        since: &Since,
        channel: &ChannelName,
    ) -> Result<Result<Seq, &'static str>, StoreError> {
        let text = match since {
            Since::Seq(seq) => return Ok(Ok(*seq)),
            Since::Cursor(text) => text,
        };
        let cursor = match Cursor::parse(text, self.app.epoch()) {
            Ok(cursor) => cursor,
            Err(error) => return Ok(Err(error.reason())),
        };
        let seq = self.position_of(&cursor, channel).await?;
        Ok(seq.ok_or("the cursor does not cover this channel"))
    }

    /// The events after a seq, unless they cannot all be had.
    pub(super) async fn events_after(
        &self,
        channel: &ChannelName,
        after: Seq,
        limit: usize,
    ) -> Result<Result<Stretch, OutOfRange>, StoreError> {
        let store = self.app.store();
        let found = store.channel_get(channel).await?;
        let (no, head) = found.map(|found| (found.no, found.seq)).unzip();
        let head = head.unwrap_or(0);
        if after > head {
            return Ok(Err(OutOfRange::Ahead));
        }
        let events = match no {
            Some(no) => {
                let page = store.events_page(channel, no, after, limit, SYNC_BYTES);
                page.await?
            }
            None => Vec::new(),
        };
        // Asked of the page: events may have been removed since the channel was read.
        let first = events.first().map(|event| event.seq);
        if first.map_or(after < head, |first| first != after + 1) {
            return Ok(Err(OutOfRange::Pruned));
        }
        Ok(Ok(Stretch {
            no,
            after,
            head,
            events,
        }))
    }

    /// Events as they stand in an answer, their payloads byte for byte.
    pub(super) fn listed(&self, events: &[Arc<Event>], listing: Listing) -> Vec<Box<RawValue>> {
        let one = |event: &Arc<Event>| match listing {
            Listing::Brief => payload::listed(event, self.style),
            Listing::Full => payload::message(event, self.style),
        };
        events.iter().map(one).collect()
    }

    pub(super) async fn sync(
        &self,
        target: &Target,
        since: Option<&Since>,
        limit: usize,
        listing: Listing,
    ) -> Result<JsonObject, StoreError> {
        let channel = &target.channel;
        let position = match since {
            Some(since) => self.position(since, channel).await?,
            None => Ok(0),
        };
        let stretch = match position {
            Ok(after) => {
                let stretch = self.events_after(channel, after, limit).await?;
                stretch.map_err(|reason| reason.to_string())
            }
            Err(reason) => Err(reason.to_owned()),
        };
        match (stretch, &target.project) {
            (Ok(stretch), _) => self.synced(target, &stretch, listing).await,
            (Err(reason), Some(project)) => self.reset(project, &reason).await,
            (Err(reason), None) => {
                let stretch = self.what_is_kept(channel, limit).await?;
                let mut answer = self.synced(target, &stretch, listing).await?;
                answer.insert("reset", true);
                answer.insert("reason", reason);
                Ok(answer)
            }
        }
    }

    /// A channel's first events that have not been removed.
    async fn what_is_kept(
        &self,
        channel: &ChannelName,
        limit: usize,
    ) -> Result<Stretch, StoreError> {
        loop {
            let found = self.app.store().channel_get(channel).await?;
            let after = found.map_or(0, |found| found.pruned_seq);
            // Unless more was removed meanwhile.
            if let Ok(stretch) = self.events_after(channel, after, limit).await? {
                return Ok(stretch);
            }
        }
    }

    async fn synced(
        &self,
        target: &Target,
        stretch: &Stretch,
        listing: Listing,
    ) -> Result<JsonObject, StoreError> {
        let Stretch {
            no,
            after,
            head,
            ref events,
        } = *stretch;
        let seq = events.last().map_or(after, |event| event.seq);
        let mut answer = JsonObject::default();
        match &target.project {
            Some(project) => answer.insert("projectId", project.to_json()),
            None => answer.insert("channel", target.channel.as_str()),
        }
        let listed = if target.channel.is_list_of_projects() {
            self.listed(&self.heard_of(events).await?, listing)
        } else {
            self.listed(events, listing)
        };
        answer.insert_text("events", &listed);
        answer.insert("seq", seq);
        answer.insert("cursor", self.cursor_at(&target.channel, no, seq));
        answer.insert("hasMore", seq < head);
        Ok(answer)
    }
}

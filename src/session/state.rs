//! A project's state: as a whole if it is small, and else in pages.
//!
//! The first page says as of which seq it is, and all pages say the same. A later page is read when it is asked for, and may
//! show what has happened since. A client that puts the pages together and then applies the events after that seq, in their
//! order, has the state all the same:
//!
//! - An entity of which there is an event after the seq ends as its last event says, for an event carries all of it, or its
//!   deletion. It does not matter what a page said of it, or whether one did.
//! - Every other entity has not changed since the seq: no change is without an event. Its place in the order has not changed
//!   either, so exactly one page has it, as it was at the seq.
//!
//! So nothing is kept for a client between two pages, and every instance can serve the next one. Comments, and entities of
//! declared kinds, of which a state has only the newest, are the newest ones at the moment of their page.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::task::spawn_blocking;

use super::Session;
use super::access::unseen;
use crate::contract::{JsonObject, NEXT_PAGE, PAGE, Reply, payload, write_state_token};
use crate::domain::{ChannelNo, Entity, Kind, Mark, ProjectId, Seq, StatePage, StatePlace, Target};
use crate::store::{Gather, StatePart, StoreError};

/// A task takes at least about so many bytes in a state: if there are too many tasks for a page, nobody tries to read all.
const TASK_BYTES: usize = 512;

/// An entity as it stands in an answer.
type Rendered = (Kind, Box<RawValue>);

fn text_of(entity: &Entity) -> (Rendered, usize) {
    let text = payload::text(entity);
    let bytes = text.get().len();
    ((entity.kind, text), bytes)
}

/// Reads entities as they stand in an answer, until there are so many bytes.
fn rendered(max_bytes: usize) -> Gather<Rendered> {
    Gather {
        make: |entity| text_of(&entity),
        max_bytes,
    }
}

/// The same, and the place of each.
pub(super) fn placed(max_bytes: usize) -> Gather<(StatePlace, Rendered)> {
    Gather {
        make: |entity| {
            let (rendered, bytes) = text_of(&entity);
            let mark = Mark::of(&entity);
            let kind = entity.kind;
            ((StatePlace { kind, mark }, rendered), bytes)
        },
        max_bytes,
    }
}

/// Puts what was read into a state: a list for each kind.
fn with_lists(mut document: JsonObject, entities: &[Rendered]) -> JsonObject {
    let of = |kind| entities.iter().filter(move |(of, _)| *of == kind);
    let list = |kind| of(kind).map(|(_, text)| text).collect::<Vec<_>>();
    match list(Kind::Project).pop() {
        Some(project) => document.insert_text("project", project),
        None => document.insert_text("project", &Value::Null),
    }
    for kind in listed() {
        document.insert_text(kind.plural(), &list(kind));
    }
    document
}

/// The kinds of which a state has lists, in their order.
pub(super) fn listed() -> impl Iterator<Item = Kind> {
    let beside = Kind::all().into_iter().filter(|kind| kind.is_beside());
    [Kind::Epic, Kind::Sprint, Kind::Task, Kind::Member]
        .into_iter()
        .chain(beside)
}

/// How many entities are not in a state of those kinds of which it has only some.
fn left_out(entities: &[Rendered], counts: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut left_out = counts.clone();
    for (kind, _) in entities {
        if let Some(number) = left_out.get_mut(kind.as_str()) {
            *number = number.saturating_sub(1);
        }
    }
    left_out
}

/// Says how many entities are left out of each kind, by its plural; nothing if none are.
pub(super) fn insert_more(document: &mut JsonObject, left_out: &BTreeMap<String, u64>) {
    let beside = Kind::all().into_iter().filter(|kind| kind.is_beside());
    let more = beside.filter_map(|kind| {
        let number = left_out.get(kind.as_str()).copied().unwrap_or(0);
        (number > 0).then_some((kind.plural(), number))
    });
    let more: BTreeMap<_, _> = more.collect();
    if !more.is_empty() {
        document.insert("more", serde_json::json!(more));
    }
}

impl Session {
    /// The state now, or its first page. It is read and rendered once for all who ask at about the same time.
    pub(super) async fn snapshot(
        &self,
        project: &ProjectId,
    ) -> Result<Arc<JsonObject>, StoreError> {
        // What an id looks like is part of the answer: 7 is not "7".
        let key = project.to_json().to_string();
        let read = || async {
            let read = self.read_snapshot(project).await;
            read.map(Arc::new).map_err(Arc::new)
        };
        let shared = self.app.snapshots().get(&key, read).await;
        shared.map_err(StoreError::from)
    }

    /// Reads a small state at once, and of a large one the first page. Nothing is read while too much waits for clients
    /// already.
    async fn read_snapshot(&self, project: &ProjectId) -> Result<JsonObject, StoreError> {
        let (store, max_bytes) = (
            self.app.store(),
            self.app.config().limits.snapshot_page_bytes,
        );
        self.must_have_memory()?;
        if !store.has_tasks(project, max_bytes / TASK_BYTES).await? {
            let state = store.snapshot(project, &rendered(max_bytes)).await?;
            if state.is_whole {
                let channel = state.channel.as_ref();
                let (no, seq) = channel.map(|channel| (channel.no, channel.seq)).unzip();
                let mut document = self.state_head(project, no, seq.unwrap_or(0));
                insert_more(&mut document, &left_out(&state.entities, &state.counts));
                return self.as_state(document, state.entities).await;
            }
        }
        self.read_page(project, None).await
    }

    fn must_have_memory(&self) -> Result<(), StoreError> {
        if self.app.send_memory().is_exceeded() {
            let full = "too much waits for clients";
            return Err(StoreError::Unavailable(full.into()));
        }
        Ok(())
    }

    /// What a state begins with.
    pub(super) fn state_head(
        &self,
        project: &ProjectId,
        no: Option<ChannelNo>,
        seq: Seq,
    ) -> JsonObject {
        let mut document = JsonObject::default();
        document.insert("projectId", project.to_json());
        document.insert("seq", seq);
        document.insert("cursor", self.cursor_at(&project.channel(), no, seq));
        document
    }

    /// Puts a large state together off the runtime's threads.
    async fn as_state(
        &self,
        document: JsonObject,
        entities: Vec<Rendered>,
    ) -> Result<JsonObject, StoreError> {
        const FEW: usize = 64;
        let mut document = if entities.len() <= FEW {
            with_lists(document, &entities)
        } else {
            let inserted = spawn_blocking(move || with_lists(document, &entities)).await;
            inserted.map_err(|error| StoreError::Unavailable(error.into()))?
        };
        document.count(self.app.send_memory());
        Ok(document)
    }

    /// Serves a page of a state other than the first one.
    pub(super) async fn next_page(
        &self,
        project: &ProjectId,
        page: &StatePage,
    ) -> Result<Reply, StoreError> {
        if page.epoch != self.app.epoch().as_str() {
            let what = "is of another database: ask for the state anew, without it";
            return Ok(Reply::invalid(PAGE, what));
        }
        let target = Target::project(project);
        let reply = self
            .reading(&target, Box::pin(self.read_page(project, Some(page))))
            .await?;
        // It may show what has happened after its seq, to which whoever was turned out before it has no right.
        if reply.is_ok() && !self.standing_at(&target).await?.sees() {
            return Ok(unseen());
        }
        Ok(reply)
    }

    /// Reads a page. Only a few are read at the same time, whoever asks for them.
    async fn read_page(
        &self,
        project: &ProjectId,
        page: Option<&StatePage>,
    ) -> Result<JsonObject, StoreError> {
        self.must_have_memory()?;
        let store = self.app.store();
        let turn = self.app.large_reads().acquire().await;
        let mut read = store.state(project).await?;
        let head = read.head().await?;
        let gather = placed(self.app.config().limits.snapshot_page_bytes);
        let after = page.map(|page| &page.after);
        let StatePart { mut items, next } = read.part(after, &gather).await?;
        if page.is_some() {
            // Each page says what the project is now, like any other state.
            items.extend(read.project(&gather).await?);
        }
        read.end().await?;
        drop(turn);
        let (no, now) = head
            .channel
            .map(|channel| (channel.no, channel.seq))
            .unzip();
        let seq = page.map_or(now.unwrap_or(0), |page| page.seq);
        let mut document = self.state_head(project, no, seq);
        if page.is_none() {
            insert_more(&mut document, &head.left_out);
        }
        if let Some(after) = next {
            let epoch = self.app.epoch().as_str().to_owned();
            let next = StatePage { epoch, seq, after };
            document.insert(NEXT_PAGE, write_state_token(&next));
        }
        self.as_state(document, items).await
    }
}

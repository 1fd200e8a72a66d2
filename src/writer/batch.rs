//! The work of a batch, done in memory: load what it touches, apply it one after the other, gather what is to be
//! written.
//!
//! A command that a rule refuses, or whose rule panics, leaves no trace and fails no neighbour. A transaction has an upper
//! bound of what it changes and loads; the commands that it has no room for are left for the next one.

mod load;
mod load_more;
mod step;

pub(super) use load::Source;

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use super::WriterOptions;
use super::channel_state::{Author, ChannelState};
use super::job::{Job, StoredKey, Work};
use super::outcome::{BatchError, Committed};
use crate::contract::{Accepted, Cursor, ErrorCode, Publication, Reply, payload};
use crate::domain::{
    Cascade, Changes, ChannelName, ChannelNo, Command, Context, Entity, EntityId, Epoch, Event,
    EventId, Fields, Kind, ProjectId, Refusal, STEP_TASKS, Timestamp, World, apply, policy,
};
use crate::store::{Batch, Head, StoredAnswer};

/// A batch that is applied in memory.
pub(super) struct PreparedBatch {
    /// All of its channels.
    pub(super) heads: Vec<Head>,
    /// The keys that must not have an answer yet.
    pub(super) keys: Vec<(ChannelNo, String)>,
    pub(super) batch: Batch,
    /// What was changed, some of it more than once; the last state counts.
    pub(super) changed: Vec<Arc<Entity>>,
    pub(super) committed: Committed,
}

/// The channels of a batch, while its commands are applied.
pub(super) struct PendingBatch<'a> {
    epoch: &'a Epoch,
    now: Timestamp,
    channels: HashMap<ChannelName, ChannelState>,
    answers: HashMap<(ChannelNo, String), StoredAnswer>,
    /// The keys of those answers that are in the database.
    stored_keys: HashSet<(ChannelNo, String)>,
    batch: Batch,
    /// Entities that were changed and are not in the transaction yet.
    touched: HashSet<(ChannelName, Kind, EntityId)>,
    /// What was changed, and is in the transaction already.
    changed: Vec<Arc<Entity>>,
    /// The number of tasks that were changed besides the subjects of commands.
    dragged: usize,
    /// How long the loads for single commands took.
    extra_time: Duration,
    /// Bytes of the events' payloads.
    event_bytes: usize,
    /// Rows that are in the transaction already.
    written: usize,
    /// Cascades that begin.
    cascades: Vec<Cascade>,
    /// The number of jobs, from the first one, whose entities are loaded.
    jobs: usize,
}

/// How long the loads for single commands may take in one transaction.
const MAX_EXTRA_TIME: Duration = Duration::from_millis(20);
/// Bytes of events in one transaction; a single command may lead to more.
const MAX_EVENT_BYTES: usize = 4 * 1024 * 1024;

impl PendingBatch<'_> {
    /// Whether the transaction has enough to do: what comes next is left for another one.
    pub(super) fn is_full(&self) -> bool {
        self.dragged >= STEP_TASKS
            || self.extra_time >= MAX_EXTRA_TIME
            || self.event_bytes >= MAX_EVENT_BYTES
    }

    /// The number of jobs that can be applied.
    pub(super) fn jobs(&self) -> usize {
        self.jobs
    }

    fn world(&mut self, project: &ProjectId) -> Option<&mut World> {
        let state = self.channels.get_mut(&project.channel())?;
        state.world.as_mut()
    }

    pub(super) fn apply(&mut self, job: &Job, options: &WriterOptions) -> Reply {
        match &job.work {
            Work::Command { command, key } => self.command(job, command, key.as_ref(), options),
            Work::Publish {
                channel,
                publications,
            } => self.publish(job, channel, publications),
            Work::Step(key) => self.step(key),
        }
    }

    /// The answer that was given before under this key.
    fn answered(&self, no: ChannelNo, key: Option<&StoredKey>) -> Option<Reply> {
        let (key, fingerprint) = key?;
        let answer = self.answers.get(&(no, key.clone()))?;
        Some(repeated(answer, *fingerprint))
    }

    /// The channel and the project of a command that is going to be applied; else the answer to it.
    fn admit(
        &self,
        job: &Job,
        command: &Command,
        key: Option<&StoredKey>,
        options: &WriterOptions,
    ) -> Result<(ChannelNo, &World), Reply> {
        let state = self.channels.get(&command.project.channel());
        let Some((no, world)) =
            state.and_then(|state| Some((state.channel.no, state.world.as_ref()?)))
        else {
            return Err(BatchError::Internal.reply());
        };
        if let Some(answer) = self.answered(no, key) {
            return Err(answer);
        }
        let free_id = command.made_id || options.chosen_ids;
        if let Some(identity) = &job.identity
            && let Err(refusal) = policy::check(identity, world, &command.action, free_id)
        {
            // Not kept under the command's key: it may be allowed tomorrow.
            return Err(Reply::from_refusal(&refusal));
        }
        if let (Some(identity), Some(_)) = (&job.identity, &command.imported) {
            policy::import(identity, world).map_err(|refusal| Reply::from_refusal(&refusal))?;
        }
        Ok((no, world))
    }

    fn context(&self, job: &Job, command: &Command) -> Context {
        Context {
            project: command.project.clone(),
            actor: job.caller.actor.clone(),
            now: self.now,
            strict: command.strict,
            founder: job.identity.as_deref().and_then(policy::founder),
        }
    }

    fn command(
        &mut self,
        job: &Job,
        command: &Command,
        key: Option<&StoredKey>,
        options: &WriterOptions,
    ) -> Reply {
        let (no, world) = match self.admit(job, command, key, options) {
            Ok(admitted) => admitted,
            Err(reply) => return reply,
        };
        let channel = command.project.channel();
        let context = self.context(job, command);
        let applied = catch_unwind(AssertUnwindSafe(|| {
            let changes = apply(world, command, &context)?;
            let first = world.seq() + 1;
            let payloads: Vec<_> = (first..)
                .zip(&changes.events)
                .map(|(seq, draft)| payload::event(draft, &command.echo, seq))
                .collect();
            Ok::<_, Refusal>((changes, payloads))
        }));
        let reply = match applied {
            Ok(Ok((changes, payloads))) => {
                let reply = self.accept(job, &channel, key, &changes, payloads);
                reply.with_ignored(payload::ignored(command, &changes.subject))
            }
            // Not kept under the command's key: it is to be tried again.
            Ok(Err(refusal)) if refusal.passes_by_itself() => return Reply::from_refusal(&refusal),
            Ok(Err(refusal)) => Reply::from_refusal(&refusal),
            Err(_) => {
                tracing::error!(project.id = %command.project, "a rule panicked; the command is refused");
                return BatchError::Internal.reply();
            }
        };
        self.remember(key, no, &reply);
        reply
    }

    fn author(&self, job: &Job) -> Author {
        Author {
            actor: job.caller.actor.clone(),
            at: self.now,
            origin: Some(job.caller.connection),
            envelope: None,
        }
    }

    fn accept(
        &mut self,
        job: &Job,
        channel: &ChannelName,
        key: Option<&StoredKey>,
        changes: &Changes,
        payloads: Vec<Box<serde_json::value::RawValue>>,
    ) -> Reply {
        let author = self.author(job);
        let Some(state) = self.channels.get_mut(channel) else {
            return BatchError::Internal.reply();
        };
        let mut key = key.map(|(key, _)| key.clone());
        let mut listed = Vec::new();
        for (draft, payload) in changes.events.iter().zip(payloads) {
            self.event_bytes += payload.get().len();
            let (id, event_type) = (EventId::generate(), draft.event_type.clone());
            let event = state.append(id, event_type, payload.into(), None, &author);
            listed.extend(event.event_type.is_listed().then(|| Arc::clone(&event)));
            self.batch.events.push((event, key.take()));
        }
        if let Some(world) = &mut state.world {
            world.accept(changes);
        }
        let (seq, cursor) = (state.head(), state.cursor(self.epoch));
        self.list(channel, &listed, &author);
        self.touch(channel, &changes.entities);
        self.dragged += changes.entities.len().saturating_sub(1);
        self.batch.cascades.extend(changes.cascade.clone());
        self.cascades.extend(changes.cascade.clone());
        Reply::accepted(Accepted {
            seq,
            cursor,
            version: changes.subject.version,
            data: Arc::clone(&changes.subject),
            noop: changes.is_noop(),
            merged: changes.merged,
            pending: changes.cascade.as_ref().map_or(0, |cascade| cascade.left),
        })
    }

    /// Puts events of a project into the list of projects as well.
    fn list(&mut self, channel: &ChannelName, events: &[Arc<Event>], author: &Author) {
        let Some(list) = self.channels.get_mut(&ChannelName::list_of_projects()) else {
            return;
        };
        for event in events {
            let (event_type, payload) = (event.event_type.clone(), Arc::clone(&event.payload));
            self.event_bytes += payload.get().len();
            let copy = list.append(event.id, event_type, payload, Some(channel.clone()), author);
            self.batch.events.push((copy, None));
        }
    }

    fn touch(&mut self, channel: &ChannelName, entities: &[Arc<Entity>]) {
        for entity in entities {
            self.touched
                .insert((channel.clone(), entity.kind, entity.id.clone()));
        }
    }

    fn publish(
        &mut self,
        job: &Job,
        channel: &ChannelName,
        publications: &[(Publication, Option<StoredKey>)],
    ) -> Reply {
        let Some(state) = self.channels.get(channel) else {
            return BatchError::Internal.reply();
        };
        let no = state.channel.no;
        let allowed = policy::publish(job.identity.as_deref(), channel, state.world.as_ref());
        if let Err(refusal) = allowed {
            return Reply::from_refusal(&refusal);
        }
        let (mut duplicates, mut last) = (0, None);
        for (publication, key) in publications {
            let reply = if let Some(answer) = self.answered(no, key.as_ref()) {
                duplicates += 1;
                answer
            } else {
                let reply = self.append(job, channel, publication, key.as_ref());
                self.remember(key.as_ref(), no, &reply);
                reply
            };
            last = Some(reply);
        }
        match last {
            Some(reply) if publications.len() == 1 => reply,
            _ => {
                let mut counts = Fields::new();
                let published = publications.len() - duplicates;
                counts.insert("published".to_owned(), published.into());
                counts.insert("duplicates".to_owned(), duplicates.into());
                Reply::done(counts)
            }
        }
    }

    /// Puts an event into its channel's log, and into that of its family.
    fn append(
        &mut self,
        job: &Job,
        channel: &ChannelName,
        publication: &Publication,
        key: Option<&StoredKey>,
    ) -> Reply {
        let (id, mut at) = (EventId::generate(), None);
        let payload = Arc::from(publication.payload.clone());
        let author = Author {
            envelope: publication.envelope.clone().map(Arc::from),
            ..self.author(job)
        };
        for name in std::iter::once(channel.clone()).chain(channel.of_all()) {
            let Some(state) = self.channels.get_mut(&name) else {
                return BatchError::Internal.reply();
            };
            let seq = state.head() + 1;
            let first = *at.get_or_insert((state.channel.no, seq));
            let is_copy = first != (state.channel.no, seq);
            let (event_type, source) = (
                publication.event_type.clone(),
                is_copy.then(|| channel.clone()),
            );
            let event = state.append(id, event_type, Arc::clone(&payload), source, &author);
            if let Some(world) = &mut state.world {
                world.pass();
            }
            let key = key.filter(|_| !is_copy).map(|(key, _)| key.clone());
            self.batch.events.push((event, key));
        }
        let (no, seq) = at.unwrap_or((ChannelNo(0), 0));
        let cursor = Cursor::single(self.epoch.clone(), no, seq).text();
        let mut answer = Fields::new();
        answer.insert("channel".to_owned(), channel.as_str().into());
        answer.insert("id".to_owned(), id.0.to_string().into());
        answer.insert("seq".to_owned(), seq.into());
        answer.insert("cursor".to_owned(), cursor.into());
        Reply::done(answer)
    }

    fn remember(&mut self, key: Option<&StoredKey>, channel_no: ChannelNo, reply: &Reply) {
        let Some((key, fingerprint)) = key else {
            return;
        };
        let answer = StoredAnswer {
            channel_no,
            key: key.clone(),
            fingerprint: *fingerprint,
            reply: reply.to_raw().get().to_owned(),
        };
        self.answers
            .insert((channel_no, key.clone()), answer.clone());
        self.batch.answers.push(answer);
    }

    /// The entities that are to be written, each in its last state.
    fn take_touched(&mut self) -> Vec<Arc<Entity>> {
        let touched = std::mem::take(&mut self.touched);
        let entities = touched.into_iter().filter_map(|(channel, kind, id)| {
            let world = self.channels.get(&channel)?.world.as_ref()?;
            world.get(kind, &id).cloned()
        });
        let entities: Vec<_> = entities.collect();
        self.changed.extend(entities.iter().cloned());
        entities
    }

    /// The keys of jobs that had no answer before.
    fn unanswered(&self, jobs: &[Job]) -> Vec<(ChannelNo, String)> {
        let mut keys = Vec::new();
        for job in jobs {
            if let Some(state) = self.channels.get(&job.channel) {
                let no = state.channel.no;
                keys.extend(job.work.keys().map(|key| (no, key.to_owned())));
            }
        }
        keys.retain(|key| !self.stored_keys.contains(key));
        keys
    }

    /// Gathers what is to be written: of each entity its last state.
    pub(super) fn draft(mut self, jobs: &[Job], replies: Vec<Reply>) -> PreparedBatch {
        self.batch.entities = self.take_touched();
        // What is refused before a channel's first event leaves no trace, not even an answer: no row is made for it.
        let without_events = self.channels.values().filter(|state| state.head() == 0);
        let without_events: HashSet<_> = without_events.map(|state| state.channel.no).collect();
        let answers = &mut self.batch.answers;
        answers.retain(|answer| !without_events.contains(&answer.channel_no));
        let keys = self.unanswered(&jobs[..replies.len()]);
        let mut heads = Vec::with_capacity(self.channels.len());
        let mut events: Vec<(ChannelName, Arc<[Arc<Event>]>)> = Vec::new();
        for state in self.channels.into_values() {
            heads.push(state.expected());
            if let Some(last) = state.events.last() {
                self.batch.heads.push((state.channel.no, last.seq));
                events.push((state.channel.name, state.events.into()));
            }
        }
        PreparedBatch {
            heads,
            keys,
            changed: self.changed,
            committed: Committed {
                replies,
                events,
                rows: self.written + self.batch.entities.len() + self.batch.events.len(),
                cascades: self.cascades,
            },
            batch: self.batch,
        }
    }
}

/// The answer to a command that was answered before.
fn repeated(answer: &StoredAnswer, fingerprint: i64) -> Reply {
    if answer.fingerprint != fingerprint {
        return Reply::refused(
            ErrorCode::IdempotencyKeyReused,
            "this idempotency key was used for another command",
        );
    }
    Reply::duplicate_of(&answer.reply).unwrap_or_else(|| BatchError::Internal.reply())
}

//! The commands of a batch, applied in memory: load what they touch, apply them one after the other, gather
//! what is to be written.
//!
//! A command that a rule refuses, or whose rule panics, leaves no trace and fails no neighbour.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::batch::{BatchError, Committed};
use super::writer::{Job, WriterOptions};
use crate::contract::{Accepted, Cursor, ErrorCode, Reply, payload};
use crate::domain::{
    Changes, ChannelName, ChannelNo, Context, EntityId, Epoch, Event, EventId, Kind, Needs,
    ProjectId, Seq, Timestamp, World, apply, policy,
};
use crate::store::{Batch, Channel, StoreError, StoredAnswer, Tx};

/// A batch that is applied in memory.
pub(super) struct Drafted {
    pub(super) channels: Vec<ChannelName>,
    pub(super) batch: Batch,
    pub(super) committed: Committed,
}

/// One project in a batch.
struct Scene {
    channel: Channel,
    world: World,
    events: Vec<Arc<Event>>,
}

/// The projects of a batch, while its commands are applied.
pub(super) struct Stage<'a> {
    epoch: &'a Epoch,
    now: Timestamp,
    scenes: HashMap<ProjectId, Scene>,
    answers: HashMap<(ChannelNo, String), StoredAnswer>,
    batch: Batch,
    touched: HashSet<(ProjectId, Kind, EntityId)>,
}

impl<'a> Stage<'a> {
    pub(super) async fn load(
        tx: &mut Tx,
        jobs: &[Job],
        epoch: &'a Epoch,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut stage = Self {
            epoch,
            now,
            scenes: HashMap::new(),
            answers: HashMap::new(),
            batch: Batch {
                now: Some(now),
                ..Batch::default()
            },
            touched: HashSet::new(),
        };
        stage.load_channels(tx, jobs).await?;
        stage.load_entities(tx, jobs).await?;
        stage.load_answers(tx, jobs).await?;
        Ok(stage)
    }

    async fn load_channels(&mut self, tx: &mut Tx, jobs: &[Job]) -> Result<(), StoreError> {
        let projects: BTreeSet<_> = jobs.iter().map(|job| &job.command.project).collect();
        let names: Vec<_> = projects.iter().map(|project| project.channel()).collect();
        let mut channels: HashMap<_, _> = tx
            .channels_lock(&names)
            .await?
            .into_iter()
            .map(|channel| (channel.name.clone(), channel))
            .collect();
        for (project, name) in projects.into_iter().zip(names) {
            let channel = channels.remove(&name).ok_or(StoreError::Inconsistent {
                table: "channels",
                column: "name",
            })?;
            let scene = Scene {
                world: World::new(project.clone(), channel.seq),
                channel,
                events: Vec::new(),
            };
            self.scenes.insert(project.clone(), scene);
        }
        Ok(())
    }

    async fn load_entities(&mut self, tx: &mut Tx, jobs: &[Job]) -> Result<(), StoreError> {
        let mut keys = BTreeSet::new();
        let mut references = Vec::new();
        let mut orders = BTreeSet::new();
        let mut owned = BTreeSet::new();
        for Job {
            command, identity, ..
        } in jobs
        {
            let project = &command.project;
            let (kind, id) = command.subject();
            keys.insert((project.clone(), kind, id.clone()));
            keys.insert((project.clone(), Kind::Project, EntityId(project.0.clone())));
            if let Some(identity) = identity {
                keys.insert((project.clone(), Kind::Member, policy::member_id(identity)));
            }
            for need in command.needs() {
                match need {
                    Needs::Entity(kind, id) => {
                        keys.insert((project.clone(), kind, id.clone()));
                    }
                    Needs::TasksOf(reference, id) => {
                        references.push((project.clone(), reference, id.clone()));
                    }
                    Needs::Order => {
                        orders.insert(project.clone());
                    }
                    Needs::Owners => {
                        owned.insert(project.clone());
                    }
                }
            }
        }
        let keys: Vec<_> = keys.into_iter().collect();
        let mut entities = tx.entities_get(&keys).await?;
        if !references.is_empty() {
            entities.extend(tx.tasks_of(&references).await?);
        }
        let owned: Vec<_> = owned.into_iter().collect();
        entities.extend(tx.owners_get(&owned).await?);
        for entity in entities {
            if let Some(scene) = self.scenes.get_mut(&entity.project) {
                scene.world.load(entity);
            }
        }
        if !orders.is_empty() {
            let orders: Vec<_> = orders.into_iter().collect();
            for (project, entry) in tx.order_get(&orders).await? {
                if let Some(scene) = self.scenes.get_mut(&project) {
                    scene.world.load_order(entry);
                }
            }
        }
        Ok(())
    }

    async fn load_answers(&mut self, tx: &mut Tx, jobs: &[Job]) -> Result<(), StoreError> {
        let keys: Vec<_> = jobs
            .iter()
            .filter_map(|job| {
                let (key, _) = job.key.as_ref()?;
                let scene = self.scenes.get(&job.command.project)?;
                Some((scene.channel.no, key.clone()))
            })
            .collect();
        if keys.is_empty() {
            return Ok(());
        }
        for answer in tx.answers_get(&keys).await? {
            self.answers
                .insert((answer.channel_no, answer.key.clone()), answer);
        }
        Ok(())
    }

    pub(super) fn apply(&mut self, job: &Job, options: &WriterOptions) -> Reply {
        let Some(scene) = self.scenes.get(&job.command.project) else {
            return BatchError::Internal.reply();
        };
        let channel_no = scene.channel.no;
        if let Some((key, fingerprint)) = &job.key
            && let Some(answer) = self.answers.get(&(channel_no, key.clone()))
        {
            return repeated(answer, *fingerprint);
        }
        let free_id = job.command.made_id || options.chosen_ids;
        if let Some(identity) = &job.identity
            && let Err(refusal) =
                policy::check(identity, &scene.world, &job.command.action, free_id)
        {
            // Not kept under the command's key: it may be allowed tomorrow.
            return Reply::from_refusal(&refusal);
        }
        let context = Context {
            actor: job.caller.actor.clone(),
            now: self.now,
            strict: options.strict,
            founder: job.identity.as_deref().and_then(policy::founder),
        };
        let applied = catch_unwind(AssertUnwindSafe(|| {
            let changes = apply(&scene.world, &job.command, &context)?;
            let first = scene.world.seq() + 1;
            let payloads: Vec<_> = (first..)
                .zip(&changes.events)
                .map(|(seq, draft)| payload::event(draft, &job.command.echo, seq))
                .collect();
            Ok((changes, payloads))
        }));
        let reply = match applied {
            Ok(Ok((changes, payloads))) => self.accept(job, &changes, payloads),
            Ok(Err(refusal)) => Reply::from_refusal(&refusal),
            Err(_) => {
                tracing::error!(project.id = %job.command.project, "a rule panicked; the command is refused");
                return BatchError::Internal.reply();
            }
        };
        self.remember(job, channel_no, &reply);
        reply
    }

    fn accept(
        &mut self,
        job: &Job,
        changes: &Changes,
        payloads: Vec<Box<serde_json::value::RawValue>>,
    ) -> Reply {
        let Some(scene) = self.scenes.get_mut(&job.command.project) else {
            return BatchError::Internal.reply();
        };
        let first = scene.world.seq() + 1;
        let mut key = job.key.as_ref().map(|(key, _)| key.clone());
        for ((seq, draft), payload) in (first..).zip(&changes.events).zip(payloads) {
            let event = Arc::new(Event {
                channel: scene.channel.name.clone(),
                channel_no: scene.channel.no,
                seq,
                id: EventId::generate(),
                event_type: draft.event_type.clone(),
                payload: payload.into(),
                actor: job.caller.actor.clone(),
                created_at: self.now,
                origin: Some(job.caller.connection),
            });
            scene.events.push(Arc::clone(&event));
            self.batch.events.push((event, key.take()));
        }
        scene.world.accept(changes);
        for entity in &changes.entities {
            self.touched
                .insert((entity.project.clone(), entity.kind, entity.id.clone()));
        }
        let seq = scene.world.seq();
        Reply::accepted(Accepted {
            seq,
            cursor: cursor(self.epoch, scene.channel.no, seq),
            version: changes.subject.version,
            data: payload::entity(&changes.subject),
            noop: changes.is_noop(),
            merged: changes.merged,
        })
    }

    fn remember(&mut self, job: &Job, channel_no: ChannelNo, reply: &Reply) {
        let Some((key, fingerprint)) = &job.key else {
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

    /// Gathers what is to be written: of each entity its last state.
    pub(super) fn draft(mut self, replies: Vec<Reply>) -> Drafted {
        for (project, kind, id) in std::mem::take(&mut self.touched) {
            let scene = self.scenes.get(&project);
            if let Some(entity) = scene.and_then(|scene| scene.world.get(kind, &id)) {
                self.batch.entities.push(Arc::clone(entity));
            }
        }
        let mut channels = Vec::with_capacity(self.scenes.len());
        let mut events: Vec<(ChannelName, Arc<[Arc<Event>]>)> = Vec::new();
        for scene in self.scenes.into_values() {
            channels.push(scene.channel.name.clone());
            if let Some(last) = scene.events.last() {
                self.batch.heads.push((scene.channel.no, last.seq));
                events.push((scene.channel.name, scene.events.into()));
            }
        }
        Drafted {
            channels,
            batch: self.batch,
            committed: Committed { replies, events },
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

fn cursor(epoch: &Epoch, no: ChannelNo, seq: Seq) -> String {
    Cursor::single(epoch.clone(), no, seq).to_string()
}

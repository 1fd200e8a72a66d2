//! What a batch touches: from the cache, and the rest from the database with a few queries for all of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::PendingBatch;
use crate::domain::{
    Action, ChannelName, Command, EntityId, Epoch, Kind, Needs, ProjectId, Timestamp, policy,
};
use crate::store::{Batch, CommitConnection, Found, StoreError, Tx, Wanted};
use crate::writer::cache::{Cache, Lookup};
use crate::writer::channel_state::ChannelState;
use crate::writer::job::{Job, Work};

/// The number of entities that are loaded at first.
const FIRST_ENTITIES: usize = 128;
/// When so many bytes of entities are loaded, there will be enough to do.
const LOADED_BYTES: usize = 8 * 1024 * 1024;

/// Where a batch is loaded from.
pub(in crate::writer) enum Source<'s> {
    /// What is cached counts, and the commit finds out whether it is still so.
    Cached(&'s mut CommitConnection),
    /// The channels are locked first; what is cached counts as far as their heads are the same.
    Locked(&'s mut Tx),
}

impl Source<'_> {
    async fn load(&mut self, wanted: &Wanted) -> Result<Found, StoreError> {
        match self {
            Self::Cached(conn) => conn.load(wanted).await,
            Self::Locked(tx) => tx.load_locked(wanted).await,
        }
    }

    fn is_locked(&self) -> bool {
        matches!(self, Self::Locked(_))
    }
}

impl<'a> PendingBatch<'a> {
    fn new(epoch: &'a Epoch, now: Timestamp) -> Self {
        Self {
            epoch,
            now,
            channels: HashMap::new(),
            answers: HashMap::new(),
            stored_keys: HashSet::new(),
            batch: Batch {
                now: Some(now),
                ..Batch::default()
            },
            touched: HashSet::new(),
            changed: Vec::new(),
            dragged: 0,
            extra_time: Duration::ZERO,
            event_bytes: 0,
            written: 0,
            cascades: Vec::new(),
            jobs: 0,
        }
    }

    /// Loads the channels of all jobs, and the entities of the first ones. Those that come after very large entities are
    /// left for another transaction.
    ///
    /// `with_answers` asks for the answers to all keys. Otherwise the commit finds out whether there are any.
    pub(in crate::writer) async fn load(
        mut source: Source<'_>,
        cache: &mut Cache,
        jobs: &[Job],
        (epoch, now): (&'a Epoch, Timestamp),
        with_answers: bool,
    ) -> Result<Self, StoreError> {
        let mut pending = Self::new(epoch, now);
        let mut wanted = pending.take_channels(cache, jobs, source.is_locked());
        if with_answers || source.is_locked() || !wanted.channels.is_empty() {
            wanted.keys = keys(jobs);
        }
        if source.is_locked() {
            // Which of the cached entities count is known once the heads are locked.
            let found = source.load(&wanted).await?;
            pending.take_found(cache, jobs, found, BTreeSet::new());
            wanted = Wanted::default();
        }
        let (mut bytes, mut some) = (0, FIRST_ENTITIES);
        while pending.jobs < jobs.len() && bytes < LOADED_BYTES {
            let missing = pending.take_entities(cache, jobs, some);
            wanted.entities = missing.iter().cloned().collect();
            if !wanted.is_empty() {
                let found = source.load(&wanted).await?;
                bytes += found.bytes;
                pending.take_found(cache, jobs, found, missing);
            }
            (wanted, some) = (Wanted::default(), some * 4);
        }
        Ok(pending)
    }

    /// Takes the channels that are cached, and says which ones are to be loaded.
    fn take_channels(&mut self, cache: &mut Cache, jobs: &[Job], is_locked: bool) -> Wanted {
        let mut names = BTreeSet::new();
        for job in jobs {
            names.insert(&job.channel);
            names.extend(&job.other_channel);
        }
        let mut channels = Vec::new();
        for name in names {
            // Without an event it may have no row, and its number may be nobody's.
            let known = cache.head(name);
            match known.filter(|known| !is_locked && known.channel.seq > 0) {
                Some(known) => {
                    let state = ChannelState::new(known.clone(), true);
                    self.channels.insert(name.clone(), state);
                }
                None => channels.push(name.clone()),
            }
        }
        self.know_projects(jobs);
        Wanted {
            channels,
            ..Wanted::default()
        }
    }

    /// Whether a project's id is a number is known from its commands alone, as long as there is no such project.
    fn know_projects(&mut self, jobs: &[Job]) {
        for job in jobs {
            if let Work::Command { command, .. } = &job.work
                && let Some(state) = self.channels.get_mut(&job.channel)
            {
                state.know_project(&command.project);
            }
        }
    }

    /// Takes the entities of the next jobs that are cached, and says which ones are to be loaded: not many more than `some`.
    fn take_entities(
        &mut self,
        cache: &mut Cache,
        jobs: &[Job],
        some: usize,
    ) -> BTreeSet<(ProjectId, Kind, EntityId)> {
        let mut missing = BTreeSet::new();
        while let Some(job) = jobs.get(self.jobs)
            && missing.len() < some
        {
            self.jobs += 1;
            let Some(project) = job.project() else {
                continue;
            };
            let mut state = self.channels.get_mut(&job.channel);
            for (kind, id) in needs_of(job, &project) {
                let Some(ChannelState {
                    known,
                    world: Some(world),
                    ..
                }) = &mut state
                else {
                    missing.insert((project.clone(), kind, id));
                    continue;
                };
                if world.get(kind, &id).is_some() {
                    continue;
                }
                match cache.entity(known, kind, &id) {
                    Lookup::Found(entity) => world.load(entity),
                    Lookup::Missing => {}
                    Lookup::Unknown => {
                        missing.insert((project.clone(), kind, id));
                    }
                }
            }
        }
        missing
    }

    fn take_found(
        &mut self,
        cache: &mut Cache,
        jobs: &[Job],
        found: Found,
        mut missing: BTreeSet<(ProjectId, Kind, EntityId)>,
    ) {
        for head in found.heads {
            let (name, is_stored) = (head.channel.name.clone(), head.is_stored);
            let known = cache.load_head(head.channel);
            self.channels
                .insert(name, ChannelState::new(known, is_stored));
        }
        self.know_projects(jobs);
        for answer in found.answers {
            let key = (answer.channel_no, answer.key.clone());
            self.stored_keys.insert(key.clone());
            self.answers.insert(key, answer);
        }
        for entity in found.entities {
            let entity = Arc::new(entity);
            missing.remove(&(entity.project.clone(), entity.kind, entity.id.clone()));
            if let Some(state) = self.channels.get_mut(&entity.project.channel()) {
                let (kind, id) = (entity.kind, entity.id.clone());
                cache.put_entity(&state.known, kind, &id, Some(Arc::clone(&entity)));
                if let Some(world) = &mut state.world {
                    world.load(entity);
                }
            }
        }
        for (project, kind, id) in missing {
            if let Some(state) = self.channels.get(&project.channel()) {
                cache.put_entity(&state.known, kind, &id, None);
            }
        }
    }

    /// Whether something must be loaded for this job alone, which needs a transaction.
    pub(in crate::writer) fn needs_more(&self, job: &Job) -> bool {
        if job.needs_more {
            return true;
        }
        let Work::Command { command, .. } = &job.work else {
            return false;
        };
        let state = self.channels.get(&job.channel);
        let Some(world) = state.and_then(|state| state.world.as_ref()) else {
            return false;
        };
        let (kind, id) = command.subject();
        match world.get(kind, id) {
            None => !command.looked_for().is_empty(),
            Some(subject) => subject.deleted.is_some() && is_creation_of_task(command),
        }
    }
}

fn is_creation_of_task(command: &Command) -> bool {
    let task = Kind::Task;
    matches!(command.action, Action::Create { kind, .. } if kind == task)
}

/// The keys of jobs, each with its channel's name.
fn keys(jobs: &[Job]) -> Vec<(ChannelName, String)> {
    let keys = jobs.iter().flat_map(|job| {
        let keys = job.work.keys();
        keys.map(|key| (job.channel.clone(), key.to_owned()))
    });
    keys.collect()
}

/// The entities that a job touches for sure.
fn needs_of(job: &Job, project: &ProjectId) -> Vec<(Kind, EntityId)> {
    let mut keys = vec![(Kind::Project, EntityId(project.0.clone()))];
    if let Some(identity) = &job.identity {
        keys.push((Kind::Member, policy::member_id(identity)));
    }
    if let Work::Command { command, .. } = &job.work {
        let (kind, id) = command.subject();
        keys.push((kind, id.clone()));
        for need in command.needs() {
            match need {
                Needs::Entity(kind, id) => keys.push((kind, id.clone())),
                Needs::Referred(kind, id) => keys.push((kind, id)),
                _ => {}
            }
        }
    }
    keys
}

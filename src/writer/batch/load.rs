//! What a batch touches, loaded with a few queries for all of it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::PendingBatch;
use crate::domain::{EntityId, Epoch, Kind, Needs, Timestamp, policy};
use crate::store::{Batch, EntityKey, StoreError, Tx};
use crate::writer::channel_state::ChannelState;
use crate::writer::job::{Job, Work};

/// The number of jobs whose entities are loaded at first.
const FIRST_JOBS: usize = 64;
/// When so many bytes of entities are loaded, there will be enough to do.
const LOADED_BYTES: usize = 8 * 1024 * 1024;

impl<'a> PendingBatch<'a> {
    pub(in crate::writer) async fn load(
        tx: &mut Tx,
        jobs: &[Job],
        epoch: &'a Epoch,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut pending = Self {
            epoch,
            now,
            channels: HashMap::new(),
            answers: HashMap::new(),
            batch: Batch {
                now: Some(now),
                ..Batch::default()
            },
            touched: HashSet::new(),
            dragged: 0,
            extra_time: Duration::ZERO,
            event_bytes: 0,
            written: 0,
            cascades: Vec::new(),
            jobs: 0,
        };
        pending.load_channels(tx, jobs).await?;
        pending.load_entities(tx, jobs).await?;
        pending.load_answers(tx, jobs).await?;
        Ok(pending)
    }

    async fn load_channels(&mut self, tx: &mut Tx, jobs: &[Job]) -> Result<(), StoreError> {
        let mut names = BTreeSet::new();
        for job in jobs {
            names.insert(job.work.channel());
            names.extend(job.work.other_channel());
        }
        let names: Vec<_> = names.into_iter().collect();
        for channel in tx.channels_lock(&names).await? {
            self.channels
                .insert(channel.name.clone(), ChannelState::new(channel));
        }
        for job in jobs {
            if let Work::Command { command, .. } = &job.work
                && let Some(state) = self.channels.get_mut(&command.project.channel())
            {
                // Whether its id is a number is known from here alone, as long as there is no such project.
                state.know_project(&command.project);
            }
        }
        Ok(())
    }

    /// Loads the entities of jobs, of some at first and then of more and more. Those that come after very large ones are
    /// left for another transaction.
    async fn load_entities(&mut self, tx: &mut Tx, jobs: &[Job]) -> Result<(), StoreError> {
        let mut known = HashSet::new();
        let (mut bytes, mut some) = (0, FIRST_JOBS);
        while self.jobs < jobs.len() && bytes < LOADED_BYTES {
            let next = self.jobs.saturating_add(some).min(jobs.len());
            let keys: BTreeSet<_> = jobs[self.jobs..next].iter().flat_map(keys_of).collect();
            let keys: Vec<_> = keys
                .into_iter()
                .filter(|key| known.insert(key.clone()))
                .collect();
            let loaded = tx.entities_load(&keys).await?;
            bytes += loaded.bytes;
            for entity in loaded.entities {
                self.load_entity(entity);
            }
            (self.jobs, some) = (next, some * 4);
        }
        Ok(())
    }

    async fn load_answers(&mut self, tx: &mut Tx, jobs: &[Job]) -> Result<(), StoreError> {
        let mut keys = Vec::new();
        for job in jobs {
            if let Some(state) = self.channels.get(&job.work.channel()) {
                let no = state.channel.no;
                keys.extend(job.work.keys().map(|key| (no, key.to_owned())));
            }
        }
        if keys.is_empty() {
            return Ok(());
        }
        for answer in tx.answers_get(&keys).await? {
            self.answers
                .insert((answer.channel_no, answer.key.clone()), answer);
        }
        Ok(())
    }
}

/// The entities that a job touches for sure.
fn keys_of(job: &Job) -> Vec<EntityKey> {
    let project = match &job.work {
        Work::Command { command, .. } => Some(command.project.clone()),
        Work::Publish { channel, .. } => channel.project(),
        Work::Step(_) => None,
    };
    let Some(project) = project else {
        return Vec::new();
    };
    let mut keys = vec![(project.clone(), Kind::Project, EntityId(project.0.clone()))];
    if let Some(identity) = &job.identity {
        keys.push((project.clone(), Kind::Member, policy::member_id(identity)));
    }
    if let Work::Command { command, .. } = &job.work {
        let (kind, id) = command.subject();
        keys.push((project.clone(), kind, id.clone()));
        for need in command.needs() {
            match need {
                Needs::Entity(kind, id) => keys.push((project.clone(), kind, id.clone())),
                Needs::Referred(kind, id) => keys.push((project.clone(), kind, id)),
                _ => {}
            }
        }
    }
    keys
}

//! What a batch touches, loaded with a few queries for all of it.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::Stage;
use crate::command::scene::Scene;
use crate::command::writer::{Job, Work};
use crate::domain::{EntityId, Epoch, Kind, Needs, Timestamp, policy};
use crate::store::{Batch, StoreError, Tx};

impl<'a> Stage<'a> {
    pub(in crate::command) async fn load(
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
        let mut names = BTreeSet::new();
        for job in jobs {
            let name = job.work.channel();
            names.extend(name.of_all());
            names.insert(name);
        }
        let names: Vec<_> = names.into_iter().collect();
        for channel in tx.channels_lock(&names).await? {
            self.scenes
                .insert(channel.name.clone(), Scene::new(channel));
        }
        for job in jobs {
            if let Work::Command { command, .. } = &job.work
                && let Some(scene) = self.scenes.get_mut(&command.project.channel())
            {
                // Whether its id is a number is known from here alone, as long as there is no such project.
                scene.know_project(&command.project);
            }
        }
        Ok(())
    }

    async fn load_entities(&mut self, tx: &mut Tx, jobs: &[Job]) -> Result<(), StoreError> {
        let mut keys = BTreeSet::new();
        let mut references = Vec::new();
        let mut orders = BTreeSet::new();
        let mut owned = BTreeSet::new();
        for Job { work, identity, .. } in jobs {
            let project = match work {
                Work::Command { command, .. } => Some(command.project.clone()),
                Work::Publish { channel, .. } => channel.project(),
            };
            let Some(project) = project else { continue };
            keys.insert((project.clone(), Kind::Project, EntityId(project.0.clone())));
            if let Some(identity) = identity {
                keys.insert((project.clone(), Kind::Member, policy::member_id(identity)));
            }
            let Work::Command { command, .. } = work else {
                continue;
            };
            let (kind, id) = command.subject();
            keys.insert((project.clone(), kind, id.clone()));
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
            if let Some(world) = self.world(&entity.project) {
                world.load(entity);
            }
        }
        if !orders.is_empty() {
            let orders: Vec<_> = orders.into_iter().collect();
            for (project, entry) in tx.order_get(&orders).await? {
                if let Some(world) = self.world(&project) {
                    world.load_order(entry);
                }
            }
        }
        Ok(())
    }

    async fn load_answers(&mut self, tx: &mut Tx, jobs: &[Job]) -> Result<(), StoreError> {
        let mut keys = Vec::new();
        for job in jobs {
            if let Some(scene) = self.scenes.get(&job.work.channel()) {
                let no = scene.channel.no;
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

//! What must be loaded for one command alone, right before it: the neighbours of a card's place, the tasks of an epic.
//! How much that is does not depend on how much the project holds.
//!
//! The database is asked, and not what is in memory, because that is only a part of the project. So what the commands
//! before have changed is written first; it stays part of the same transaction.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::PendingBatch;
use crate::domain::{
    Action, Cascade, CascadeKey, Cause, Command, Entity, EntityId, Kind, Needs, ProjectId,
    STEP_TASKS, done_statuses, place_query,
};
use crate::store::{StoreError, TaskLimits, Tx};
use crate::writer::WriterOptions;
use crate::writer::job::{Job, StoredKey, Work};

/// What is loaded of an epic's or sprint's tasks at once.
const STEP: TaskLimits = TaskLimits {
    tasks: STEP_TASKS,
    bytes: 4 * 1024 * 1024,
};

impl PendingBatch<'_> {
    /// Loads what only this job needs.
    pub(in crate::writer) async fn load_more(
        &mut self,
        tx: &mut Tx,
        job: &Job,
        options: &WriterOptions,
    ) -> Result<(), StoreError> {
        let started = Instant::now();
        if let Work::Command { command, .. } = &job.work {
            self.look_elsewhere(tx, command).await?;
            self.look_for_children(tx, command).await?;
        }
        if !job.work.needs_more() {
            return Ok(());
        }
        match &job.work {
            Work::Command { command, key } => {
                self.load_for_command(tx, job, command, key.as_ref(), options)
                    .await?;
            }
            Work::Step(key) => self.load_for_step(tx, key).await?,
            Work::Publish { .. } => {}
        }
        self.extra_time += started.elapsed();
        Ok(())
    }

    async fn load_for_command(
        &mut self,
        tx: &mut Tx,
        job: &Job,
        command: &Command,
        key: Option<&StoredKey>,
        options: &WriterOptions,
    ) -> Result<(), StoreError> {
        let context = self.context(job, command);
        let Ok((_, world)) = self.admit(job, command, key, options) else {
            return Ok(());
        };
        let (kind, id) = command.subject();
        let is_deleted = world.get(kind, id).is_some_and(|it| it.deleted.is_some());
        // A rule that panics does so again when it is applied, and is noticed there.
        let query = AssertUnwindSafe(|| place_query(world, command, &context));
        let place = catch_unwind(query).ok().flatten();
        let done = match &command.action {
            Action::SprintComplete { done, .. } => {
                done_statuses(world.project_entity().map(|project| &**project), done)
            }
            _ => Vec::new(),
        };
        self.flush(tx, &command.project).await?;
        if let Some(world) = self.world(&command.project) {
            world.load_matching(0, false);
            world.load_parents([]);
        }
        let mut cascades = Vec::new();
        for need in command.needs() {
            match need {
                Needs::TasksOf(..) if is_deleted => {}
                Needs::TasksOf(cause, reference, id) => {
                    let key = CascadeKey {
                        project: command.project.clone(),
                        reference,
                        id: id.clone(),
                    };
                    self.load_tasks(tx, &key, (cause, &done), Cascade::MAX_COUNTED, 0)
                        .await?;
                }
                Needs::Cascades(id) => {
                    cascades.extend(tx.cascades_about(&command.project, id).await?);
                }
                Needs::Place => {
                    if let Some(query) = &place {
                        let neighbours = tx.neighbours(query).await?;
                        if let Some(world) = self.world(&command.project) {
                            world.load_neighbours(neighbours);
                        }
                    }
                }
                need => self.load_entities_of(tx, command, need).await?,
            }
        }
        if let Some(world) = self.world(&command.project) {
            world.load_cascades(cascades);
        }
        Ok(())
    }

    /// Loads single entities, and what stands above one.
    async fn load_entities_of(
        &mut self,
        tx: &mut Tx,
        command: &Command,
        need: Needs<'_>,
    ) -> Result<(), StoreError> {
        let project = &command.project;
        let found = match need {
            Needs::OtherOwner(id) => tx.other_owner(project, id).await?,
            Needs::NextSprint(id) => tx.next_sprint(project, id).await?,
            Needs::ActiveSprint(id) => tx.active_sprint(project, id).await?,
            Needs::Tasks(tasks) => {
                self.load_each(tx, project, &tasks).await?;
                None
            }
            Needs::Ancestors(parent) => {
                let parents = tx.parents_of(project, &parent).await?;
                if let Some(world) = self.world(project) {
                    world.load_parents(parents);
                }
                let key = (project.clone(), Kind::Task, parent);
                if command.strict {
                    tx.entities_get(&[key]).await?.pop()
                } else {
                    None
                }
            }
            // The others are loaded already, or are no entities.
            _ => None,
        };
        if let Some(entity) = found {
            self.load_entity(entity);
        }
        Ok(())
    }

    async fn load_for_step(&mut self, tx: &mut Tx, key: &CascadeKey) -> Result<(), StoreError> {
        self.flush(tx, &key.project).await?;
        let Some(cascade) = tx.cascade_get(key).await? else {
            if let Some(world) = self.world(&key.project) {
                world.load_cascades(Vec::new());
            }
            return Ok(());
        };
        let project = EntityId(key.project.0.clone());
        let mut about = vec![(key.project.clone(), Kind::Project, project)];
        let target = cascade.target.clone();
        about.extend(target.map(|target| (key.project.clone(), Kind::Sprint, target)));
        for entity in tx.entities_get(&about).await? {
            self.load_entity(entity);
        }
        // Not counted again once the number is known: it is nearly right, and whether there are more is exact.
        let (max_count, left) = match cascade.left {
            Cascade::MAX_COUNTED.. => (Cascade::MAX_COUNTED, 0),
            left => (STEP.tasks + 1, left),
        };
        self.load_tasks(tx, key, (cascade.cause, &cascade.done), max_count, left)
            .await?;
        if let Some(world) = self.world(&key.project) {
            world.load_cascades(vec![cascade]);
        }
        Ok(())
    }

    /// Loads the next tasks that change. If there are more, they are at least so many as are said to be left.
    async fn load_tasks(
        &mut self,
        tx: &mut Tx,
        key: &CascadeKey,
        (cause, done): (Cause, &[String]),
        max_count: usize,
        left: usize,
    ) -> Result<(), StoreError> {
        let found = tx.tasks_of(key, cause, done, STEP, max_count).await?;
        let has_more = found.count > found.tasks.len();
        let count = if has_more {
            found.count.max(left)
        } else {
            found.count
        };
        if let Some(world) = self.world(&key.project) {
            world.load_matching(count, has_more);
        }
        for task in found.tasks {
            self.load_entity(task);
        }
        Ok(())
    }

    /// Looks for a task that is not in the project that the command names in others that its sender follows.
    async fn look_elsewhere(&mut self, tx: &mut Tx, command: &Command) -> Result<(), StoreError> {
        let (kind, id) = command.subject();
        let projects = command.looked_for();
        let Some(world) = self.world(&command.project) else {
            return Ok(());
        };
        world.load_elsewhere(None);
        if projects.is_empty() || world.get(kind, id).is_some() {
            return Ok(());
        }
        let found = tx.entity_elsewhere(kind, id, projects).await?;
        if let Some(world) = self.world(&command.project) {
            world.load_elsewhere(found);
        }
        Ok(())
    }

    /// Looks whether tasks are still leaving a deleted task that is made again.
    async fn look_for_children(
        &mut self,
        tx: &mut Tx,
        command: &Command,
    ) -> Result<(), StoreError> {
        let Action::Create {
            kind: Kind::Task,
            id,
            ..
        } = &command.action
        else {
            return Ok(());
        };
        let task = self
            .world(&command.project)
            .and_then(|world| world.get(Kind::Task, id).cloned());
        if task.is_none_or(|task| task.deleted.is_none()) {
            return Ok(());
        }
        self.flush(tx, &command.project).await?;
        let cascades = tx.cascades_about(&command.project, id).await?;
        if let Some(world) = self.world(&command.project) {
            world.load_cascades(cascades);
        }
        Ok(())
    }

    /// Loads tasks that a command names, a few at a time, until they are too large.
    async fn load_each(
        &mut self,
        tx: &mut Tx,
        project: &ProjectId,
        tasks: &[&EntityId],
    ) -> Result<(), StoreError> {
        const SOME: usize = 16;
        let mut bytes = 0;
        for some in tasks.chunks(SOME) {
            let keys: Vec<_> = some
                .iter()
                .map(|task| (project.clone(), Kind::Task, (*task).clone()))
                .collect();
            let loaded = tx.entities_load(&keys).await?;
            bytes += loaded.bytes;
            for task in loaded.entities {
                self.load_entity(task);
            }
            if bytes > STEP.bytes {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn load_entity(&mut self, entity: Entity) {
        if let Some(world) = self.world(&entity.project) {
            world.load(entity);
        }
    }

    /// Writes what the commands before have changed, if they have changed something in this project.
    async fn flush(&mut self, tx: &mut Tx, project: &ProjectId) -> Result<(), StoreError> {
        let channel = project.channel();
        let is_touched = self.touched.iter().any(|(touched, ..)| *touched == channel);
        let mut cascades = self.batch.cascades.iter();
        if !is_touched && !cascades.any(|cascade| cascade.key.project == *project) {
            return Ok(());
        }
        let entities = self.take_touched();
        let cascades = std::mem::take(&mut self.batch.cascades);
        tx.entities_put(&entities).await?;
        tx.cascades_put(&cascades, self.batch.now).await?;
        self.written += entities.len() + cascades.len();
        Ok(())
    }
}

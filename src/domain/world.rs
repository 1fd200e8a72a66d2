//! One project as far as a batch of commands needs to see it: what was loaded, plus what the commands
//! before have changed.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use super::{
    Cascade, Cause, Changes, Column, Dragged, Entity, EntityId, Kind, Neighbours, OrderEntry,
    PlaceKey, ProjectId, Rank, Reference, Role, Seq,
};

/// The part of a project that a batch of commands can see. Its order, its cascades and the number of tasks that follow are
/// loaded for one command at a time, right before it.
#[derive(Debug)]
pub struct World {
    project: ProjectId,
    seq: Seq,
    entities: HashMap<(Kind, EntityId), Arc<Entity>>,
    order: BTreeMap<(Rank, EntityId), OrderEntry>,
    skipped: usize,
    cascades: Vec<Cascade>,
    matching: usize,
    has_more: bool,
    parents: HashMap<EntityId, Option<EntityId>>,
    elsewhere: Option<ProjectId>,
}

impl World {
    /// A project whose channel stands at `seq`, of which nothing is loaded yet.
    #[must_use]
    pub fn new(project: ProjectId, seq: Seq) -> Self {
        Self {
            project,
            seq,
            entities: HashMap::new(),
            order: BTreeMap::new(),
            skipped: 0,
            cascades: Vec::new(),
            matching: 0,
            has_more: false,
            parents: HashMap::new(),
            elsewhere: None,
        }
    }

    /// Adds an entity as the store has it.
    pub fn load(&mut self, entity: impl Into<Arc<Entity>>) {
        let entity = entity.into();
        if entity.kind == Kind::Project {
            // Its id keeps the JSON type in which it was first seen, whatever this command wrote.
            self.project = entity.project.clone();
        }
        self.entities
            .insert((entity.kind, entity.id.clone()), entity);
    }

    /// Takes over how a client writes the project's id, as long as the store does not have the project.
    pub fn name(&mut self, project: &ProjectId) {
        if self.project_entity().is_none() {
            self.project = project.clone();
        }
    }

    /// Takes the part of the order in which the next command's place lies, as the store has it, instead of what was
    /// known of the order before.
    pub fn load_neighbours(&mut self, neighbours: Neighbours) {
        self.order.clear();
        self.skipped = neighbours.skipped;
        for entry in neighbours.entries {
            self.load_order(entry);
        }
    }

    /// Takes the cascades that the next command must know of, as the store has them.
    pub fn load_cascades(&mut self, cascades: Vec<Cascade>) {
        self.cascades = cascades;
    }

    /// Takes the number of tasks in the store that the next command, or step, changes besides its subject, and whether
    /// some of them are not loaded.
    pub fn load_matching(&mut self, tasks: usize, has_more: bool) {
        self.matching = tasks;
        self.has_more = has_more;
    }

    /// Takes the tasks above the parent that the next command names, each with its own parent.
    pub fn load_parents(
        &mut self,
        parents: impl IntoIterator<Item = (EntityId, Option<EntityId>)>,
    ) {
        self.parents = parents.into_iter().collect();
    }

    /// Takes the other project that has the task which the next command changes, and this one does not have.
    pub fn load_elsewhere(&mut self, project: Option<ProjectId>) {
        self.elsewhere = project;
    }

    /// The other project that has the task.
    #[must_use]
    pub fn elsewhere(&self) -> Option<&ProjectId> {
        self.elsewhere.as_ref()
    }

    /// The parent of a task, as far as it is known.
    #[must_use]
    pub fn parent_of(&self, task: &EntityId) -> Option<EntityId> {
        match self.get(Kind::Task, task) {
            Some(task) if task.deleted.is_some() => None,
            Some(task) => Reference::Parent.of(&task.fields),
            None => self.parents.get(task).cloned().flatten(),
        }
    }

    /// An active sprint other than this one.
    #[must_use]
    pub fn active_sprint(&self, without: &EntityId) -> Option<&Arc<Entity>> {
        self.sprints(without)
            .find(|sprint| sprint.status_key().as_deref() == Some("active"))
    }

    /// The sprint that comes after this one: of those that are not finished the first one by its `startDate`, then by age.
    #[must_use]
    pub fn next_sprint(&self, after: &EntityId) -> Option<&Arc<Entity>> {
        self.sprints(after)
            .filter(|sprint| Cause::Completed.changes(sprint, &[]))
            .min_by_key(|sprint| {
                let start = sprint.plain("startDate");
                (start.is_none(), start, sprint.created.at, sprint.id.clone())
            })
    }

    /// Whether the project has sprints besides this one.
    #[must_use]
    pub fn has_other_sprints(&self, without: &EntityId) -> bool {
        self.sprints(without).next().is_some()
    }

    fn sprints(&self, without: &EntityId) -> impl Iterator<Item = &Arc<Entity>> {
        let sprints = self.entities.values().filter(|entity| {
            entity.kind == Kind::Sprint && entity.deleted.is_none() && entity.id != *without
        });
        sprints.collect::<Vec<_>>().into_iter()
    }

    fn load_order(&mut self, entry: OrderEntry) {
        self.order
            .insert((entry.rank.clone(), entry.id.clone()), entry);
    }

    /// The project.
    #[must_use]
    pub fn project(&self) -> &ProjectId {
        &self.project
    }

    /// The seq of the channel's last event.
    #[must_use]
    pub fn seq(&self) -> Seq {
        self.seq
    }

    /// An entity, a tombstone included.
    #[must_use]
    pub fn get(&self, kind: Kind, id: &EntityId) -> Option<&Arc<Entity>> {
        self.entities.get(&(kind, id.clone()))
    }

    /// The project's own entity.
    #[must_use]
    pub fn project_entity(&self) -> Option<&Arc<Entity>> {
        self.get(Kind::Project, &EntityId(self.project.0.clone()))
    }

    /// The live tasks that refer to an epic or sprint, by id.
    #[must_use]
    pub fn tasks_of(&self, reference: Reference, id: &EntityId) -> Vec<&Arc<Entity>> {
        let mut tasks: Vec<_> = self
            .entities
            .values()
            .filter(|entity| entity.kind == Kind::Task && entity.deleted.is_none())
            .filter(|task| task.refers_to(reference.field(), id))
            .collect();
        tasks.sort_by(|a, b| (&a.rank, &a.id).cmp(&(&b.rank, &b.id)));
        tasks
    }

    /// The number of tasks that are left for steps after a command, or a step, has changed so many.
    #[must_use]
    pub fn left_after(&self, tasks: usize) -> usize {
        if self.matching >= Cascade::MAX_COUNTED {
            return Cascade::MAX_COUNTED;
        }
        let left = self.matching.saturating_sub(tasks);
        left.max(usize::from(self.has_more))
    }

    /// The cascade that is under way from an epic or sprint.
    #[must_use]
    pub fn cascade_from(&self, reference: Reference, id: &EntityId) -> Option<&Cascade> {
        let mut cascades = self.cascades.iter();
        cascades.find(|cascade| cascade.key.reference == reference && cascade.key.id == *id)
    }

    /// A cascade that is under way into this sprint.
    #[must_use]
    pub fn cascade_into(&self, id: &EntityId) -> Option<&Cascade> {
        let mut cascades = self.cascades.iter();
        cascades.find(|cascade| cascade.target.as_ref() == Some(id))
    }

    /// The owners of the project.
    pub fn owners(&self) -> impl Iterator<Item = &EntityId> {
        let owners = self.entities.values();
        let owners = owners.filter(|entity| entity.role() == Some(Role::Owner));
        owners.map(|owner| &owner.id)
    }

    /// The number of tasks of the command's column before the first one that is known.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// The live tasks of the project in their order, without one of them.
    pub fn order_without<'a>(&'a self, id: &'a EntityId) -> impl Iterator<Item = &'a OrderEntry> {
        self.order.values().filter(move |entry| entry.id != *id)
    }

    /// A live task's place.
    #[must_use]
    pub fn order_entry(&self, id: &EntityId) -> Option<&OrderEntry> {
        self.order.values().find(|entry| entry.id == *id)
    }

    /// The live task that has this rank.
    #[must_use]
    pub fn order_at(&self, rank: &Rank) -> Option<&OrderEntry> {
        self.order.values().find(|entry| entry.rank == *rank)
    }

    /// The nearest task before this one, other than `without`.
    #[must_use]
    pub fn before(&self, entry: &OrderEntry, without: &EntityId) -> Option<&Rank> {
        self.order
            .range(..(entry.rank.clone(), entry.id.clone()))
            .rev()
            .map(|((rank, id), _)| (rank, id))
            .find(|(_, id)| *id != without)
            .map(|(rank, _)| rank)
    }

    /// The nearest task after this one, other than `without`.
    #[must_use]
    pub fn after(&self, entry: &OrderEntry, without: &EntityId) -> Option<&Rank> {
        let start = (entry.rank.clone(), entry.id.clone());
        self.order
            .range((Bound::Excluded(start), Bound::Unbounded))
            .map(|((rank, id), _)| (rank, id))
            .find(|(_, id)| *id != without)
            .map(|(rank, _)| rank)
    }

    /// Notes that the channel has one event more, by which nothing changes.
    pub fn pass(&mut self) {
        self.seq += 1;
    }

    /// Takes the changes over, so that the next command of the batch sees them.
    pub fn accept(&mut self, changes: &Changes) {
        self.take(changes.events.len(), &changes.entities);
    }

    /// Takes over what a step of a cascade changes.
    pub fn accept_dragged(&mut self, dragged: &Dragged) {
        self.take(dragged.events.len(), &dragged.entities);
    }

    fn take(&mut self, events: usize, entities: &[Arc<Entity>]) {
        self.seq += Seq::try_from(events).unwrap_or(Seq::MAX);
        for entity in entities {
            let key = (entity.kind, entity.id.clone());
            let before = self.entities.insert(key, Arc::clone(entity));
            if entity.kind == Kind::Task {
                self.reorder(before.as_deref(), entity);
            }
        }
    }

    fn reorder(&mut self, before: Option<&Entity>, after: &Entity) {
        if let Some(rank) = before.and_then(|task| task.rank.clone()) {
            self.order.remove(&(rank, after.id.clone()));
        }
        if let (Some(rank), None) = (&after.rank, &after.deleted) {
            self.load_order(OrderEntry {
                id: after.id.clone(),
                rank: rank.clone(),
                column: Column::of(after),
                key: PlaceKey::in_fields(&after.fields),
            });
        }
    }
}

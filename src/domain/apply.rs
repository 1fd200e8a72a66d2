//! What each command does: a pure function from the project as it is to the changes that follow.
//!
//! A refused command returns before anything was changed; the caller hands accepted changes to
//! [`World::accept`] so that the next command sees them.

mod cascade;
mod member;
mod merge;
mod placing;
mod reference;
mod spelling;
mod sprint;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::Value;

pub use cascade::step;
pub use placing::place_query;

use super::{
    Action, Actor, Cause, Changes, Command, Draft, Entity, EntityFields, EntityId, EventType,
    FieldValue, Fields, IfMatch, Kind, ProjectId, Rank, Reference, Refusal, SOURCE_STAMPS, Seq,
    Stamp, TOGGLED, Timestamp, World,
};

/// Largest JSON text of an entity's fields, in bytes: twice what one command may carry.
pub(super) const MAX_FIELDS_BYTES: usize = 512 * 1024;

/// What a rule needs to know besides the project.
#[derive(Debug, Clone)]
pub struct Context {
    /// The project, as the command names it.
    pub project: ProjectId,
    /// Who asks.
    pub actor: Actor,
    /// Now.
    pub now: Timestamp,
    /// Whether what is changed must exist already.
    pub strict: bool,
    /// Who becomes the owner of a project that is made.
    pub founder: Option<EntityId>,
}

impl Context {
    fn stamp(&self) -> Stamp {
        Stamp {
            at: self.now,
            by: self.actor.clone(),
        }
    }
}

/// Decides what a command changes.
///
/// # Errors
///
/// A [`Refusal`] names the rule that the command breaks.
pub fn apply(world: &World, command: &Command, cx: &Context) -> Result<Changes, Refusal> {
    let project = project_of(world, command, cx)?;
    let mut changes = match &command.action {
        Action::Create {
            kind: Kind::Member,
            id,
            fields,
        } => member::add(world, id, fields, cx),
        Action::Update {
            kind: Kind::Member,
            id,
            fields,
        } => member::update(world, id, fields, command, cx),
        Action::Delete {
            kind: Kind::Member,
            id,
        } => member::remove(world, id, cx),
        Action::Create { kind, id, fields } => create(world, *kind, id, fields, command, cx),
        Action::Update { kind, id, fields } => update(world, *kind, id, fields, command, cx),
        Action::Delete { kind, id } => delete(world, *kind, id, cx),
        Action::Restore { kind, id } => restore(world, *kind, id, cx),
        Action::Toggle { kind, id, field } => {
            toggle(world, *kind, id, field.as_deref(), command, cx)
        }
        Action::TaskMove { id, fields, .. } => placing::task_move(world, id, fields, command, cx),
        Action::SprintStart { id, fields } => sprint::start(world, id, fields, command, cx),
        Action::SprintComplete { id, fields, .. } => {
            sprint::complete(world, id, fields, command, cx)
        }
    }?;
    reference::check(world, command, &changes)?;
    // Not before: who asks for what would be refused anyway hears why.
    precondition(world, command)?;
    if !changes.is_noop()
        && let Some(project) = project
    {
        changes.entities.push(Arc::new(project));
    }
    Ok(changes)
}

/// Checks that the entity is as the caller says that it must be.
fn precondition(world: &World, command: &Command) -> Result<(), Refusal> {
    let Some(wanted) = &command.if_match else {
        return Ok(());
    };
    let (kind, id) = command.subject();
    let current = world.get(kind, id).filter(|entity| entity.version > 0);
    let holds = match wanted {
        IfMatch::Any => current.is_some_and(|entity| {
            let restores = matches!(command.action, Action::Restore { .. });
            entity.deleted.is_none() || restores
        }),
        IfMatch::Versions(versions) => {
            current.is_some_and(|entity| versions.contains(&entity.version))
        }
    };
    if holds {
        return Ok(());
    }
    Err(Refusal::Precondition {
        kind,
        current: current.cloned(),
    })
}

/// Checks that the project can be written to. `Some`: it springs into being with this command.
fn project_of(world: &World, command: &Command, cx: &Context) -> Result<Option<Entity>, Refusal> {
    let (kind, _) = command.subject();
    match world.project_entity() {
        // Who belongs to it can still be said: members see what is left of it.
        Some(project)
            if project.deleted.is_some() && !matches!(kind, Kind::Project | Kind::Member) =>
        {
            Err(Refusal::Gone(Kind::Project))
        }
        Some(_) => Ok(None),
        None if kind == Kind::Project => Ok(None),
        None if cx.strict => Err(Refusal::NotFound {
            kind: Kind::Project,
            field: Kind::Project.id_key(),
        }),
        None => Ok(Some(Entity::blank(
            command.project.clone(),
            Kind::Project,
            EntityId(command.project.0.clone()),
            cx.stamp(),
        ))),
    }
}

fn create(
    world: &World,
    kind: Kind,
    id: &EntityId,
    fields: &Fields,
    command: &Command,
    cx: &Context,
) -> Result<Changes, Refusal> {
    match world.get(kind, id) {
        Some(existing) if existing.deleted.is_some() => cascade::none_leaves(world, existing)?,
        Some(existing) if existing.version > 0 => return create_again(existing, fields),
        _ => {}
    }
    let mut entity = Fresh::of(world, kind, id, cx);
    merge::set(&mut entity, fields, cx)?;
    entity.rank = placing::rank_of_own(world, &entity, cx)?;
    if let Some(stamp) = &command.imported {
        entity.created = stamp.clone();
    }
    let entity = Arc::new(entity);
    let created = Draft::new(kind_event(kind, Verb::Created), &entity);
    let mut changes = Changes::of(entity, vec![created]);
    if kind == Kind::Project
        && world.project_entity().is_none()
        && let Some(founder) = &cx.founder
    {
        let owner = Arc::new(member::found(world, founder, cx)?);
        let added = kind_event(Kind::Member, Verb::Created);
        changes.events.push(Draft::dragged(added, &owner));
        changes.entities.push(owner);
    }
    Ok(changes)
}

/// The id is taken: fine if it is the same thing once more, else a conflict.
fn create_again(existing: &Arc<Entity>, fields: &Fields) -> Result<Changes, Refusal> {
    // What the sender says of when it was made may be another moment each time.
    let mut sent = fields
        .iter()
        .filter(|(field, _)| !SOURCE_STAMPS.contains(&&***field));
    let same = sent.all(|(field, value)| existing.fields.get(field) == Some(value));
    if same {
        return Ok(Changes::noop(Arc::clone(existing)));
    }
    Err(Refusal::Conflict {
        field: "id".to_owned(),
        message: format!("a {} with this id exists already", existing.kind),
        current: Arc::clone(existing),
    })
}

fn update(
    world: &World,
    kind: Kind,
    id: &EntityId,
    fields: &Fields,
    command: &Command,
    cx: &Context,
) -> Result<Changes, Refusal> {
    let before = existing_or_fresh(world, kind, id, cx)?;
    let outcome = merge::merge(&before, fields, command, cx)?;
    let events = vec![kind_event(kind, Verb::Updated)];
    let Some((entity, merged)) = outcome else {
        return Ok(repeated(before, fields, events, command));
    };
    let entity = Arc::new(entity);
    let events = changed(&before, &entity, events);
    if kind == Kind::Sprint && before.fields.get("status") != entity.fields.get("status") {
        cascade::none_from(world, id)?;
    }
    Ok(Changes {
        merged,
        ..Changes::of(entity, events)
    })
}

/// Sets the field that says whether something is done to the opposite of what it says now.
fn toggle(
    world: &World,
    kind: Kind,
    id: &EntityId,
    field: Option<&str>,
    command: &Command,
    cx: &Context,
) -> Result<Changes, Refusal> {
    let before = existing_or_fresh(world, kind, id, cx)?;
    let known = TOGGLED
        .into_iter()
        .find(|field| before.fields.contains_key(field));
    let field = field.or(known).unwrap_or(TOGGLED[0]);
    let is_set = match before.fields.get(field) {
        None | Some(Value::Null) => false,
        Some(Value::Bool(is_set)) => *is_set,
        Some(Value::Number(number)) => number.as_f64() != Some(0.0),
        Some(Value::String(_) | Value::Array(_) | Value::Object(_)) => {
            return Err(Refusal::Invalid {
                field: "field".to_owned(),
                message: format!("{field} of the {kind} is neither true nor false: send an update"),
            });
        }
    };
    let fields = Fields::from_iter([(field.to_owned(), Value::Bool(!is_set))]);
    update(world, kind, id, &fields, command, cx)
}

fn delete(world: &World, kind: Kind, id: &EntityId, cx: &Context) -> Result<Changes, Refusal> {
    let before = match world.get(kind, id) {
        Some(entity) if entity.deleted.is_some() => return Ok(Changes::noop(Arc::clone(entity))),
        _ => existing_or_fresh(world, kind, id, cx)?,
    };
    let mut changes = bury(&before, cx);
    if let Some(reference) = Reference::to(kind) {
        if reference == Reference::Sprint {
            cascade::none_from(world, id)?;
        }
        let start = cascade::Start {
            key: cascade::key(world, reference, id),
            cause: Cause::Deleted,
            target: None,
            done: Vec::new(),
        };
        cascade::start(world, start, &mut changes, cx);
    }
    Ok(changes)
}

/// Makes a tombstone of an entity.
fn bury(before: &Entity, cx: &Context) -> Changes {
    let mut entity = before.clone();
    entity.version += 1;
    entity.updated = cx.stamp();
    entity.deleted = Some(cx.stamp());
    let entity = Arc::new(entity);
    let deleted = Draft::new(kind_event(entity.kind, Verb::Deleted), &entity);
    Changes::of(entity, vec![deleted])
}

fn restore(world: &World, kind: Kind, id: &EntityId, cx: &Context) -> Result<Changes, Refusal> {
    let Some(before) = world.get(kind, id) else {
        return Err(not_found(kind));
    };
    if before.deleted.is_none() {
        return Ok(Changes::noop(Arc::clone(before)));
    }
    cascade::none_leaves(world, before)?;
    let mut entity = (**before).clone();
    entity.version += 1;
    entity.updated = cx.stamp();
    entity.deleted = None;
    entity.rank = placing::free_rank(world, &entity);
    let entity = Arc::new(entity);
    let restored = Draft::new(kind_event(kind, Verb::Restored), &entity);
    Ok(Changes::of(entity, vec![restored]))
}

/// The entity that a change is about. Existing frontends often create things elsewhere and only announce
/// changes here, so one that nobody has seen yet is made, unless the server is strict.
fn existing_or_fresh(
    world: &World,
    kind: Kind,
    id: &EntityId,
    cx: &Context,
) -> Result<Arc<Entity>, Refusal> {
    match world.get(kind, id) {
        None if kind == Kind::Task && world.elsewhere().is_some() => Err(elsewhere(world, id)),
        Some(entity) if entity.deleted.is_some() => Err(Refusal::Gone(kind)),
        Some(entity) if entity.version > 0 || !cx.strict => Ok(Arc::clone(entity)),
        None if !cx.strict => Ok(Arc::new(Fresh::of(world, kind, id, cx))),
        _ => Err(not_found(kind)),
    }
}

/// The project that is named is where a task is to go, and tasks stay in their projects.
fn elsewhere(world: &World, id: &EntityId) -> Refusal {
    let other = world.elsewhere().map_or("", ProjectId::as_str);
    Refusal::Invalid {
        field: Kind::Project.id_key().to_owned(),
        message: format!(
            "task {id} is in project {other}: a task is not moved between projects; create it here and delete it there"
        ),
    }
}

fn not_found(kind: Kind) -> Refusal {
    Refusal::NotFound {
        kind,
        field: kind.id_key(),
    }
}

/// Makes entities that are not there, or not any more: what is made under the id of something deleted has only the fields
/// that it is made with, and goes on with its version.
struct Fresh;

impl Fresh {
    fn of(world: &World, kind: Kind, id: &EntityId, cx: &Context) -> Entity {
        let mut entity = match world.get(kind, id) {
            Some(deleted) if deleted.deleted.is_some() => Entity {
                deleted: None,
                fields: EntityFields::new(),
                ..(**deleted).clone()
            },
            Some(undescribed) => (**undescribed).clone(),
            None => Entity::blank(cx.project.clone(), kind, id.clone(), cx.stamp()),
        };
        if kind == Kind::Task {
            entity.rank = Some(Rank::last(next_seq(world)));
        }
        entity
    }
}

fn next_seq(world: &World) -> Seq {
    world.seq() + 1
}

/// Announces a change by these events. A task's change of status is announced as `task.updated` and
/// `task.status_changed` as well, and each of the events says from what to what.
fn changed(before: &Entity, after: &Arc<Entity>, events: Vec<EventType>) -> Vec<Draft> {
    let (old, new) = (before.fields.get("status"), after.fields.get("status"));
    if after.kind == Kind::Task && old != new {
        let [old, new] = [before, after].map(|task| task.fields.share("status"));
        return with_status(after, events, old, new);
    }
    drafts(after, events, &EntityFields::new())
}

fn with_status(
    task: &Arc<Entity>,
    mut events: Vec<EventType>,
    old: Option<FieldValue>,
    new: Option<FieldValue>,
) -> Vec<Draft> {
    for name in ["task.updated", "task.status_changed"].map(EventType::known) {
        if !events.contains(&name) {
            events.push(name);
        }
    }
    let mut extra = EntityFields::new();
    for (name, value) in [("oldStatus", old), ("newStatus", new)] {
        extra.insert(name, value.unwrap_or_else(|| Value::Null.into()));
    }
    drafts(task, events, &extra)
}

/// Announces once more what is so already, as a relay would: a frontend may have another truth besides this log, and its
/// users want to see again what they saw before. A command that names the version that it expects does not need that.
fn repeated(
    subject: Arc<Entity>,
    patch: &Fields,
    events: Vec<EventType>,
    command: &Command,
) -> Changes {
    let expected = spelling::expected_version(&subject, command);
    if expected.is_some() || command.if_match.is_some() {
        return Changes::noop(subject);
    }
    let status = subject.fields.share("status");
    let events = if subject.kind == Kind::Task && patch.contains_key("status") {
        with_status(&subject, events, status.clone(), status)
    } else {
        drafts(&subject, events, &EntityFields::new())
    };
    Changes::repeat(subject, events)
}

fn drafts(subject: &Arc<Entity>, events: Vec<EventType>, extra: &EntityFields) -> Vec<Draft> {
    let draft = |event| Draft::new(event, subject).with(extra.clone());
    events.into_iter().map(draft).collect()
}

enum Verb {
    Created,
    Updated,
    Deleted,
    Restored,
}

fn kind_event(kind: Kind, verb: Verb) -> EventType {
    EventType::known(match (kind, verb) {
        (Kind::Project, Verb::Created) => "project.created",
        (Kind::Project, Verb::Updated) => "project.updated",
        (Kind::Project, Verb::Deleted) => "project.deleted",
        (Kind::Project, Verb::Restored) => "project.restored",
        (Kind::Task, Verb::Created) => "task.created",
        (Kind::Task, Verb::Updated) => "task.updated",
        (Kind::Task, Verb::Deleted) => "task.deleted",
        (Kind::Task, Verb::Restored) => "task.restored",
        (Kind::Epic, Verb::Created) => "epic.created",
        (Kind::Epic, Verb::Updated) => "epic.updated",
        (Kind::Epic, Verb::Deleted) => "epic.deleted",
        (Kind::Epic, Verb::Restored) => "epic.restored",
        (Kind::Sprint, Verb::Created) => "sprint.created",
        (Kind::Sprint, Verb::Updated) => "sprint.updated",
        (Kind::Sprint, Verb::Deleted) => "sprint.deleted",
        (Kind::Sprint, Verb::Restored) => "sprint.restored",
        (Kind::Comment, Verb::Created) => "comment.created",
        (Kind::Comment, Verb::Updated) => "comment.updated",
        (Kind::Comment, Verb::Deleted) => "comment.deleted",
        (Kind::Comment, Verb::Restored) => "comment.restored",
        (Kind::Other(kind), Verb::Created) => kind.events[0],
        (Kind::Other(kind), Verb::Updated) => kind.events[1],
        (Kind::Other(kind), Verb::Deleted) => kind.events[2],
        (Kind::Other(kind), Verb::Restored) => kind.events[3],
        (Kind::Member, Verb::Created | Verb::Restored) => "member.added",
        (Kind::Member, Verb::Updated) => "member.updated",
        (Kind::Member, Verb::Deleted) => "member.removed",
    })
}

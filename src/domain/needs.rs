//! What a command needs to know of its project before it can be applied.

use super::entity::PARENT;
use super::{Action, Cause, Command, EntityId, Fields, Id, Kind, MoveTo, Place, Reference};

/// What must be loaded before a command can be applied.
#[derive(Debug, Clone, PartialEq)]
pub enum Needs<'a> {
    /// This entity.
    Entity(Kind, &'a EntityId),
    /// This entity, to which a task is to refer.
    Referred(Kind, EntityId),
    /// The live tasks that refer to this id, those that the cause changes.
    TasksOf(Cause, Reference, &'a EntityId),
    /// The cascades that are under way from this sprint, or into it.
    Cascades(&'a EntityId),
    /// The neighbours of the place that the task is to get.
    Place,
    /// An owner of the project other than this member.
    OtherOwner(&'a EntityId),
    /// These tasks, as far as they are not too large together.
    Tasks(Vec<&'a EntityId>),
    /// The sprint that comes after this one.
    NextSprint(&'a EntityId),
    /// An active sprint other than this one.
    ActiveSprint(&'a EntityId),
    /// The parent that the task is to get, and all above it.
    Ancestors(EntityId),
}

impl Command {
    /// What must be loaded besides the subject and the project itself.
    #[must_use]
    pub fn needs(&self) -> Vec<Needs<'_>> {
        let mut needs = match &self.action {
            Action::Update {
                kind: Kind::Member,
                id,
                ..
            }
            | Action::Delete {
                kind: Kind::Member,
                id,
            } => vec![Needs::OtherOwner(id)],
            Action::Delete { kind, id } => match Reference::to(*kind) {
                Some(reference @ (Reference::Epic | Reference::Parent)) => {
                    vec![Needs::TasksOf(Cause::Deleted, reference, id)]
                }
                Some(reference @ Reference::Sprint) => vec![
                    Needs::TasksOf(Cause::Deleted, reference, id),
                    Needs::Cascades(id),
                ],
                None => Vec::new(),
            },
            // The id of something deleted, perhaps, whose tasks are still leaving it.
            Action::Create {
                kind: Kind::Epic | Kind::Sprint,
                id,
                ..
            } if !self.made_id => vec![Needs::Cascades(id)],
            Action::SprintComplete {
                id, move_to, moves, ..
            } => completion(id, move_to, moves),
            Action::SprintStart { id, .. }
            | Action::Restore {
                kind: Kind::Epic | Kind::Sprint,
                id,
            } => vec![Needs::Cascades(id)],
            Action::Update {
                kind: Kind::Sprint,
                id,
                fields,
            } if fields.contains_key("status") => vec![Needs::Cascades(id)],
            Action::Create {
                kind: Kind::Task,
                fields,
                ..
            } if Place::own_in(fields).is_some() => vec![Needs::Place],
            Action::TaskMove { place: Some(_), .. }
            | Action::Restore {
                kind: Kind::Task, ..
            } => vec![Needs::Place],
            _ => Vec::new(),
        };
        if self.strict && self.may_activate() {
            needs.push(Needs::ActiveSprint(self.subject().1));
        }
        needs.extend(self.referred());
        let owners = self.fields_beside().filter(|_| self.strict);
        needs.extend(owners.into_iter().flat_map(|fields| {
            let owners = owners_in(self.subject().0, fields).flat_map(|(_, owners)| owners);
            owners.map(|(kind, id)| Needs::Referred(kind, id))
        }));
        needs
    }

    /// Whether a sprint may be active afterwards that was not before.
    #[must_use]
    pub fn may_activate(&self) -> bool {
        match &self.action {
            Action::SprintStart { .. } => true,
            Action::Create {
                kind: Kind::Sprint,
                fields,
                ..
            }
            | Action::Update {
                kind: Kind::Sprint,
                fields,
                ..
            } => fields.contains_key("status"),
            _ => false,
        }
    }

    /// What the fields of a task refer to.
    fn referred(&self) -> impl Iterator<Item = Needs<'_>> {
        Reference::ALL.into_iter().filter_map(|reference| {
            let id = reference.of(self.task_fields()?)?;
            match reference {
                Reference::Parent => Some(Needs::Ancestors(id)),
                _ if self.strict => Some(Needs::Referred(reference.kind(), id)),
                _ => None,
            }
        })
    }

    /// Whether something must be loaded for this command alone, right before it.
    #[must_use]
    pub fn needs_more(&self) -> bool {
        let needs = self.needs();
        let is_entity = |need: &Needs<'_>| matches!(need, Needs::Entity(..) | Needs::Referred(..));
        !needs.iter().all(is_entity)
    }
}

/// The fields in which an entity beside the board names what it belongs to, each with what may be meant: a parent is of the
/// same kind, or a task.
pub(super) fn owners_in(
    kind: Kind,
    fields: &Fields,
) -> impl Iterator<Item = (&str, Vec<(Kind, EntityId)>)> {
    fields.iter().filter_map(move |(field, value)| {
        let kinds = match Kind::of_reference(field) {
            Some(referred) => vec![referred],
            None if field == PARENT => vec![kind, Kind::Task],
            None => return None,
        };
        let id = Id::from_json(value).ok().map(EntityId);
        let meant = kinds
            .into_iter()
            .filter_map(|kind| Some((kind, id.clone()?)));
        Some((field.as_str(), meant.collect()))
    })
}

fn completion<'a>(
    id: &'a EntityId,
    move_to: &'a MoveTo,
    moves: &'a [(EntityId, MoveTo)],
) -> Vec<Needs<'a>> {
    let mut needs = vec![Needs::Cascades(id)];
    for to in std::iter::once(move_to).chain(moves.iter().map(|(_, to)| to)) {
        match to {
            MoveTo::Sprint(target) if !needs.contains(&Needs::Cascades(target)) => {
                needs.push(Needs::Entity(Kind::Sprint, target));
                needs.push(Needs::Cascades(target));
            }
            MoveTo::Next if !needs.contains(&Needs::NextSprint(id)) => {
                needs.push(Needs::NextSprint(id));
            }
            _ => {}
        }
    }
    if !moves.is_empty() {
        needs.push(Needs::Tasks(moves.iter().map(|(task, _)| task).collect()));
    }
    if *move_to != MoveTo::Keep {
        needs.push(Needs::TasksOf(Cause::Completed, Reference::Sprint, id));
    }
    needs
}

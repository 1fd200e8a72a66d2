//! Who belongs to a project, and as what.

use std::sync::Arc;

use serde_json::Value;

use super::{Context, Verb, bury, kind_event, merge, not_found};
use crate::domain::{
    Changes, Command, Draft, Entity, EntityFields, EntityId, Fields, Kind, Refusal, Role, World,
};

/// The field that says as what.
const ROLE: &str = "role";

/// Adds a member, with the role `member` if none is named. Who was removed before may come back.
pub(super) fn add(
    world: &World,
    id: &EntityId,
    fields: &Fields,
    cx: &Context,
) -> Result<Changes, Refusal> {
    let mut fields = fields.clone();
    if fields.get(ROLE).is_none_or(Value::is_null) {
        fields.insert(ROLE.to_owned(), Role::Member.as_str().into());
    }
    check_role(&fields)?;
    let mut entity = match world.get(Kind::Member, id) {
        Some(known) if known.deleted.is_none() => return super::create_again(known, &fields),
        Some(removed) => Entity {
            deleted: None,
            fields: EntityFields::new(),
            ..(**removed).clone()
        },
        None => blank(world, id, cx),
    };
    merge::set(&mut entity, &fields, cx)?;
    let entity = Arc::new(entity);
    let added = Draft::new(kind_event(Kind::Member, Verb::Created), &entity);
    Ok(Changes::of(entity, vec![added]))
}

/// Gives a member another role.
pub(super) fn update(
    world: &World,
    id: &EntityId,
    fields: &Fields,
    command: &Command,
    cx: &Context,
) -> Result<Changes, Refusal> {
    let before = member(world, id)?;
    if fields.contains_key(ROLE) {
        let role = check_role(fields)?;
        keep_an_owner(world, before, Some(role))?;
    }
    let Some((entity, merged)) = merge::merge(before, fields, command, cx)? else {
        return Ok(Changes::noop(Arc::clone(before)));
    };
    let entity = Arc::new(entity);
    let updated = Draft::new(kind_event(Kind::Member, Verb::Updated), &entity);
    Ok(Changes {
        merged,
        ..Changes::of(entity, vec![updated])
    })
}

/// Removes a member.
pub(super) fn remove(world: &World, id: &EntityId, cx: &Context) -> Result<Changes, Refusal> {
    if let Some(removed) = world.get(Kind::Member, id)
        && removed.deleted.is_some()
    {
        return Ok(Changes::noop(Arc::clone(removed)));
    }
    let before = member(world, id)?;
    keep_an_owner(world, before, None)?;
    Ok(bury(before, cx))
}

/// The first owner of a project.
pub(super) fn found(world: &World, founder: &EntityId, cx: &Context) -> Result<Entity, Refusal> {
    let mut owner = blank(world, founder, cx);
    let mut fields = Fields::new();
    fields.insert(ROLE.to_owned(), Role::Owner.as_str().into());
    merge::set(&mut owner, &fields, cx)?;
    Ok(owner)
}

fn blank(world: &World, id: &EntityId, cx: &Context) -> Entity {
    let project = world.project().clone();
    Entity::blank(project, Kind::Member, id.clone(), cx.stamp())
}

fn member<'a>(world: &'a World, id: &EntityId) -> Result<&'a Arc<Entity>, Refusal> {
    let member = world.get(Kind::Member, id);
    let member = member.filter(|member| member.deleted.is_none());
    member.ok_or_else(|| not_found(Kind::Member))
}

fn check_role(fields: &Fields) -> Result<Role, Refusal> {
    let role = fields.get(ROLE).and_then(Value::as_str).unwrap_or_default();
    role.parse().map_err(|unknown| Refusal::Invalid {
        field: ROLE.to_owned(),
        message: format!("{ROLE} {unknown}"),
    })
}

/// A project that has an owner keeps one.
fn keep_an_owner(world: &World, member: &Entity, role: Option<Role>) -> Result<(), Refusal> {
    let is_owner = member.role() == Some(Role::Owner);
    if !is_owner || role == Some(Role::Owner) || world.owners().any(|id| *id != member.id) {
        return Ok(());
    }
    let field = match role {
        Some(_) => ROLE,
        None => Kind::Member.id_key(),
    };
    Err(Refusal::Invalid {
        field: field.to_owned(),
        message: "this is the only owner; make somebody else an owner first".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Action, apply};
    use super::*;
    use crate::domain::{Actor, Id, ProjectId, Timestamp, Unsettled};

    fn id(text: &str) -> EntityId {
        EntityId(Id::from_text(text).unwrap())
    }

    fn fields(value: &Value) -> Fields {
        value.as_object().unwrap().clone()
    }

    /// A project that was made by ann.
    fn board() -> World {
        let mut world = World::new(ProjectId(id("p").0), 0);
        let project = Action::Create {
            kind: Kind::Project,
            id: id("p"),
            fields: Fields::new(),
        };
        let made = send(&mut world, project).unwrap();
        let types: Vec<_> = made
            .events
            .iter()
            .map(|draft| draft.event_type.as_str())
            .collect();
        assert_eq!(types, ["project.created", "member.added"]);
        world
    }

    fn send(world: &mut World, action: Action) -> Result<Changes, Refusal> {
        let command = Command {
            project: world.project().clone(),
            action,
            made_id: false,
            expected_version: None,
            if_match: None,
            unsettled: Unsettled::default(),
            unread: Vec::new(),
            elsewhere: Vec::new(),
            strict: false,
            echo: Fields::new(),
            imported: None,
        };
        let cx = Context {
            project: command.project.clone(),
            actor: Actor::new("ann"),
            now: Timestamp::from_millis(1),
            strict: false,
            founder: Some(id("ann")),
        };
        let changes = apply(world, &command, &cx)?;
        world.accept(&changes);
        Ok(changes)
    }

    fn add(world: &mut World, user: &str, with: &Value) -> Result<Changes, Refusal> {
        let action = Action::Create {
            kind: Kind::Member,
            id: id(user),
            fields: fields(with),
        };
        send(world, action)
    }

    fn set_role(world: &mut World, user: &str, role: &Value) -> Result<Changes, Refusal> {
        let action = Action::Update {
            kind: Kind::Member,
            id: id(user),
            fields: fields(&json!({"role": role})),
        };
        send(world, action)
    }

    fn remove(world: &mut World, user: &str) -> Result<Changes, Refusal> {
        let action = Action::Delete {
            kind: Kind::Member,
            id: id(user),
        };
        send(world, action)
    }

    fn role(world: &World, user: &str) -> Option<Role> {
        world.get(Kind::Member, &id(user))?.role()
    }

    #[test]
    fn who_was_removed_may_come_back_and_nothing_of_before_does() {
        let mut world = board();
        add(&mut world, "bob", &json!({"note": "x"})).unwrap();
        assert_eq!(role(&world, "bob"), Some(Role::Member));
        assert!(add(&mut world, "bob", &json!({})).unwrap().is_noop());
        let other = add(&mut world, "bob", &json!({"role": "viewer"}));
        assert!(matches!(other, Err(Refusal::Conflict { .. })));
        remove(&mut world, "bob").unwrap();
        assert_eq!(role(&world, "bob"), None);
        assert!(remove(&mut world, "bob").unwrap().is_noop());
        let refused = set_role(&mut world, "bob", &json!("admin"));
        assert!(matches!(refused, Err(Refusal::NotFound { .. })));
        let back = add(&mut world, "bob", &json!({"role": "viewer"})).unwrap();
        assert_eq!(back.events[0].event_type.as_str(), "member.added");
        assert_eq!(back.subject.version, 3);
        assert_eq!(
            back.subject.fields,
            fields(&json!({"role": "viewer"})).into()
        );
    }

    #[test]
    fn members_of_a_deleted_project_can_be_removed() {
        let mut world = board();
        add(&mut world, "bob", &json!({})).unwrap();
        let delete = Action::Delete {
            kind: Kind::Project,
            id: id("p"),
        };
        send(&mut world, delete).unwrap();
        remove(&mut world, "bob").unwrap();
        assert_eq!(role(&world, "bob"), None);
    }

    #[test]
    fn nobody_is_made_a_member_by_the_way() {
        let mut world = board();
        for refused in [
            set_role(&mut world, "bob", &json!("admin")),
            remove(&mut world, "bob"),
        ] {
            assert!(matches!(refused, Err(Refusal::NotFound { .. })));
        }
    }

    #[test]
    fn roles_are_the_four() {
        let mut world = board();
        for wrong in [json!("boss"), json!(""), json!(7), json!(["owner"])] {
            for refused in [
                add(&mut world, "bob", &json!({"role": wrong})),
                set_role(&mut world, "ann", &wrong),
            ] {
                assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == "role"));
            }
        }
    }

    #[test]
    fn the_only_owner_stays() {
        let mut world = board();
        for (refused, named) in [
            (remove(&mut world, "ann"), "userId"),
            (set_role(&mut world, "ann", &json!("admin")), "role"),
        ] {
            assert!(matches!(refused, Err(Refusal::Invalid { field, .. }) if field == named));
        }
        add(&mut world, "bob", &json!({"role": "owner"})).unwrap();
        set_role(&mut world, "ann", &json!("admin")).unwrap();
        assert!(remove(&mut world, "bob").is_err());
        remove(&mut world, "ann").unwrap();
    }
}

//! Who may do what: the one table, and the rules around it that no table can tell.

use super::{
    Action, Actor, ChangedBy, ChannelName, Entity, EntityId, Family, Holder, Id, Identity, Kind,
    Membership, Refusal, Role, World,
};

/// What it takes to see a project: its state, its events, who is in it.
pub const TO_SEE: Role = Role::Viewer;

/// What it takes to carry out an action in a project that exists. Seeing it, and signals, take [`TO_SEE`].
const fn needed(action: &Action) -> Role {
    match action {
        Action::Create { kind, .. } | Action::Update { kind, .. } | Action::Toggle { kind, .. } => {
            match kind {
                Kind::Task | Kind::Epic | Kind::Sprint | Kind::Comment | Kind::Other(_) => {
                    Role::Member
                }
                Kind::Project | Kind::Member => Role::Admin,
            }
        }
        Action::Delete { kind, .. } | Action::Restore { kind, .. } => match kind {
            Kind::Task | Kind::Epic | Kind::Sprint | Kind::Comment | Kind::Other(_) => Role::Member,
            Kind::Member => Role::Admin,
            Kind::Project => Role::Owner,
        },
        Action::TaskMove { .. } | Action::SprintStart { .. } | Action::SprintComplete { .. } => {
            Role::Member
        }
    }
}

/// The id under which somebody is a member.
#[must_use]
pub fn member_id(identity: &Identity) -> EntityId {
    EntityId(Id::restore(identity.actor.as_str(), false))
}

/// The id under which a user is a member.
#[must_use]
pub fn user_id(user: &Actor) -> EntityId {
    EntityId(Id::restore(user.as_str().to_owned(), false))
}

/// Who becomes owner of a project that somebody makes: a service is no member.
#[must_use]
pub fn founder(identity: &Identity) -> Option<EntityId> {
    match identity.holder {
        Holder::User { .. } => Some(member_id(identity)),
        Holder::Service { .. } => None,
    }
}

/// Whether somebody may carry out an action. The caller's own membership, the entity that the action names and the
/// project itself must be loaded. `free_id`: every user may make a project under the id that the action names, if there
/// is none.
///
/// # Errors
///
/// A project that the caller cannot see is not found, whether it exists or not; else [`Refusal::Forbidden`].
pub fn check(
    identity: &Identity,
    world: &World,
    action: &Action,
    free_id: bool,
) -> Result<(), Refusal> {
    let me = member_id(identity);
    let membership = world.get(Kind::Member, &me);
    let membership = membership.map(|member| Membership::of(member));
    let role = identity.role(world.project(), membership);
    let exists = world.project_entity().is_some();
    let makes_project = matches!(
        action,
        Action::Create {
            kind: Kind::Project,
            ..
        }
    );
    if makes_project && (role.is_none() || !exists) {
        let is_user = matches!(identity.holder, Holder::User { .. });
        let may_found = role == Some(Role::Owner) || (is_user && free_id);
        if !may_found {
            // In the same words whether the id is taken or not.
            return Err(Refusal::Forbidden(NO_FOUNDER.to_owned()));
        }
        if !exists {
            return Ok(());
        }
    }
    let role = role.ok_or(UNSEEN)?;
    let needed = needed_for(world, action, &me);
    if role < needed {
        return Err(lacks(needed, role));
    }
    if role < TO_CHANGE_OTHERS && is_of_another(world, action, identity) {
        let (kind, _) = action.subject();
        let message = format!("a {kind} is changed by its author, admins and owners");
        return Err(Refusal::Forbidden(message));
    }
    Ok(())
}

/// Whether an action changes what somebody else has made, and only its author may. To make what is there already
/// changes nothing.
fn is_of_another(world: &World, action: &Action, identity: &Identity) -> bool {
    let (kind, id) = action.subject();
    let is_theirs = |entity: &Entity| {
        let is_there = entity.deleted.is_none();
        let is_repeat = is_there && matches!(action, Action::Create { .. });
        entity.version > 0 && entity.created.by != identity.actor && !is_repeat
    };
    kind.changed_by() == ChangedBy::Author
        && world.get(kind, id).is_some_and(|entity| is_theirs(entity))
}

/// Whether somebody may say of what they make when and by whom it was made.
///
/// # Errors
///
/// As [`check`].
pub fn import(identity: &Identity, world: &World) -> Result<(), Refusal> {
    let member = world.get(Kind::Member, &member_id(identity));
    let membership = member.map(|member| Membership::of(member));
    may_import(identity.role(world.project(), membership))
}

/// The same, of somebody with this role in the project.
///
/// # Errors
///
/// As [`check`].
pub fn may_import(role: Option<Role>) -> Result<(), Refusal> {
    match role {
        None => Err(UNSEEN),
        Some(role) if role < TO_IMPORT => Err(lacks(TO_IMPORT, role)),
        Some(_) => Ok(()),
    }
}

/// What it takes to change what only its author may change, if somebody else is that.
const TO_CHANGE_OTHERS: Role = Role::Admin;
/// What it takes to import.
const TO_IMPORT: Role = Role::Admin;
/// What it takes to publish on a project's channel, and on every channel that is nobody's own.
const TO_PUBLISH: Role = Role::Member;
/// What it takes to hear what is meant for another user.
const TO_OVERHEAR: Role = Role::Admin;

/// Whether somebody may hear what is published on a channel that is no project's.
///
/// # Errors
///
/// [`Refusal::Forbidden`].
pub fn hear(identity: &Identity, channel: &ChannelName) -> Result<(), Refusal> {
    match channel.family() {
        Family::User(user) if user != identity.actor.as_str() => {
            need(identity, TO_OVERHEAR, "to hear what is for another user")
        }
        // The id of a session is its secret; whoever is somebody hears the rest.
        _ => Ok(()),
    }
}

/// Whether somebody may publish on a channel; without identity everybody may. `world` is the project if it is one's.
///
/// # Errors
///
/// A project that the caller cannot see is not found, whether it exists or not, and one that was deleted is gone; else
/// [`Refusal::Forbidden`].
pub fn publish(
    identity: Option<&Identity>,
    channel: &ChannelName,
    world: Option<&World>,
) -> Result<(), Refusal> {
    let Some(world) = world else {
        return match identity {
            Some(identity) if !matches!(channel.family(), Family::Session(_)) => {
                need(identity, TO_PUBLISH, "to publish on this channel")
            }
            _ => Ok(()),
        };
    };
    if let Some(identity) = identity {
        let member = world.get(Kind::Member, &member_id(identity));
        let membership = member.map(|member| Membership::of(member));
        let role = identity.role(world.project(), membership).ok_or(UNSEEN)?;
        if role < TO_PUBLISH {
            return Err(lacks(TO_PUBLISH, role));
        }
    }
    match world.project_entity() {
        Some(project) if project.deleted.is_some() => Err(Refusal::Gone(Kind::Project)),
        // Without an entity nothing has happened there yet.
        _ => Ok(()),
    }
}

fn need(identity: &Identity, needed: Role, what: &str) -> Result<(), Refusal> {
    if identity.grants.everywhere() >= Some(needed) {
        return Ok(());
    }
    let message = format!("{what} takes a token or API key with the role {needed} in all projects");
    Err(Refusal::Forbidden(message))
}

fn lacks(needed: Role, role: Role) -> Refusal {
    let message = format!("this takes the role {needed} in the project, and you are {role}");
    Refusal::Forbidden(message)
}

/// How a project looks that the caller cannot see.
pub const UNSEEN: Refusal = Refusal::NotFound {
    kind: Kind::Project,
    field: Kind::Project.id_key(),
};

const NO_FOUNDER: &str = "a new project's id is made by the server: leave it out, or have a token or API key that names \
                          you its owner";

/// What the table says, except: owners are made, changed and removed by owners; everybody may leave; and who brings a deleted
/// project back could have deleted it.
fn needed_for(world: &World, action: &Action, me: &EntityId) -> Role {
    let is_owner = |id| {
        let member = world.get(Kind::Member, id);
        member.and_then(|member| member.role()) == Some(Role::Owner)
    };
    match action {
        Action::Delete {
            kind: Kind::Member,
            id,
        } if id == me => TO_SEE,
        Action::Delete {
            kind: Kind::Member,
            id,
        } if is_owner(id) => Role::Owner,
        Action::Create {
            kind: Kind::Member,
            id,
            fields,
        }
        | Action::Update {
            kind: Kind::Member,
            id,
            fields,
        } if is_owner(id) || fields.get("role") == Some(&Role::Owner.as_str().into()) => {
            Role::Owner
        }
        Action::Create {
            kind: Kind::Project,
            ..
        } if world
            .project_entity()
            .is_some_and(|it| it.deleted.is_some()) =>
        {
            Role::Owner
        }
        _ => needed(action),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Actor, Fields, Grants, ProjectId, Stamp, Timestamp};

    const ME: &str = "me";

    fn id(text: &str) -> EntityId {
        EntityId(Id::from_text(text).unwrap())
    }

    fn identity(granted: Option<Role>, is_user: bool) -> Identity {
        let mut grants = Grants::default();
        if let Some(role) = granted {
            grants.insert(Grants::EVERYWHERE, role);
        }
        let user = Holder::User { granted_at: None };
        let service = Holder::Service {
            key: "ci".to_owned(),
        };
        Identity {
            actor: Actor::new(ME),
            holder: if is_user { user } else { service },
            grants,
            expires_at: None,
        }
    }

    /// A project with these members.
    fn world(members: &[(&str, Role)]) -> World {
        let project = ProjectId(id("p").0);
        let stamp = Stamp {
            at: Timestamp::from_millis(1),
            by: Actor::new("ann"),
        };
        let mut world = World::new(project.clone(), 1);
        let blank = |kind, id| Entity::blank(project.clone(), kind, id, stamp.clone());
        world.load(blank(Kind::Project, id("p")));
        for (user, role) in members {
            let mut member = blank(Kind::Member, id(user));
            member
                .fields
                .insert("role", serde_json::Value::from(role.as_str()));
            world.load(member);
        }
        world
    }

    fn with_role(action: fn(EntityId, Fields) -> Action, user: &str, role: Role) -> Action {
        let mut fields = Fields::new();
        fields.insert("role".to_owned(), role.as_str().into());
        action(id(user), fields)
    }

    fn add(id: EntityId, fields: Fields) -> Action {
        let kind = Kind::Member;
        Action::Create { kind, id, fields }
    }

    fn change(id: EntityId, fields: Fields) -> Action {
        let kind = Kind::Member;
        Action::Update { kind, id, fields }
    }

    fn remove(user: &str) -> Action {
        Action::Delete {
            kind: Kind::Member,
            id: id(user),
        }
    }

    fn allowed(world: &World, action: &Action) -> bool {
        check(&identity(None, true), world, action, false).is_ok()
    }

    #[test]
    fn owners_alone_make_and_unmake_owners() {
        let others = [("ann", Role::Owner), ("bob", Role::Member)];
        for role in Role::ALL {
            let mut members = others.to_vec();
            members.push((ME, role));
            let world = world(&members);
            for (action, needed) in [
                (with_role(add, "new", Role::Admin), Role::Admin),
                (with_role(add, "new", Role::Owner), Role::Owner),
                (with_role(change, "bob", Role::Viewer), Role::Admin),
                (with_role(change, "bob", Role::Owner), Role::Owner),
                (with_role(change, "ann", Role::Viewer), Role::Owner),
                (with_role(change, ME, Role::Owner), Role::Owner),
                (remove("bob"), Role::Admin),
                (remove("ann"), Role::Owner),
                (remove(ME), Role::Viewer),
            ] {
                assert_eq!(
                    allowed(&world, &action),
                    role >= needed,
                    "{role} {action:?}"
                );
            }
        }
    }

    /// A member's rights over a comment, or an entity of a declared kind, that one of both has made.
    fn may_change(role: Role, kind: Kind, author: &str, action: &Action, is_deleted: bool) -> bool {
        let mut world = world(&[("ann", Role::Owner), (ME, role)]);
        let stamp = Stamp {
            at: Timestamp::from_millis(1),
            by: Actor::new(author),
        };
        let mut entity = Entity::blank(world.project().clone(), kind, id("x"), stamp.clone());
        entity.version = 1;
        entity.deleted = is_deleted.then_some(stamp);
        world.load(entity);
        allowed(&world, action)
    }

    #[test]
    fn comments_are_changed_by_their_authors_and_by_admins() {
        let open = Kind::declare("open_kind", "open_kinds", false).unwrap();
        let own = Kind::declare("own_kind", "own_kinds", true).unwrap();
        for role in Role::ALL {
            for (kind, is_open) in [(open, true), (own, false), (Kind::Comment, false)] {
                let (id, fields) = (id("x"), Fields::new());
                let actions = [
                    Action::Update {
                        kind,
                        id: id.clone(),
                        fields: fields.clone(),
                    },
                    Action::Toggle {
                        kind,
                        id: id.clone(),
                        field: None,
                    },
                    Action::Delete {
                        kind,
                        id: id.clone(),
                    },
                    Action::Restore {
                        kind,
                        id: id.clone(),
                    },
                ];
                let others = role >= if is_open { Role::Member } else { Role::Admin };
                for action in &actions {
                    for is_deleted in [false, true] {
                        let may = |author| may_change(role, kind, author, action, is_deleted);
                        assert_eq!(may("ann"), others, "{role} {action:?}");
                        assert_eq!(may(ME), role >= Role::Member, "{role} {action:?}");
                    }
                }
                let create = Action::Create { kind, id, fields };
                let may = |author, is_deleted| may_change(role, kind, author, &create, is_deleted);
                assert_eq!(may("ann", true), others, "{role}: what another has deleted");
                assert_eq!(
                    may("ann", false),
                    role >= Role::Member,
                    "{role}: it changes nothing"
                );
                let nowhere = world(&[(ME, role)]);
                for action in actions.iter().chain([&create]) {
                    assert_eq!(
                        allowed(&nowhere, action),
                        role >= Role::Member,
                        "{action:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn channels_are_heard_and_spoken_on_by_those_concerned() {
        let name = |text| ChannelName::parse(text).unwrap();
        let may_hear = |granted, text| hear(&identity(granted, true), &name(text)).is_ok();
        let may_say =
            |granted, text| publish(Some(&identity(granted, false)), &name(text), None).is_ok();
        for open in [
            "session:s",
            "agent:a",
            "agent:*",
            "workflow:*",
            "ui:activity",
            "user:me",
        ] {
            assert!(may_hear(None, open), "{open}");
        }
        for role in [None, Some(Role::Viewer), Some(Role::Member)] {
            assert!(!may_hear(role, "user:ann"));
            assert!(may_say(role, "session:s"));
            for channel in ["user:ann", "user:me", "agent:a", "ui:activity"] {
                assert_eq!(
                    may_say(role, channel),
                    role == Some(Role::Member),
                    "{channel}"
                );
            }
        }
        assert!(may_hear(Some(Role::Admin), "user:ann"));
        assert!(publish(None, &name("user:ann"), None).is_ok());
    }

    #[test]
    fn projects_hear_of_their_members_alone() {
        let channel = ProjectId(id("p").0).channel();
        let me = identity(None, true);
        let said = |role| publish(Some(&me), &channel, Some(&world(&[(ME, role)])));
        assert!(said(Role::Member).is_ok());
        assert!(matches!(said(Role::Viewer), Err(Refusal::Forbidden(_))));
        let foreign = publish(Some(&me), &channel, Some(&world(&[("ann", Role::Owner)])));
        let missing = World::new(ProjectId(id("p").0), 0);
        let missing = publish(Some(&me), &channel, Some(&missing));
        assert_eq!(
            foreign.unwrap_err().to_string(),
            missing.unwrap_err().to_string()
        );
    }

    #[test]
    fn a_project_under_a_chosen_id_is_not_told_from_one_that_is_there() {
        let create = Action::Create {
            kind: Kind::Project,
            id: id("p"),
            fields: Fields::new(),
        };
        let there = world(&[("ann", Role::Owner)]);
        let nowhere = World::new(there.project().clone(), 0);
        for is_user in [true, false] {
            let me = identity(None, is_user);
            let refused = |world| check(&me, world, &create, false).unwrap_err().to_string();
            assert_eq!(refused(&there), refused(&nowhere));
            assert_eq!(check(&me, &nowhere, &create, true).is_ok(), is_user);
        }
        let owner = identity(Some(Role::Owner), false);
        assert!(check(&owner, &nowhere, &create, false).is_ok());
        let admin = identity(Some(Role::Admin), false);
        assert!(check(&admin, &nowhere, &create, false).is_err());
    }
}

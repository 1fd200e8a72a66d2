//! Which event carries what: for each name the type of its payload and of its answer.

use std::collections::HashSet;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::answer::{
    Accepted, BulkAnswer, Done, JoinAnswer, LeaveAnswer, Listed, Page, RefreshAnswer,
    SnapshotAnswer, SubscribeAnswer, SyncAnswer, UnsubscribeAnswer,
};
use super::entity::{Comment, Deleted, Epic, Member, OtherEntity, Project, Sprint, Task};
use super::types::{Id, Or};
use super::{command, event};
use crate::contract::names::{Entry, Name, Verb};
use crate::contract::vocabulary;
use crate::contract::{EventStyle, SignalKind};
use crate::domain::{EventType, Kind};

/// Describes a type: a reference to its definition, which the generator keeps.
pub type Describe = fn(&mut SchemaGenerator) -> Schema;

/// An event that clients may hear.
#[derive(Debug, Clone, Copy)]
pub struct ServerEvent {
    /// Its type, as the log would name it.
    pub event_type: &'static str,
    /// Its first argument.
    pub payload: Describe,
    /// Whether a cursor may come with it.
    pub has_cursor: bool,
}

/// An event that clients may send.
#[derive(Debug, Clone, Copy)]
pub struct ClientEvent {
    /// Its name, as documented.
    pub name: &'static str,
    /// Its first argument.
    pub payload: Describe,
    /// What it is answered with, if it is not [refused](super::answer::Refused).
    pub answer: Describe,
}

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

const fn with_cursor<T: JsonSchema>(event_type: &'static str) -> ServerEvent {
    ServerEvent {
        has_cursor: true,
        ..told::<T>(event_type)
    }
}

const fn told<T: JsonSchema>(event_type: &'static str) -> ServerEvent {
    ServerEvent {
        event_type,
        payload: of::<T>,
        has_cursor: false,
    }
}

/// All events that clients may hear, besides those that others publish.
pub static SERVER_EVENTS: [ServerEvent; 47] = [
    with_cursor::<event::EntityEvent<Project>>("project.created"),
    with_cursor::<event::EntityEvent<Project>>("project.updated"),
    with_cursor::<event::ProjectDeleted>("project.deleted"),
    with_cursor::<event::EntityEvent<Project>>("project.restored"),
    with_cursor::<event::EntityEvent<Task>>("task.created"),
    with_cursor::<event::TaskChanged>("task.updated"),
    with_cursor::<event::TaskStatusChanged>("task.status_changed"),
    with_cursor::<event::TaskChanged>("task.moved"),
    with_cursor::<event::TaskDeleted>("task.deleted"),
    with_cursor::<event::EntityEvent<Task>>("task.restored"),
    with_cursor::<event::EntityEvent<Epic>>("epic.created"),
    with_cursor::<event::EntityEvent<Epic>>("epic.updated"),
    with_cursor::<event::EpicDeleted>("epic.deleted"),
    with_cursor::<event::EntityEvent<Epic>>("epic.restored"),
    with_cursor::<event::EntityEvent<Sprint>>("sprint.created"),
    with_cursor::<event::EntityEvent<Sprint>>("sprint.updated"),
    with_cursor::<event::EntityEvent<Sprint>>("sprint.started"),
    with_cursor::<event::EntityEvent<Sprint>>("sprint.completed"),
    with_cursor::<event::SprintDeleted>("sprint.deleted"),
    with_cursor::<event::EntityEvent<Sprint>>("sprint.restored"),
    with_cursor::<event::EntityEvent<Comment>>("comment.created"),
    with_cursor::<event::EntityEvent<Comment>>("comment.updated"),
    with_cursor::<event::CommentDeleted>("comment.deleted"),
    with_cursor::<event::EntityEvent<Comment>>("comment.restored"),
    with_cursor::<event::EntityEvent<Member>>("member.added"),
    with_cursor::<event::EntityEvent<Member>>("member.updated"),
    with_cursor::<event::MemberRemoved>("member.removed"),
    told::<Listed<Project>>("project.listed"),
    told::<Listed<Task>>("task.listed"),
    told::<Listed<Epic>>("epic.listed"),
    told::<Listed<Sprint>>("sprint.listed"),
    told::<Listed<Member>>("member.listed"),
    told::<Listed<Comment>>("comment.listed"),
    with_cursor::<event::ChannelEvent<'static>>("event"),
    with_cursor::<event::AccessRevoked>("project.access_revoked"),
    with_cursor::<event::ProjectReset>("project.reset"),
    with_cursor::<event::ChannelRevoked>("channel.access_revoked"),
    with_cursor::<event::ChannelReset>("channel.reset"),
    with_cursor::<event::SessionReset>("session.reset"),
    told::<String>("session.cursor"),
    told::<event::AuthExpiring>("auth.expiring"),
    told::<event::PresenceTold>("presence.join"),
    told::<event::PresenceTold>("presence.update"),
    told::<event::PresenceLeft>("presence.leave"),
    told::<event::TypingTold>("typing"),
    told::<event::EditingTold>("task.editing"),
    told::<event::Notification>("system.notification"),
];

/// Whether clients know an event of ours by this name, in any of its spellings.
#[must_use]
pub fn is_our_name(name: &str) -> bool {
    static NAMES: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let types = SERVER_EVENTS.iter().map(|event| event.event_type);
        let types = types.map(EventType::known);
        types
            .flat_map(|event_type| EventStyle::ALL.map(|style| style.name(&event_type)))
            .collect()
    });
    NAMES.contains(name)
}

/// The event by which a client without an ack callback hears of a refusal; it is not spelled in styles.
pub const ERROR: ServerEvent = told::<event::ErrorTold>("error");

/// All events that clients may send, in the order of the table of names.
pub fn client_events() -> impl Iterator<Item = ClientEvent> {
    vocabulary::all().iter().map(described)
}

/// The event that a name means, in whatever spelling.
#[must_use]
pub fn client_event(name: &str) -> Option<ClientEvent> {
    vocabulary::find(name).map(described)
}

fn described(entry: &'static Entry) -> ClientEvent {
    let (mut payload, mut answer) = carried(entry.name);
    if entry.bulk {
        payload = of::<Or<command::TaskUpdate, command::Bulk>>;
        answer = of::<Or<Accepted<Task>, BulkAnswer>>;
    }
    ClientEvent {
        name: &entry.canonical,
        payload,
        answer,
    }
}

fn carried(name: Name) -> (Describe, Describe) {
    match name {
        Name::Join => (of::<Or<Id, command::Join>>, of::<JoinAnswer>),
        Name::Leave => (of::<Or<Id, command::ProjectRef>>, of::<LeaveAnswer>),
        Name::JoinList => (
            of::<Or<Vec<Id>, command::ProjectList>>,
            of::<SubscribeAnswer>,
        ),
        Name::LeaveList => (
            of::<Or<Vec<Id>, command::ProjectList>>,
            of::<UnsubscribeAnswer>,
        ),
        Name::Snapshot => (of::<Or<Id, command::SnapshotPage>>, of::<SnapshotAnswer>),
        Name::List(kind) => (list_of(kind), page_of(kind)),
        Name::Sync => (of::<Or<Id, command::Sync>>, of::<SyncAnswer>),
        Name::Subscribe => (
            of::<Or<command::Channels, command::Subscribe>>,
            of::<SubscribeAnswer>,
        ),
        Name::Unsubscribe => (
            of::<Or<command::Channels, command::Unsubscribe>>,
            of::<UnsubscribeAnswer>,
        ),
        Name::Refresh => (of::<command::Refresh>, of::<RefreshAnswer>),
        Name::Command(kind, verb) => (command_of(kind, verb), accepted(kind, verb)),
        Name::Signal(SignalKind::Typing, _) => (of::<command::Typing>, of::<Done>),
        Name::Signal(SignalKind::Editing, _) => (of::<command::Editing>, of::<Done>),
        Name::Signal(SignalKind::Presence, _) => (of::<command::PresenceUpdate>, of::<Done>),
    }
}

fn command_of(kind: Kind, verb: Verb) -> Describe {
    match (kind, verb) {
        (Kind::Project, Verb::Create) => of::<command::ProjectCreate>,
        (Kind::Project, Verb::Delete | Verb::Restore) => of::<Or<Id, command::ProjectDelete>>,
        (Kind::Project, _) => of::<command::ProjectUpdate>,
        (Kind::Task, Verb::Create) => of::<command::TaskCreate>,
        (Kind::Task, Verb::Delete | Verb::Restore) => of::<Or<Id, command::TaskRef>>,
        (Kind::Task, Verb::Status) => of::<command::TaskStatus>,
        (Kind::Task, Verb::Move) => of::<command::TaskMove>,
        (Kind::Task, Verb::Toggle) => of::<Or<Id, command::TaskToggle>>,
        (Kind::Task, Verb::Update | Verb::Start | Verb::Complete) => of::<command::TaskUpdate>,
        (Kind::Epic, Verb::Create) => of::<command::EpicCreate>,
        (Kind::Epic, Verb::Delete | Verb::Restore) => of::<Or<Id, command::EpicRef>>,
        (Kind::Epic, Verb::Toggle) => of::<Or<Id, command::EpicToggle>>,
        (Kind::Epic, _) => of::<command::EpicUpdate>,
        (Kind::Sprint, Verb::Create) => of::<command::SprintCreate>,
        (Kind::Sprint, Verb::Delete | Verb::Restore) => of::<Or<Id, command::SprintRef>>,
        (Kind::Sprint, Verb::Toggle) => of::<Or<Id, command::SprintToggle>>,
        (Kind::Sprint, Verb::Start) => of::<Or<Id, command::SprintUpdate>>,
        (Kind::Sprint, Verb::Complete) => of::<Or<Id, command::SprintComplete>>,
        (Kind::Sprint, Verb::Update | Verb::Status | Verb::Move) => of::<command::SprintUpdate>,
        (Kind::Member, Verb::Create) => of::<command::MemberAdd>,
        (Kind::Member, Verb::Delete | Verb::Restore) => of::<command::MemberRemove>,
        (Kind::Member, _) => of::<command::MemberRole>,
        (Kind::Comment, Verb::Create) => of::<command::CommentCreate>,
        (Kind::Comment, Verb::Delete | Verb::Restore) => of::<Or<Id, command::CommentRef>>,
        (Kind::Comment, Verb::Toggle) => of::<Or<Id, command::CommentToggle>>,
        (Kind::Comment, _) => of::<command::CommentUpdate>,
        (Kind::Other(_), Verb::Create) => of::<command::OtherCreate>,
        (Kind::Other(_), Verb::Delete | Verb::Restore) => of::<Or<Id, command::OtherRef>>,
        (Kind::Other(_), Verb::Toggle) => of::<Or<Id, command::OtherToggle>>,
        (Kind::Other(_), _) => of::<command::OtherUpdate>,
    }
}

fn list_of(kind: Kind) -> Describe {
    match kind {
        Kind::Project => of::<command::ListedProjects>,
        Kind::Task => of::<Or<Id, command::TaskList>>,
        Kind::Epic | Kind::Sprint => of::<Or<Id, command::PlanList>>,
        Kind::Member => of::<Or<Id, command::MemberList>>,
        Kind::Comment => of::<Or<Id, command::CommentList>>,
        Kind::Other(_) => of::<Or<Id, command::OtherList>>,
    }
}

fn page_of(kind: Kind) -> Describe {
    match kind {
        Kind::Project => of::<Page<Project>>,
        Kind::Task => of::<Page<Task>>,
        Kind::Epic => of::<Page<Epic>>,
        Kind::Sprint => of::<Page<Sprint>>,
        Kind::Member => of::<Page<Member>>,
        Kind::Comment => of::<Page<Comment>>,
        Kind::Other(_) => of::<Page<OtherEntity>>,
    }
}

fn accepted(kind: Kind, verb: Verb) -> Describe {
    fn of_kind<T: JsonSchema>(verb: Verb) -> Describe {
        match verb {
            Verb::Delete => of::<Accepted<Deleted<T>>>,
            _ => of::<Accepted<T>>,
        }
    }
    match kind {
        Kind::Project => of_kind::<Project>(verb),
        Kind::Task => of_kind::<Task>(verb),
        Kind::Epic => of_kind::<Epic>(verb),
        Kind::Sprint => of_kind::<Sprint>(verb),
        Kind::Member => of_kind::<Member>(verb),
        Kind::Comment => of_kind::<Comment>(verb),
        Kind::Other(_) => of_kind::<OtherEntity>(verb),
    }
}

//! What the endpoints of the kinds of entities differ in.

use super::endpoint::of;
use crate::contract::schema::answer::Accepted;
use crate::contract::schema::entity::{Deleted, Epic, Member, Project, Sprint, Task};
use crate::contract::schema::http::Page;
use crate::contract::schema::{Describe, command as said};
use crate::domain::Kind;

/// What endpoints about entities of a kind differ in.
pub(super) struct Family {
    pub(super) kind: Kind,
    /// In paths and groups.
    pub(super) plural: &'static str,
    /// `/projects/{projectId}/tasks`
    pub(super) all: &'static str,
    /// `/projects/{projectId}/tasks/{taskId}`
    pub(super) one: &'static str,
    pub(super) read: Describe,
    pub(super) listed: Describe,
    pub(super) accepted: Describe,
    pub(super) deleted: Describe,
    pub(super) new: Describe,
    pub(super) change: Describe,
    pub(super) filters: &'static [(&'static str, &'static str)],
}

const OF_STATUS: (&str, &str) = ("status", "Only those with this status.");
const OF_TEXT: (&str, &str) = (
    "q",
    "Only those with this text in the title or the description, whatever the case (on SQLite: of the letters A to Z).",
);

/// The events by which entities are made, changed and deleted, and what that is called.
pub(super) struct Verbs {
    pub(super) create: (&'static str, &'static str),
    pub(super) update: (&'static str, &'static str),
    pub(super) delete: (&'static str, &'static str),
}

/// One of each kind.
pub(super) fn all() -> [Family; 5] {
    [projects(), tasks(), epics(), sprints(), members()]
}

fn projects() -> Family {
    Family {
        kind: Kind::Project,
        plural: "projects",
        all: "/projects",
        one: "/projects/{projectId}",
        read: of::<Project>,
        listed: of::<Page<Project>>,
        accepted: of::<Accepted<Project>>,
        deleted: of::<Accepted<Deleted<Project>>>,
        new: of::<said::ProjectCreate>,
        change: of::<said::ProjectChange>,
        filters: &[OF_TEXT],
    }
}

fn tasks() -> Family {
    Family {
        kind: Kind::Task,
        plural: "tasks",
        all: "/projects/{projectId}/tasks",
        one: "/projects/{projectId}/tasks/{taskId}",
        read: of::<Task>,
        listed: of::<Page<Task>>,
        accepted: of::<Accepted<Task>>,
        deleted: of::<Accepted<Deleted<Task>>>,
        new: of::<said::NewTask>,
        change: of::<said::TaskChange>,
        filters: &[
            OF_STATUS,
            ("sprintId", "Only those in this sprint."),
            ("epicId", "Only those of this epic."),
            (
                "assignee",
                "Only those of this person: assignee, assigneeId or assignedTo.",
            ),
            OF_TEXT,
        ],
    }
}

fn epics() -> Family {
    Family {
        kind: Kind::Epic,
        plural: "epics",
        all: "/projects/{projectId}/epics",
        one: "/projects/{projectId}/epics/{epicId}",
        read: of::<Epic>,
        listed: of::<Page<Epic>>,
        accepted: of::<Accepted<Epic>>,
        deleted: of::<Accepted<Deleted<Epic>>>,
        new: of::<said::NewEpic>,
        change: of::<said::EpicChange>,
        filters: &[OF_STATUS, OF_TEXT],
    }
}

fn sprints() -> Family {
    Family {
        kind: Kind::Sprint,
        plural: "sprints",
        all: "/projects/{projectId}/sprints",
        one: "/projects/{projectId}/sprints/{sprintId}",
        read: of::<Sprint>,
        listed: of::<Page<Sprint>>,
        accepted: of::<Accepted<Sprint>>,
        deleted: of::<Accepted<Deleted<Sprint>>>,
        new: of::<said::NewSprint>,
        change: of::<said::SprintChange>,
        filters: &[OF_STATUS, OF_TEXT],
    }
}

fn members() -> Family {
    Family {
        kind: Kind::Member,
        plural: "members",
        all: "/projects/{projectId}/members",
        one: "/projects/{projectId}/members/{userId}",
        read: of::<Member>,
        listed: of::<Page<Member>>,
        accepted: of::<Accepted<Member>>,
        deleted: of::<Accepted<Deleted<Member>>>,
        new: of::<said::NewMember>,
        change: of::<said::MemberChange>,
        filters: &[],
    }
}

pub(super) const fn verbs(kind: Kind) -> Verbs {
    match kind {
        Kind::Project => Verbs {
            create: ("project:create", "create"),
            update: ("project:update", "update"),
            delete: ("project:delete", "delete"),
        },
        Kind::Task => Verbs {
            create: ("task:create", "create"),
            update: ("task:update", "update"),
            delete: ("task:delete", "delete"),
        },
        Kind::Epic => Verbs {
            create: ("epic:create", "create"),
            update: ("epic:update", "update"),
            delete: ("epic:delete", "delete"),
        },
        Kind::Sprint => Verbs {
            create: ("sprint:create", "create"),
            update: ("sprint:update", "update"),
            delete: ("sprint:delete", "delete"),
        },
        Kind::Member => Verbs {
            create: ("member:add", "add"),
            update: ("member:role", "change"),
            delete: ("member:remove", "remove"),
        },
    }
}

//! What the endpoints of the kinds of entities differ in.

use schemars::JsonSchema;

use crate::contract::schema::answer::{Accepted, Page};
use crate::contract::schema::entity::{Comment, Deleted, Epic, Member, Project, Sprint, Task};
use crate::contract::schema::{Describe, command as said};
use crate::domain::Kind;
use crate::transport::http::endpoint::of;

/// What endpoints about entities of a kind differ in.
pub(super) struct Resource {
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

/// One of each kind.
pub(super) fn all() -> [Resource; 6] {
    [
        Resource {
            filters: &[OF_TEXT],
            ..family::<Project, said::ProjectCreate, said::ProjectChange>(
                Kind::Project,
                "projects",
                ["/projects", "/projects/{projectId}"],
            )
        },
        tasks(),
        Resource {
            filters: &[OF_STATUS, OF_TEXT],
            ..family::<Epic, said::NewEpic, said::EpicChange>(
                Kind::Epic,
                "epics",
                [
                    "/projects/{projectId}/epics",
                    "/projects/{projectId}/epics/{epicId}",
                ],
            )
        },
        Resource {
            filters: &[OF_STATUS, OF_TEXT],
            ..family::<Sprint, said::NewSprint, said::SprintChange>(
                Kind::Sprint,
                "sprints",
                [
                    "/projects/{projectId}/sprints",
                    "/projects/{projectId}/sprints/{sprintId}",
                ],
            )
        },
        comments(),
        family::<Member, said::NewMember, said::MemberChange>(
            Kind::Member,
            "members",
            [
                "/projects/{projectId}/members",
                "/projects/{projectId}/members/{userId}",
            ],
        ),
    ]
}

fn tasks() -> Resource {
    Resource {
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
        ..family::<Task, said::NewTask, said::TaskChange>(
            Kind::Task,
            "tasks",
            [
                "/projects/{projectId}/tasks",
                "/projects/{projectId}/tasks/{taskId}",
            ],
        )
    }
}

fn comments() -> Resource {
    Resource {
        filters: &[
            ("taskId", "Only those of this task."),
            ("epicId", "Only those of this epic."),
            ("sprintId", "Only those of this sprint."),
            ("parentId", "Only those below this one."),
            OF_STATUS,
        ],
        ..family::<Comment, said::NewComment, said::CommentChange>(
            Kind::Comment,
            "comments",
            [
                "/projects/{projectId}/comments",
                "/projects/{projectId}/comments/{commentId}",
            ],
        )
    }
}

/// A kind that is described as `Entity`, and whose entities are made of a `New` and changed by a `Change`.
fn family<Entity: JsonSchema, New: JsonSchema, Change: JsonSchema>(
    kind: Kind,
    plural: &'static str,
    [all, one]: [&'static str; 2],
) -> Resource {
    Resource {
        kind,
        plural,
        all,
        one,
        read: of::<Entity>,
        listed: of::<Page<Entity>>,
        accepted: of::<Accepted<Entity>>,
        deleted: of::<Accepted<Deleted<Entity>>>,
        new: of::<New>,
        change: of::<Change>,
        filters: &[],
    }
}

/// By which event entities of a kind are brought back, and where.
pub(super) const fn restore(kind: Kind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        Kind::Project => ("project:restore", "/projects/{projectId}/restore"),
        Kind::Task => (
            "task:restore",
            "/projects/{projectId}/tasks/{taskId}/restore",
        ),
        Kind::Epic => (
            "epic:restore",
            "/projects/{projectId}/epics/{epicId}/restore",
        ),
        Kind::Sprint => (
            "sprint:restore",
            "/projects/{projectId}/sprints/{sprintId}/restore",
        ),
        Kind::Comment => (
            "comment:restore",
            "/projects/{projectId}/comments/{commentId}/restore",
        ),
        Kind::Member | Kind::Other(_) => return None,
    })
}

/// By which event entities of a kind are toggled, and where.
pub(super) const fn toggle(kind: Kind) -> Option<(&'static str, &'static str)> {
    Some(match kind {
        Kind::Task => ("task:toggle", "/projects/{projectId}/tasks/{taskId}/toggle"),
        Kind::Epic => ("epic:toggle", "/projects/{projectId}/epics/{epicId}/toggle"),
        Kind::Sprint => (
            "sprint:toggle",
            "/projects/{projectId}/sprints/{sprintId}/toggle",
        ),
        Kind::Comment => (
            "comment:toggle",
            "/projects/{projectId}/comments/{commentId}/toggle",
        ),
        Kind::Project | Kind::Member | Kind::Other(_) => return None,
    })
}

/// The events by which entities are made, changed and deleted, and what that is called.
pub(super) const fn verbs(kind: Kind) -> [(&'static str, &'static str); 3] {
    let [create, update, delete] = match kind {
        Kind::Project => ["project:create", "project:update", "project:delete"],
        Kind::Task => ["task:create", "task:update", "task:delete"],
        Kind::Epic => ["epic:create", "epic:update", "epic:delete"],
        Kind::Sprint => ["sprint:create", "sprint:update", "sprint:delete"],
        // Those of declared kinds have endpoints of their own.
        Kind::Comment | Kind::Other(_) => ["comment:create", "comment:update", "comment:delete"],
        Kind::Member => {
            return [
                ("member:add", "add"),
                ("member:role", "change"),
                ("member:remove", "remove"),
            ];
        }
    };
    [(create, "create"), (update, "update"), (delete, "delete")]
}

//! What clients send, in the form that is documented; the server understands many more.

use schemars::JsonSchema;
use serde_json::Value;

use super::entity::{CommentFields, EpicFields, OtherFields, SprintFields, TaskFields};
use super::types::{Fields, Id, Usually, wire};
use crate::domain::Role;

/// What something is called.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Title {
    /// Usually.
    Text(String),
    /// Kept as it is.
    Number(f64),
}

/// A point in a history.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Since {
    /// A cursor, as it came.
    Cursor(String),
    /// The seq of the last event seen.
    Seq(#[schemars(range(min = 0))] i64),
}

wire! {
    /// What any command may say besides.
    Options {
        /// A command with a key has one effect however often it is sent.
        #[schemars(length(max = 128))]
        idempotency_key: Option<String>,
    }

    /// What a change may say besides.
    ChangeOptions {
        /// The version that the sender had before its eyes: what somebody else has changed since is not overwritten.
        expected_version: Option<i64>,
        ..options: Options,
    }

    /// Which project: may be missing if the connection has joined one only, or if one of them alone has that id.
    Where {
        /// The project.
        project_id: Option<Id>,
    }

    /// `join:project`
    Join {
        /// The project.
        project_id: Id,
        /// Events after this come before any others.
        since: Option<Since>,
        /// Whether the answer should carry the state.
        snapshot: Option<bool>,
        /// Whether the answer should carry the first events after `since`.
        events: Option<bool>,
        /// Whether the client is told who comes and goes: `presence:join`, `presence:update`, `presence:leave`.
        presence: Option<bool>,
    }

    /// `join:projects`, `leave:projects`: the list of projects, or these projects.
    ProjectList {
        /// Projects, in place of the list.
        #[schemars(length(min = 1, max = 256))]
        project_ids: Option<Vec<Id>>,
        /// Only events of these types.
        #[schemars(length(min = 1, max = 16))]
        types: Option<Vec<String>>,
        /// Events after this come before any others.
        since: Option<Since>,
    }

    /// `leave:project`
    ProjectRef {
        /// The project.
        project_id: Id,
    }

    /// `project:snapshot`
    SnapshotPage {
        /// The project.
        project_id: Id,
        /// The `nextPage` of the page before; the first page, or all of a small state, without it.
        page: Option<String>,
    }

    /// `project:sync`
    Sync {
        /// The project.
        project_id: Id,
        /// The point; from the beginning if there is none.
        since: Option<Since>,
        /// Most events of the answer: 200, or up to 500.
        limit: Option<u64>,
    }

    /// Which part of a list.
    ListPart {
        /// The `nextCursor` of the page before; the first page without it.
        cursor: Option<String>,
        /// Most items: 100, or up to 500.
        #[schemars(range(min = 1, max = 500))]
        limit: Option<u64>,
        /// Only what has this text in its title or description.
        q: Option<String>,
    }

    /// `project:list`
    ListedProjects {
        ..part: ListPart,
    }

    /// `task:list`
    TaskList {
        ..place: Where,
        /// Only those with this status.
        status: Option<String>,
        /// Only those in this sprint.
        sprint_id: Option<Id>,
        /// Only those of this epic.
        epic_id: Option<Id>,
        /// Only those of this person: by `assignee`, `assigneeId` or `assignedTo`.
        assignee: Option<Id>,
        ..part: ListPart,
    }

    /// `epic:list`, `sprint:list`
    PlanList {
        ..place: Where,
        /// Only those with this status.
        status: Option<String>,
        ..part: ListPart,
    }

    /// `member:list`
    MemberList {
        ..place: Where,
        ..part: ListPart,
    }

    /// What entities that belong to others are listed by.
    BelongingList {
        ..place: Where,
        /// Only those of this task.
        task_id: Option<Id>,
        /// Only those of this epic.
        epic_id: Option<Id>,
        /// Only those of this sprint.
        sprint_id: Option<Id>,
        /// Only those below this one.
        parent_id: Option<Id>,
        /// Only those with this status.
        status: Option<String>,
        ..part: ListPart,
    }

    /// `comment:list`; a bare id is that of a task.
    CommentList {
        ..belonging: BelongingList,
    }

    /// The list of a declared kind, such as `subtask:list`.
    OtherList {
        ..belonging: BelongingList,
    }

    /// `auth:refresh`
    Refresh {
        /// A new token of the same user.
        token: String,
    }

    /// What clients say of a new project.
    NewProject {
        /// What it is called.
        title: Option<Title>,
        ..more: Fields,
    }

    /// `project:create`
    ProjectCreate {
        /// Its id; made by the server if it is missing. With authentication only some may choose it.
        project_id: Option<Id>,
        ..new: NewProject,
        ..options: Options,
    }

    /// What may change of a project. Fields that are not sent stay.
    ProjectChange {
        /// What it is called.
        title: Option<Usually<String>>,
        ..options: ChangeOptions,
        ..more: Fields,
    }

    /// `project:update`
    ProjectUpdate {
        /// The project.
        project_id: Id,
        ..change: ProjectChange,
    }

    /// `project:delete`
    ProjectDelete {
        /// The project.
        project_id: Id,
        ..options: Options,
    }
}

/// Declares what clients say of entities of a kind.
macro_rules! of_kind {
    (
        $kind:literal, $a_kind:literal, $id:ident, $fields:ty;
        $new:ident, $create:ident, $change:ident;
        $(#[$about_update:meta])* $update:ident;
        $(#[$about_ref:meta])* $ref:ident;
        $(#[$about_toggle:meta])* $toggle:ident;
    ) => {
        wire! {
            #[doc = concat!("What clients say of a new ", $kind, ".")]
            $new {
                /// Its id; a `UUIDv7` if it is missing.
                id: Option<Id>,
                /// What it is called.
                title: Option<Title>,
                ..fields: $fields,
            }

            #[doc = concat!("`", $kind, ":create`")]
            $create {
                /// The project.
                project_id: Id,
                ..new: $new,
                ..options: Options,
            }

            #[doc = concat!("What may change of ", $a_kind, ". Fields that are not sent stay.")]
            $change {
                /// What it is called.
                title: Option<Usually<String>>,
                ..fields: $fields,
                ..options: ChangeOptions,
            }

            $(#[$about_update])*
            $update {
                #[doc = concat!("The ", $kind, ".")]
                $id: Id,
                ..place: Where,
                ..change: $change,
            }

            $(#[$about_ref])*
            $ref {
                #[doc = concat!("The ", $kind, ".")]
                $id: Id,
                ..place: Where,
                ..options: Options,
            }

            $(#[$about_toggle])*
            $toggle {
                #[doc = concat!("The ", $kind, ".")]
                $id: Id,
                ..place: Where,
                ..toggled: Toggled,
            }
        }
    };
}

of_kind! {
    "task", "a task", task_id, TaskFields;
    NewTask, TaskCreate, TaskChange;
    /// `task:update`
    TaskUpdate;
    /// `task:delete`, `task:restore`
    TaskRef;
    /// `task:toggle`
    TaskToggle;
}

of_kind! {
    "epic", "an epic", epic_id, EpicFields;
    NewEpic, EpicCreate, EpicChange;
    /// `epic:update`
    EpicUpdate;
    /// `epic:delete`, `epic:restore`
    EpicRef;
    /// `epic:toggle`
    EpicToggle;
}

of_kind! {
    "sprint", "a sprint", sprint_id, SprintFields;
    NewSprint, SprintCreate, SprintChange;
    /// `sprint:update`, `sprint:start`
    SprintUpdate;
    /// `sprint:delete`, `sprint:restore`
    SprintRef;
    /// `sprint:toggle`
    SprintToggle;
}

of_kind! {
    "comment", "a comment", comment_id, CommentFields;
    NewComment, CommentCreate, CommentChange;
    /// `comment:update`
    CommentUpdate;
    /// `comment:delete`, `comment:restore`
    CommentRef;
    /// `comment:toggle`
    CommentToggle;
}

of_kind! {
    "entity", "an entity", id, OtherFields;
    NewOther, OtherCreate, OtherChange;
    /// A change of an entity of a declared kind.
    OtherUpdate;
    /// An entity of a declared kind that is deleted, or brought back.
    OtherRef;
    /// A toggle of an entity of a declared kind.
    OtherToggle;
}

wire! {
    /// Which field is toggled.
    Toggled {
        /// The field; without it, the one that says whether it is done, or else `completed`.
        field: Option<String>,
        /// What it is to be, instead of the opposite.
        completed: Option<bool>,
        ..options: ChangeOptions,
    }

    /// Somebody who is to belong to a project.
    NewMember {
        /// Who, as tokens say it.
        user_id: Id,
        /// As what; `member` if it is missing.
        role: Option<Role>,
        ..options: Options,
        ..more: Fields,
    }

    /// What may change of a member. Fields that are not sent stay.
    MemberChange {
        /// As what.
        role: Option<Role>,
        ..options: ChangeOptions,
        ..more: Fields,
    }

    /// Another status.
    StatusChange {
        /// What the status is to be.
        #[schemars(length(min = 1))]
        status: String,
        ..options: ChangeOptions,
    }

    /// `task:status`
    TaskStatus {
        /// The task.
        task_id: Id,
        ..place: Where,
        ..change: StatusChange,
    }

    /// Where a task is put. Neighbours count more than a position.
    TaskPlace {
        /// Directly before this task.
        before_id: Option<Id>,
        /// Directly after this task.
        after_id: Option<Id>,
        /// At this index, from 0, among the other tasks of its column and sprint; what is no index is kept as a field.
        position: Option<Usually<u64>>,
        ..fields: TaskFields,
        ..options: ChangeOptions,
    }

    /// `task:move`
    TaskMove {
        /// The task.
        task_id: Id,
        ..place: Where,
        ..to: TaskPlace,
    }

    /// Several commands in one message: `tasks:update`, `task:bulk_update`, `tasks:reorder`
    Bulk {
        /// The project; without it the one that the connection has joined.
        project_id: Option<Id>,
        /// An object for each.
        #[schemars(length(min = 1, max = 100))]
        tasks: Option<Vec<Value>>,
        /// Their ids, to each of which the rest of the message applies; of a reorder, their order.
        #[schemars(length(min = 1, max = 100))]
        task_ids: Option<Vec<Id>>,
        ..more: Fields,
    }

    /// Where one task of a completed sprint goes.
    SprintMove {
        /// The task.
        task_id: Id,
        /// `backlog`, `next`, or the id of a sprint.
        target: Id,
    }

    /// How a sprint ends.
    SprintEnd {
        /// Where its unfinished tasks go: to no sprint (`backlog`, the default), nowhere (`keep`), to the next one (`next`), or
        /// to the sprint with this id.
        move_to: Option<Id>,
        /// Tasks that go elsewhere.
        #[schemars(length(max = 200))]
        moves: Option<Vec<SprintMove>>,
        /// Statuses that are finished besides the usual ones and those of the project.
        #[schemars(length(max = 100))]
        done_statuses: Option<Vec<String>>,
        ..change: SprintChange,
    }

    /// `sprint:complete`
    SprintComplete {
        /// The sprint.
        sprint_id: Id,
        ..place: Where,
        ..end: SprintEnd,
    }

    /// `member:add`
    MemberAdd {
        /// The project.
        project_id: Id,
        ..new: NewMember,
    }

    /// `member:role`
    MemberRole {
        /// Who.
        user_id: Id,
        /// As what.
        role: Role,
        ..place: Where,
        ..options: ChangeOptions,
        ..more: Fields,
    }

    /// `member:remove`
    MemberRemove {
        /// Who.
        user_id: Id,
        ..place: Where,
        ..options: Options,
    }

    /// `typing`, and whether it has begun or ended by `typing:start` and `typing:stop`.
    Typing {
        /// The project; may be missing if the connection has joined one only.
        project_id: Option<Id>,
        /// The task that it is about.
        task_id: Option<Id>,
        /// Whether somebody is.
        is_typing: Option<bool>,
        ..more: Fields,
    }

    /// `task:editing`, and whether it has begun or ended by `task:editing:start` and `task:editing:stop`.
    Editing {
        /// The project; may be missing if the connection has joined one only.
        project_id: Option<Id>,
        /// The task.
        task_id: Option<Id>,
        /// Whether somebody is.
        is_editing: Option<bool>,
        ..more: Fields,
    }

    /// `presence:update`: what somebody says of themselves, in place of what they said before.
    PresenceUpdate {
        /// The project; may be missing if the connection has joined one only.
        project_id: Option<Id>,
        ..more: Fields,
    }
}

/// A channel, or several.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Channels {
    /// One.
    One(ChannelName),
    /// Several, at most 256.
    Many(#[schemars(length(min = 1, max = 256))] Vec<ChannelName>),
}

/// The name of a channel: `project:<id>`, `user:<id>`, `session:<id>`, `agent:<id>`, `workflow:<id>`, `agent:*`,
/// `workflow:*`, or any other without spaces, commas and `*`.
#[derive(JsonSchema)]
#[serde(transparent)]
pub struct ChannelName(#[schemars(length(min = 1, max = 263))] pub String);

wire! {
    /// `subscribe`: one channel or several.
    Subscribe {
        ..named: Unsubscribe,
        /// Only events of these types.
        #[schemars(length(min = 1, max = 16))]
        types: Option<Vec<String>>,
        /// Events after this come before any others. A seq is understood if there is one channel.
        since: Option<Since>,
        /// Whether the client is told who comes and goes in them, if they are projects.
        presence: Option<bool>,
    }

    /// `unsubscribe`: one channel or several.
    Unsubscribe {
        /// A channel.
        channel: Option<ChannelName>,
        /// Channels, in its place.
        #[schemars(length(min = 1, max = 256))]
        channels: Option<Vec<ChannelName>>,
    }

    /// Something that is to be told on a channel.
    Publish {
        /// The channel.
        #[schemars(length(min = 1, max = 263))]
        channel: String,
        /// What happened.
        #[serde(rename = "type")]
        #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_.:/-]+$"))]
        event_type: String,
        /// What there is to say: an empty object if it is missing.
        data: Option<Value>,
        /// On `broadcast` and `client:<id>`: what ties it to what it answers, passed on as it is.
        #[schemars(length(min = 1, max = 256))]
        correlation_id: Option<String>,
        /// On `broadcast`: which of the clients are meant.
        r#where: Option<Condition>,
        ..options: Options,
    }

    /// Clients of which all of this holds.
    Condition {
        /// Subscribed to a channel, or to one of several.
        subscribed: Option<OneOrMore>,
        /// Of a type, or of one of several, as the client says in its handshake.
        client_type: Option<OneOrMore>,
        /// Of a version, as the client says in its handshake: after <, <=, =, >= or >, such as `<2.0` or `>=1.2 <2`.
        version: Option<String>,
        /// Of a user.
        user_id: Option<Id>,
        /// In a session.
        session_id: Option<Id>,
    }
}

/// A text, or a list of 1 to 256.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(#[schemars(length(min = 1))] String),
    /// Each will do.
    Several(#[schemars(length(min = 1, max = 256))] Vec<String>),
}

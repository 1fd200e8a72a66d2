//! What clients send, in the form that is documented; the server understands many more.

use schemars::JsonSchema;
use serde_json::Value;

use super::entity::{EpicFields, Role, SprintFields, TaskFields};
use super::kit::{Fields, Id, Usually};

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

/// What any command may say besides.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Options {
    /// A command with a key has one effect however often it is sent.
    #[schemars(length(max = 128))]
    pub idempotency_key: Option<String>,
}

/// What a change may say besides.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangeOptions {
    /// The version that the sender had before its eyes: what somebody else has changed since is not overwritten.
    pub expected_version: Option<i64>,
    /// See there.
    #[serde(flatten)]
    pub options: Options,
}

/// Which project: may be missing if the connection has joined one only, or if one of them alone has that id.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Where {
    /// The project.
    pub project_id: Option<Id>,
}

/// `join:project`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Join {
    /// The project.
    pub project_id: Id,
    /// Events after this come before any others.
    pub since: Option<Since>,
    /// Whether the answer should carry the state.
    pub snapshot: Option<bool>,
    /// Whether the answer should carry the first events after `since`.
    pub events: Option<bool>,
}

/// `leave:project`, `project:snapshot`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectRef {
    /// The project.
    pub project_id: Id,
}

/// `project:sync`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sync {
    /// The project.
    pub project_id: Id,
    /// The point; from the beginning if there is none.
    pub since: Option<Since>,
    /// Most events of the answer: 200, or up to 500.
    pub limit: Option<u64>,
}

/// `auth:refresh`
#[derive(JsonSchema)]
pub struct Refresh {
    /// A new token of the same user.
    pub token: String,
}

/// What clients say of a new project.
#[derive(JsonSchema)]
pub struct NewProject {
    /// What it is called.
    pub title: Option<Title>,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
}

/// `project:create`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectCreate {
    /// Its id; made by the server if it is missing. With authentication only some may choose it.
    pub project_id: Option<Id>,
    /// What to say of it.
    #[serde(flatten)]
    pub new: NewProject,
    /// See there.
    #[serde(flatten)]
    pub options: Options,
}

/// What may change of a project. Fields that are not sent stay.
#[derive(JsonSchema)]
pub struct ProjectChange {
    /// What it is called.
    pub title: Option<Usually<String>>,
    /// See there.
    #[serde(flatten)]
    pub options: ChangeOptions,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
}

/// `project:update`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectUpdate {
    /// The project.
    pub project_id: Id,
    /// What changes.
    #[serde(flatten)]
    pub change: ProjectChange,
}

/// `project:delete`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectDelete {
    /// The project.
    pub project_id: Id,
    /// See there.
    #[serde(flatten)]
    pub options: Options,
}

/// What clients say of a new task.
#[derive(JsonSchema)]
pub struct NewTask {
    /// Its id; a `UUIDv7` if it is missing.
    pub id: Option<Id>,
    /// What it is called.
    pub title: Option<Title>,
    /// What to say of it.
    #[serde(flatten)]
    pub fields: TaskFields,
}

/// `task:create`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskCreate {
    /// The project.
    pub project_id: Id,
    /// What to say of it.
    #[serde(flatten)]
    pub new: NewTask,
    /// See there.
    #[serde(flatten)]
    pub options: Options,
}

/// What may change of a task. Fields that are not sent stay.
#[derive(JsonSchema)]
pub struct TaskChange {
    /// What it is called.
    pub title: Option<Usually<String>>,
    /// What else.
    #[serde(flatten)]
    pub fields: TaskFields,
    /// See there.
    #[serde(flatten)]
    pub options: ChangeOptions,
}

/// `task:update`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskUpdate {
    /// The task.
    pub task_id: Id,
    /// Where it is.
    #[serde(flatten)]
    pub place: Where,
    /// What changes.
    #[serde(flatten)]
    pub change: TaskChange,
}

/// `task:delete`, `task:restore`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskRef {
    /// The task.
    pub task_id: Id,
    /// Where it is.
    #[serde(flatten)]
    pub place: Where,
    /// See there.
    #[serde(flatten)]
    pub options: Options,
}

/// `task:status`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskStatus {
    /// The task.
    pub task_id: Id,
    /// What its status is to be.
    #[schemars(length(min = 1))]
    pub status: String,
    /// Where it is.
    #[serde(flatten)]
    pub place: Where,
    /// See there.
    #[serde(flatten)]
    pub options: ChangeOptions,
}

/// Where a task is put. Neighbours count more than a position.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskPlace {
    /// Directly before this task.
    pub before_id: Option<Id>,
    /// Directly after this task.
    pub after_id: Option<Id>,
    /// At this index, from 0, among the other tasks with its status and sprint.
    pub position: Option<u64>,
    /// The fields that change with it, such as `status` and `sprintId`.
    #[serde(flatten)]
    pub fields: TaskFields,
    /// See there.
    #[serde(flatten)]
    pub options: ChangeOptions,
}

/// `task:move`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskMove {
    /// The task.
    pub task_id: Id,
    /// Where it is.
    #[serde(flatten)]
    pub place: Where,
    /// Where it is put.
    #[serde(flatten)]
    pub to: TaskPlace,
}

/// What clients say of a new epic.
#[derive(JsonSchema)]
pub struct NewEpic {
    /// Its id; a `UUIDv7` if it is missing.
    pub id: Option<Id>,
    /// What it is called.
    pub title: Option<Title>,
    /// What to say of it.
    #[serde(flatten)]
    pub fields: EpicFields,
}

/// `epic:create`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EpicCreate {
    /// The project.
    pub project_id: Id,
    /// What to say of it.
    #[serde(flatten)]
    pub new: NewEpic,
    /// See there.
    #[serde(flatten)]
    pub options: Options,
}

/// What may change of an epic. Fields that are not sent stay.
#[derive(JsonSchema)]
pub struct EpicChange {
    /// What it is called.
    pub title: Option<Usually<String>>,
    /// What else.
    #[serde(flatten)]
    pub fields: EpicFields,
    /// See there.
    #[serde(flatten)]
    pub options: ChangeOptions,
}

/// `epic:update`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EpicUpdate {
    /// The epic.
    pub epic_id: Id,
    /// Where it is.
    #[serde(flatten)]
    pub place: Where,
    /// What changes.
    #[serde(flatten)]
    pub change: EpicChange,
}

/// `epic:delete`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EpicRef {
    /// The epic.
    pub epic_id: Id,
    /// Where it is.
    #[serde(flatten)]
    pub place: Where,
    /// See there.
    #[serde(flatten)]
    pub options: Options,
}

/// What clients say of a new sprint.
#[derive(JsonSchema)]
pub struct NewSprint {
    /// Its id; a `UUIDv7` if it is missing.
    pub id: Option<Id>,
    /// What it is called.
    pub title: Option<Title>,
    /// What to say of it.
    #[serde(flatten)]
    pub fields: SprintFields,
}

/// `sprint:create`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SprintCreate {
    /// The project.
    pub project_id: Id,
    /// What to say of it.
    #[serde(flatten)]
    pub new: NewSprint,
    /// See there.
    #[serde(flatten)]
    pub options: Options,
}

/// What may change of a sprint. Fields that are not sent stay.
#[derive(JsonSchema)]
pub struct SprintChange {
    /// What it is called.
    pub title: Option<Usually<String>>,
    /// What else.
    #[serde(flatten)]
    pub fields: SprintFields,
    /// See there.
    #[serde(flatten)]
    pub options: ChangeOptions,
}

/// `sprint:update`, `sprint:start`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SprintUpdate {
    /// The sprint.
    pub sprint_id: Id,
    /// Where it is.
    #[serde(flatten)]
    pub place: Where,
    /// What changes.
    #[serde(flatten)]
    pub change: SprintChange,
}

/// `sprint:delete`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SprintRef {
    /// The sprint.
    pub sprint_id: Id,
    /// Where it is.
    #[serde(flatten)]
    pub place: Where,
    /// See there.
    #[serde(flatten)]
    pub options: Options,
}

/// How a sprint ends.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SprintEnd {
    /// Where its unfinished tasks go: to no sprint (`backlog`, the default), nowhere (`keep`), or to the sprint with
    /// this id.
    pub move_to: Option<Id>,
    /// What changes besides.
    #[serde(flatten)]
    pub change: SprintChange,
}

/// `sprint:complete`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SprintComplete {
    /// The sprint.
    pub sprint_id: Id,
    /// Where it is.
    #[serde(flatten)]
    pub place: Where,
    /// How it ends.
    #[serde(flatten)]
    pub end: SprintEnd,
}

/// `member:add`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberAdd {
    /// The project.
    pub project_id: Id,
    /// Who, as tokens say it.
    pub user_id: Id,
    /// As what; `member` if it is missing.
    pub role: Option<Role>,
    /// See there.
    #[serde(flatten)]
    pub options: Options,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
}

/// `member:role`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberRole {
    /// Who.
    pub user_id: Id,
    /// As what.
    pub role: Role,
    /// The project.
    #[serde(flatten)]
    pub place: Where,
    /// See there.
    #[serde(flatten)]
    pub options: ChangeOptions,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
}

/// `member:remove`
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberRemove {
    /// Who.
    pub user_id: Id,
    /// The project.
    #[serde(flatten)]
    pub place: Where,
    /// See there.
    #[serde(flatten)]
    pub options: Options,
}

/// `typing`, and whether it has begun or ended by `typing:start` and `typing:stop`.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Typing {
    /// The project; may be missing if the connection has joined one only.
    pub project_id: Option<Id>,
    /// The task that it is about.
    pub task_id: Option<Id>,
    /// Whether somebody is.
    pub is_typing: Option<bool>,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
}

/// `task:editing`, and whether it has begun or ended by `task:editing:start` and `task:editing:stop`.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Editing {
    /// The project; may be missing if the connection has joined one only.
    pub project_id: Option<Id>,
    /// The task.
    pub task_id: Option<Id>,
    /// Whether somebody is.
    pub is_editing: Option<bool>,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
}

/// `presence:update`: what somebody says of themselves, in place of what they said before.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresenceUpdate {
    /// The project; may be missing if the connection has joined one only.
    pub project_id: Option<Id>,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
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
pub struct ChannelName(#[schemars(length(min = 1, max = 128))] pub String);

/// `subscribe`: one channel or several.
#[derive(JsonSchema)]
pub struct Subscribe {
    /// A channel.
    pub channel: Option<ChannelName>,
    /// Channels, in its place.
    #[schemars(length(min = 1, max = 256))]
    pub channels: Option<Vec<ChannelName>>,
    /// Only events of these types.
    #[schemars(length(min = 1, max = 16))]
    pub types: Option<Vec<String>>,
    /// Events after this come before any others. A seq is understood if there is one channel.
    pub since: Option<Since>,
}

/// `unsubscribe`: one channel or several.
#[derive(JsonSchema)]
pub struct Unsubscribe {
    /// A channel.
    pub channel: Option<ChannelName>,
    /// Channels, in its place.
    #[schemars(length(min = 1, max = 256))]
    pub channels: Option<Vec<ChannelName>>,
}

/// Something that is to be told on a channel.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Publish {
    /// The channel.
    #[schemars(length(min = 1, max = 128))]
    pub channel: String,
    /// What happened.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_.:/-]+$"))]
    pub event_type: String,
    /// What there is to say: an empty object if it is missing.
    pub data: Option<Value>,
    /// See there.
    #[serde(flatten)]
    pub options: Options,
}

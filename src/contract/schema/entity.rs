//! Entities, as answers, snapshots and lists show them.

use schemars::JsonSchema;

use super::kit::{Fields, Id, Time, Usually};

/// What the server says of every entity.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stamps {
    /// The project.
    pub project_id: Id,
    /// 1, 2, 3…: one more with each change.
    pub version: i64,
    /// When it was made.
    pub created_at: Time,
    /// Who made it.
    pub created_by: String,
    /// When it was changed last.
    pub updated_at: Time,
    /// Who changed it last.
    pub updated_by: String,
}

/// A project. Clients may add any field.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Its id.
    pub id: Id,
    /// What the server says of it.
    #[serde(flatten)]
    pub stamps: Stamps,
    /// What it is called; `name` is kept as `title`.
    pub title: Option<Usually<String>>,
    /// What else there is to say.
    pub description: Option<Usually<Option<String>>>,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
}

/// A task. Clients may add any field.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its id.
    pub id: Id,
    /// The same.
    pub task_id: Id,
    /// Its place: sort by it as text, by code units.
    pub rank: String,
    /// What the server says of it.
    #[serde(flatten)]
    pub stamps: Stamps,
    /// What it is called; `name` is kept as `title`.
    pub title: Option<Usually<String>>,
    /// What clients say of it.
    #[serde(flatten)]
    pub fields: TaskFields,
}

/// What clients usually say of a task.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskFields {
    /// What else there is to say.
    pub description: Option<Usually<Option<String>>>,
    /// The column that it is in: any text.
    pub status: Option<Usually<String>>,
    /// How important it is.
    pub priority: Option<Usually<Option<String>>>,
    /// Whose it is.
    pub assignee: Option<Usually<Option<String>>>,
    /// The epic that it belongs to.
    pub epic_id: Option<Usually<Option<Id>>>,
    /// The sprint that it is in.
    pub sprint_id: Option<Usually<Option<Id>>>,
    /// How much work it is.
    pub story_points: Option<Usually<Option<f64>>>,
    /// When it should be done.
    pub due_date: Option<Usually<Option<String>>>,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
}

/// An epic. Clients may add any field.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Epic {
    /// Its id.
    pub id: Id,
    /// The same.
    pub epic_id: Id,
    /// What the server says of it.
    #[serde(flatten)]
    pub stamps: Stamps,
    /// What it is called; `name` is kept as `title`.
    pub title: Option<Usually<String>>,
    /// What clients say of it.
    #[serde(flatten)]
    pub fields: EpicFields,
}

/// What clients usually say of an epic.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EpicFields {
    /// What else there is to say.
    pub description: Option<Usually<Option<String>>>,
    /// How far it is: any text.
    pub status: Option<Usually<String>>,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
}

/// A sprint. Clients may add any field.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sprint {
    /// Its id.
    pub id: Id,
    /// The same.
    pub sprint_id: Id,
    /// What the server says of it.
    #[serde(flatten)]
    pub stamps: Stamps,
    /// What it is called; `name` is kept as `title`.
    pub title: Option<Usually<String>>,
    /// What clients say of it.
    #[serde(flatten)]
    pub fields: SprintFields,
}

/// What clients usually say of a sprint.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SprintFields {
    /// What it is to reach.
    pub goal: Option<Usually<Option<String>>>,
    /// `active` after its start, `completed` after its end; otherwise any text.
    pub status: Option<Usually<String>>,
    /// When it begins.
    pub start_date: Option<Usually<Option<String>>>,
    /// When it ends.
    pub end_date: Option<Usually<Option<String>>>,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
}

/// Somebody who belongs to a project. Clients may add any field.
#[derive(JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Who, as tokens say it.
    pub id: Id,
    /// The same.
    pub user_id: Id,
    /// As what.
    pub role: Role,
    /// What the server says of it.
    #[serde(flatten)]
    pub stamps: Stamps,
    /// Any field.
    #[serde(flatten)]
    pub more: Fields,
}

/// A role in a project. Each may do what those before it may.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything and changes nothing.
    Viewer,
    /// Works on tasks, epics and sprints.
    Member,
    /// Describes the project and says who belongs to it.
    Admin,
    /// Deletes the project and makes other owners.
    Owner,
}

/// An entity that has been deleted, as it was.
#[derive(JsonSchema)]
#[schemars(rename = "Deleted{T}")]
#[serde(rename_all = "camelCase")]
pub struct Deleted<T> {
    /// As it was.
    #[serde(flatten)]
    pub entity: T,
    /// When it was deleted.
    pub deleted_at: Time,
    /// Who deleted it.
    pub deleted_by: String,
}

/// Any entity.
#[derive(JsonSchema)]
#[serde(untagged)]
pub enum Entity {
    /// A task.
    Task(Task),
    /// An epic.
    Epic(Epic),
    /// A sprint.
    Sprint(Sprint),
    /// A member.
    Member(Member),
    /// A project.
    Project(Project),
}

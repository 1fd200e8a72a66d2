//! Entities, as answers, snapshots and lists show them.

use schemars::JsonSchema;

use super::types::{Fields, Id, Time, Usually, wire};
use crate::domain::Role;

wire! {
    /// What the server says of every entity.
    Stamps {
        /// The project.
        project_id: Id,
        /// 1, 2, 3…: one more with each change.
        version: i64,
        /// When it was made.
        created_at: Time,
        /// Who made it.
        created_by: String,
        /// When it was changed last.
        updated_at: Time,
        /// Who changed it last.
        updated_by: String,
    }

    /// A project. Clients may add any field.
    Project {
        /// Its id.
        id: Id,
        ..stamps: Stamps,
        /// What it is called; `name` is kept as `title`.
        title: Option<Usually<String>>,
        /// What else there is to say.
        description: Option<Usually<Option<String>>>,
        ..more: Fields,
    }

    /// A task. Clients may add any field.
    Task {
        /// Its id.
        id: Id,
        /// The same.
        task_id: Id,
        /// Its place: sort by it as text, by code units.
        rank: String,
        ..stamps: Stamps,
        /// What it is called; `name` is kept as `title`.
        title: Option<Usually<String>>,
        ..fields: TaskFields,
    }

    /// What clients usually say of a task.
    TaskFields {
        /// What else there is to say.
        description: Option<Usually<Option<String>>>,
        /// The column that it is in: any text.
        status: Option<Usually<String>>,
        /// How important it is.
        priority: Option<Usually<Option<String>>>,
        /// Whose it is.
        assignee: Option<Usually<Option<String>>>,
        /// The epic that it belongs to.
        epic_id: Option<Usually<Option<Id>>>,
        /// The sprint that it is in.
        sprint_id: Option<Usually<Option<Id>>>,
        /// How much work it is.
        story_points: Option<Usually<Option<f64>>>,
        /// When it should be done.
        due_date: Option<Usually<Option<String>>>,
        ..more: Fields,
    }

    /// An epic. Clients may add any field.
    Epic {
        /// Its id.
        id: Id,
        /// The same.
        epic_id: Id,
        ..stamps: Stamps,
        /// What it is called; `name` is kept as `title`.
        title: Option<Usually<String>>,
        ..fields: EpicFields,
    }

    /// What clients usually say of an epic.
    EpicFields {
        /// What else there is to say.
        description: Option<Usually<Option<String>>>,
        /// How far it is: any text.
        status: Option<Usually<String>>,
        ..more: Fields,
    }

    /// A sprint. Clients may add any field.
    Sprint {
        /// Its id.
        id: Id,
        /// The same.
        sprint_id: Id,
        ..stamps: Stamps,
        /// What it is called; `name` is kept as `title`.
        title: Option<Usually<String>>,
        ..fields: SprintFields,
    }

    /// What clients usually say of a sprint.
    SprintFields {
        /// What it is to reach.
        goal: Option<Usually<Option<String>>>,
        /// `active` after its start, `completed` after its end; otherwise any text.
        status: Option<Usually<String>>,
        /// When it begins.
        start_date: Option<Usually<Option<String>>>,
        /// When it ends.
        end_date: Option<Usually<Option<String>>>,
        ..more: Fields,
    }

    /// A comment. Clients may add any field.
    Comment {
        /// Its id.
        id: Id,
        /// The same.
        comment_id: Id,
        ..stamps: Stamps,
        ..fields: CommentFields,
    }

    /// What clients usually say of a comment.
    CommentFields {
        /// The task that it belongs to.
        task_id: Option<Usually<Option<Id>>>,
        /// The comment that it answers.
        parent_id: Option<Usually<Option<Id>>>,
        /// What it says.
        text: Option<Usually<String>>,
        ..more: Fields,
    }

    /// An entity of a kind that the server's configuration declares. Clients may add any field.
    OtherEntity {
        /// Its id, which stands under the name of its kind as well: `subtaskId`.
        id: Id,
        ..stamps: Stamps,
        ..fields: OtherFields,
    }

    /// What clients usually say of an entity of a declared kind.
    OtherFields {
        /// What it is called; `name` is kept as `title`.
        title: Option<Usually<String>>,
        /// The task that it belongs to.
        task_id: Option<Usually<Option<Id>>>,
        ..more: Fields,
    }

    /// Somebody who belongs to a project. Clients may add any field.
    Member {
        /// Who, as tokens say it.
        id: Id,
        /// The same.
        user_id: Id,
        /// As what.
        role: Role,
        ..stamps: Stamps,
        ..more: Fields,
    }

    /// An entity that has been deleted, as it was.
    #[schemars(rename = "Deleted{T}")]
    Deleted<T> {
        ..entity: T,
        /// When it was deleted.
        deleted_at: Time,
        /// Who deleted it.
        deleted_by: String,
    }
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
    /// A comment.
    Comment(Comment),
    /// A project.
    Project(Project),
    /// An entity of a declared kind.
    Other(OtherEntity),
}

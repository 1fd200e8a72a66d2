//! Which of a payload's keys are an entity's fields, and under which name they are kept.

use serde_json::Value;

use crate::domain::{Fields, Id, Kind};

/// What the server itself says of an entity, besides [`STAMPS`]; sent back with a full object, it is no change.
const SERVERS: [&str; 10] = [
    "projectId",
    "project_id",
    "version",
    "expectedVersion",
    "expected_version",
    "seq",
    "rank",
    "cursor",
    "id",
    "_id",
];

/// When something was made, as clients say, …
pub(super) const CREATED_AT: [&str; 2] = ["createdAt", "created_at"];
/// … and by whom.
pub(super) const CREATED_BY: [&str; 2] = ["createdBy", "created_by"];

/// When something was done, and by whom.
const STAMPS: [&str; 12] = [
    "createdAt",
    "created_at",
    "createdBy",
    "created_by",
    "updatedAt",
    "updated_at",
    "updatedBy",
    "updated_by",
    "deletedAt",
    "deleted_at",
    "deletedBy",
    "deleted_by",
];

/// Known fields that are also written with underscores.
const TWINS: [(&str, &str); 28] = [
    ("due_date", "dueDate"),
    ("start_date", "startDate"),
    ("end_date", "endDate"),
    ("epic_id", "epicId"),
    ("sprint_id", "sprintId"),
    ("assignee_id", "assigneeId"),
    ("assigned_to", "assignedTo"),
    ("reporter_id", "reporterId"),
    ("owner_id", "ownerId"),
    ("parent_id", "parentId"),
    ("column_id", "columnId"),
    ("story_points", "storyPoints"),
    ("estimated_hours", "estimatedHours"),
    ("actual_hours", "actualHours"),
    ("time_estimate", "timeEstimate"),
    ("time_spent", "timeSpent"),
    ("sort_order", "sortOrder"),
    ("order_index", "orderIndex"),
    ("completed_at", "completedAt"),
    ("started_at", "startedAt"),
    ("acceptance_criteria", "acceptanceCriteria"),
    ("blocked_by", "blockedBy"),
    ("depends_on", "dependsOn"),
    ("task_type", "taskType"),
    ("issue_type", "issueType"),
    ("is_blocked", "isBlocked"),
    ("list_id", "listId"),
    ("done_statuses", "doneStatuses"),
];

/// Other fields that entities usually have: beside one of them, or of [`TWINS`], a wrapper's name is a field.
const USUAL: [&str; 24] = [
    "title",
    "name",
    "description",
    "status",
    "priority",
    "assignee",
    "assignees",
    "labels",
    "tags",
    "color",
    "goal",
    "column",
    "listId",
    "position",
    "order",
    "points",
    "estimate",
    "progress",
    "due",
    "comments",
    "attachments",
    "subtasks",
    "checklist",
    "role",
];

/// Fields that say where a card is: beside a wrapper of its kind, or of a move, they are a part of what is said.
const PLACES: [&str; 9] = [
    "status", "sprintId", "epicId", "parentId", "columnId", "column", "listId", "position", "order",
];

/// What frontends say beside a wrapper of who sends it, and when. It is no field.
const ENVELOPE: [&str; 20] = [
    "user",
    "userId",
    "user_id",
    "userName",
    "username",
    "timestamp",
    "ts",
    "sentAt",
    "socketId",
    "socket_id",
    "clientId",
    "client_id",
    "sessionId",
    "session_id",
    "sender",
    "senderId",
    "actor",
    "actorId",
    "room",
    "event",
];

/// Whether a key is a field that entities usually have.
pub(super) fn is_usual(key: &str) -> bool {
    let name = canonical(key);
    USUAL.contains(&name) || TWINS.iter().any(|(_, camel)| *camel == name)
}

/// Whether a key says where a card is.
pub(super) fn is_place(key: &str) -> bool {
    PLACES.contains(&canonical(key))
}

/// Whether a key beside a wrapper says who sends it, or when.
pub(super) fn is_envelope(key: &str) -> bool {
    ENVELOPE.contains(&key)
}

/// Whether a key is the server's to say, and what is sent under it is no wish.
pub(super) fn is_servers(key: &str) -> bool {
    is_stamp(key) || ["seq", "rank", "cursor", "version"].contains(&key)
}

/// The keys that carry an entity's own id, in the order in which they are looked at.
pub(super) const fn id_keys(kind: Kind) -> [&'static str; 4] {
    match kind {
        Kind::Project => ["projectId", "project_id", "id", "_id"],
        Kind::Task => ["taskId", "id", "_id", "task_id"],
        Kind::Epic => ["epicId", "id", "_id", "epic_id"],
        Kind::Sprint => ["sprintId", "id", "_id", "sprint_id"],
        Kind::Member => ["userId", "user_id", "memberId", "id"],
        Kind::Comment => ["commentId", "id", "_id", "comment_id"],
        Kind::Other(kind) => [kind.id_key, "id", "_id", kind.snake_id_key],
    }
}

/// Whether a key says when something was done, or by whom.
pub(super) fn is_stamp(key: &str) -> bool {
    STAMPS.contains(&key)
}

/// The name under which the server says what is sent as a key of its own.
pub(super) fn stamp_name(key: &str) -> &str {
    match STAMPS.iter().position(|stamp| *stamp == key) {
        Some(place) => STAMPS[place - place % 2],
        None => key,
    }
}

/// The name under which a known field is kept.
pub(super) fn canonical(key: &str) -> &str {
    if !key.contains('_') {
        return key;
    }
    let twin = TWINS.iter().find(|(snake, _)| *snake == key);
    let camel = twin.map(|(_, camel)| *camel);
    camel.or_else(|| Kind::id_key_of_snake(key)).unwrap_or(key)
}

/// The payload's keys that carry an idempotency key; the first one counts.
pub(super) const IDEMPOTENCY_KEYS: [&str; 13] = [
    "idempotencyKey",
    "idempotency_key",
    "clientMutationId",
    "client_mutation_id",
    "mutationId",
    "mutation_id",
    "requestId",
    "request_id",
    "operationId",
    "operation_id",
    "nonce",
    "clientOffset",
    "client_offset",
];

/// The name that a frontend gives a new entity until it knows its id: of a create it is a key as well.
pub(super) const TEMPORARY_IDS: [&str; 4] = ["tempId", "temp_id", "temporaryId", "clientTempId"];

pub(super) const PROJECT_ID: [&str; 2] = ["projectId", "project_id"];

/// Fields that name another entity. They are given back as its id is.
const REFERENCES: [&str; 3] = ["epicId", "sprintId", "parentId"];

/// Whether a key is that of a field, and not the server's word, an id or an idempotency key.
pub(super) fn is_field(kind: Kind, key: &str) -> bool {
    !(SERVERS.contains(&key)
        || is_stamp(key)
        || id_keys(kind).contains(&key)
        || IDEMPOTENCY_KEYS.contains(&key))
}

/// The fields among the keys of an object, but for some. If both spellings of one are there, camelCase counts.
pub(super) fn fields_in(kind: Kind, source: &Fields, but: impl Fn(&str, &Value) -> bool) -> Fields {
    let mut fields = Fields::new();
    for (key, value) in source {
        if !is_field(kind, key) || but(key, value) {
            continue;
        }
        let name = match canonical(key) {
            "name" if !source.contains_key("title") => "title",
            name => name,
        };
        if name == key || !source.contains_key(name) {
            let is_reference = REFERENCES.contains(&name) || Kind::of_reference(name).is_some();
            let reference = is_reference.then(|| Id::from_json(value).ok());
            let value = reference
                .flatten()
                .map_or_else(|| value.clone(), |id| id.to_json());
            fields.insert(name.to_owned(), value);
        }
    }
    fields
}

/// The values of fields that are sent under another spelling than the one that counts: `due_date` beside
/// another `dueDate`, and every `name`. What they are worth depends on the entity.
pub(super) fn spellings_in(source: &Fields) -> Fields {
    let mut spellings = Fields::new();
    for (key, value) in source {
        if key == "name" {
            spellings.insert("title".to_owned(), value.clone());
        }
        let name = canonical(key);
        if name != key && source.get(name).is_some_and(|counts| counts != value) {
            spellings.insert(name.to_owned(), value.clone());
        }
    }
    spellings
}

/// The first of these keys that is there and not null.
pub(super) fn first<'a>(
    source: &'a Fields,
    keys: &[&'static str],
) -> Option<(&'static str, &'a Value)> {
    keys.iter().find_map(|&key| {
        let value = source.get(key).filter(|value| !value.is_null())?;
        Some((key, value))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(kind: Kind, source: &Value) -> Value {
        Value::Object(fields_in(kind, source.as_object().unwrap(), |_, _| false))
    }

    #[test]
    fn keeps_what_nobody_knows_and_drops_what_the_server_says() {
        let sent = json!({"id": 1, "_id": 1, "taskId": 1, "task_id": 1, "projectId": 1, "version": "1.2", "rank": "a",
            "seq": 3, "cursor": "c", "createdAt": 1, "updated_by": 1, "deletedAt": null, "requestId": 9,
            "expectedVersion": 3, "storyPoints": 5, "columnId": "c1", "custom_field": {"a": [1]}});
        let kept = json!({"storyPoints": 5, "columnId": "c1", "custom_field": {"a": [1]}});
        assert_eq!(fields(Kind::Task, &sent), kept);
    }

    #[test]
    fn an_id_is_a_field_of_other_kinds() {
        let sent = json!({"epicId": "e1", "sprint_id": "s1"});
        assert_eq!(
            fields(Kind::Task, &sent),
            json!({"epicId": "e1", "sprintId": "s1"})
        );
        assert_eq!(fields(Kind::Epic, &sent), json!({"sprintId": "s1"}));
        assert_eq!(fields(Kind::Sprint, &sent), json!({"epicId": "e1"}));
    }

    #[test]
    fn camel_case_counts() {
        let sent = json!({"due_date": "old", "dueDate": "new", "story_points": 3});
        assert_eq!(
            fields(Kind::Task, &sent),
            json!({"dueDate": "new", "storyPoints": 3})
        );
    }

    #[test]
    fn a_name_is_a_title_unless_there_is_one() {
        assert_eq!(
            fields(Kind::Task, &json!({"name": "n"})),
            json!({"title": "n"})
        );
        let both = json!({"name": "n", "title": "t"});
        assert_eq!(fields(Kind::Task, &both), both);
    }
}

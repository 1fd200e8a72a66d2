//! What clients are told about an entity, in acks, snapshots and events.

use serde_json::Value;
use serde_json::value::RawValue;

pub use super::entity_state::entity;

use super::EventStyle;
use super::entity_state::{OF_STATE, PROJECT_KEY, identify, put_state, stamp, state};
use super::field::{PROJECT_ID, canonical, id_keys, stamp_name};
use super::json_object::json_text;
use super::members::{Member, Members};
use super::schema::answer::ListedEvent;
use super::schema::event::ChannelEvent;
use super::schema::types::Time;
use crate::domain::{
    Actor, Command, ConnectionId, Draft, Entity, EntityFields, Event, Fields, Id, ProjectId, Seq,
};

/// An entity's state as JSON text.
#[must_use]
pub fn text(of: &Entity) -> Box<RawValue> {
    json_text(&state(of))
}

/// Members of an event's payload besides what was sent and the state.
const OF_EVENT: usize = 6;

/// An event's payload: what the sender sent, over it the state, over it what the event says besides.
#[must_use]
pub fn event(draft: &Draft, echo: &Fields, seq: Seq) -> Box<RawValue> {
    let (entity, extra) = (&*draft.entity, &draft.extra);
    let members = echo.len() + entity.fields.len() + OF_STATE + OF_EVENT;
    let mut payload = Members::with_capacity(members);
    if draft.echo {
        payload.extend(members_of(echo));
    }
    if is_deletion(draft) {
        tombstone(&mut payload, entity);
    } else {
        put_state(&mut payload, entity);
        if draft.echo {
            agree(&mut payload, echo, &entity.fields);
        }
    }
    if draft.echo {
        spell_as_sent(&mut payload, echo, entity);
    }
    payload.extend(extra.iter());
    payload.put("seq", Member::Number(seq));
    json_text(&payload)
}

fn members_of(fields: &Fields) -> impl Iterator<Item = (&str, &Value)> {
    fields.iter().map(|(name, value)| (name.as_str(), value))
}

/// Of the keys whose values are no wishes, those under which the entity has another value.
#[must_use]
pub fn ignored(command: &Command, subject: &Entity) -> Vec<String> {
    if command.unread.is_empty() {
        return Vec::new();
    }
    let state = entity(subject);
    let wrapped = command.echo.values().filter_map(Value::as_object);
    let levels: Vec<&Fields> = std::iter::once(&command.echo).chain(wrapped).collect();
    let mut keys = command.unread.clone();
    keys.retain(|key| {
        let sent = levels.iter().find_map(|level| level.get(key));
        sent != state.get(stamp_name(key))
    });
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// If a field was sent under both of its spellings, both say its value: whoever keeps them stays in step.
fn agree<'a>(payload: &mut Members<'a>, echo: &'a Fields, fields: &'a EntityFields) {
    for key in echo.keys() {
        let counts = match canonical(key) {
            "name" => "title",
            counts => counts,
        };
        if counts != key
            && !fields.contains_key(key)
            && echo.contains_key(counts)
            && let Some(value) = fields.get(counts)
        {
            payload.put(key, Member::Value(value));
        }
    }
}

/// Gives the ids in a payload the JSON types that its sender used, whether beside the fields or in a wrapper: pages compare
/// them with their own by `===`.
fn spell_as_sent<'a>(payload: &mut Members<'a>, echo: &'a Fields, entity: &'a Entity) {
    let own = entity.kind.id_key();
    for key in PROJECT_ID.into_iter().chain(id_keys(entity.kind)) {
        // A text is the same however it is read.
        if let Some(Member::Value(value @ Value::Number(_))) = payload.get(key)
            && let Ok(id) = Id::from_json(value)
        {
            payload.put(key, Member::Owned(id.to_json()));
        }
    }
    if let Some(project) = sent(echo, &PROJECT_ID, &entity.project.0) {
        payload.put(PROJECT_KEY, project);
    }
    if let Some(id) = sent(echo, &id_keys(entity.kind), &entity.id.0) {
        payload.put(own, id.clone());
        payload.put("id", id);
    }
}

/// An id in the JSON type in which it was sent under one of these keys.
fn sent<'a>(echo: &'a Fields, keys: &[&str], id: &Id) -> Option<Member<'a>> {
    let wrapped = echo.values().filter_map(Value::as_object);
    let mut members = std::iter::once(echo).chain(wrapped).flatten();
    let (_, value) =
        members.find(|(key, value)| keys.contains(&key.as_str()) && id.is_named_by(value))?;
    match value {
        Value::String(_) => Some(Member::Value(value)),
        value => Some(Member::Owned(Id::from_json(value).ok()?.to_json())),
    }
}

/// An event of the log as a list shows it: the name under which it is delivered, and its payload.
#[must_use]
pub fn listed(event: &Event, style: EventStyle) -> Box<RawValue> {
    let listed = ListedEvent {
        event: style.name(&event.event_type),
        seq: event.seq,
        payload: &event.payload,
    };
    json_text(&listed)
}

/// An event with what is known of it, as those hear it who listen to whole channels.
#[must_use]
pub fn message(event: &Event, style: EventStyle) -> Box<RawValue> {
    let message = ChannelEvent {
        channel: event.subject().as_str(),
        event_type: style.name(&event.event_type),
        seq: event.seq,
        id: event.id.0.to_string(),
        timestamp: Time(event.created_at),
        actor: event.actor.as_str(),
        data: &event.payload,
        envelope: event.envelope.as_deref(),
    };
    json_text(&message)
}

/// A signal's payload: what the sender sent, over it where and who.
#[must_use]
pub fn signal(
    mut sent: Fields,
    project: &ProjectId,
    actor: &Actor,
    connection: ConnectionId,
) -> Box<RawValue> {
    if !sent
        .get(PROJECT_KEY)
        .is_some_and(|said| project.is_named_by(said))
    {
        put(&mut sent, PROJECT_KEY, project.to_json());
    }
    put(&mut sent, "userId", actor.as_str());
    put(&mut sent, "connectionId", connection.to_string());
    json_text(&sent)
}

fn is_deletion(draft: &Draft) -> bool {
    draft.entity.deleted.is_some()
}

/// What is left to say of an entity that is gone: where it was, and when and by whom it was deleted.
fn tombstone<'a>(payload: &mut Members<'a>, entity: &'a Entity) {
    payload.extend(entity.whereabouts());
    identify(payload, entity);
    if let Some(deleted) = &entity.deleted {
        stamp(payload, ["deletedAt", "deletedBy"], deleted);
    }
}

fn put(target: &mut Fields, key: &str, value: impl Into<Value>) {
    target.insert(key.to_owned(), value.into());
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::domain::{EntityId, EventType, Kind, Rank, Stamp, Timestamp};

    fn task() -> Entity {
        let stamp = Stamp {
            at: Timestamp::from_millis(0),
            by: Actor::new("ada"),
        };
        let project = ProjectId(Id::from_json(&json!(7)).unwrap());
        let id = EntityId(Id::from_text("t1").unwrap());
        let mut task = Entity::blank(project, Kind::Task, id, stamp);
        task.version = 3;
        task.rank = Some(Rank::restore("b".to_owned()));
        task.fields = fields(&json!({"title": "Sow", "id": "spoofed", "version": 99})).into();
        task
    }

    fn fields(value: &Value) -> Fields {
        value.as_object().unwrap().clone()
    }

    fn payload_of(draft: &Draft, echo: &Value) -> Value {
        serde_json::from_str(event(draft, &fields(echo), 5).get()).unwrap()
    }

    #[test]
    fn the_servers_word_stands_over_the_fields() {
        let expected = json!({"title": "Sow", "id": "t1", "taskId": "t1", "projectId": 7, "version": 3, "rank": "b",
            "createdAt": "1970-01-01T00:00:00.000Z", "createdBy": "ada",
            "updatedAt": "1970-01-01T00:00:00.000Z", "updatedBy": "ada"});
        assert_eq!(Value::Object(entity(&task())), expected);
    }

    #[test]
    fn an_event_starts_from_what_was_sent() {
        let draft = Draft::new(EventType::known("task.updated"), &Arc::new(task()))
            .with(fields(&json!({"oldStatus": "todo"})).into());
        let echo = json!({"task_id": "t1", "title": "old", "updates": {"title": "Sow"}});
        let payload = payload_of(&draft, &echo);
        assert_eq!(payload["task_id"], "t1");
        assert_eq!(payload["updates"], json!({"title": "Sow"}));
        assert_eq!(payload["title"], "Sow");
        assert_eq!(payload["oldStatus"], "todo");
        assert_eq!(payload["seq"], 5);
    }

    #[test]
    fn ids_have_the_types_that_their_sender_used() {
        let mut numbered = task();
        numbered.id = EntityId(Id::from_json(&json!(12)).unwrap());
        let draft = Draft::new(EventType::known("task.updated"), &Arc::new(numbered));
        for (echo, project, id) in [
            (
                json!({"projectId": "7", "taskId": "12"}),
                json!("7"),
                json!("12"),
            ),
            (json!({"project_id": 7, "task_id": 12}), json!(7), json!(12)),
            (
                json!({"project_id": "7", "task": {"_id": "12"}}),
                json!("7"),
                json!("12"),
            ),
            (json!({"projectId": "8", "id": "13"}), json!(7), json!(12)),
            (json!({}), json!(7), json!(12)),
        ] {
            let payload = payload_of(&draft, &echo);
            assert_eq!(payload["projectId"], project, "{echo}");
            assert_eq!((&payload["id"], &payload["taskId"]), (&id, &id), "{echo}");
        }
    }

    #[test]
    fn what_is_dragged_along_echoes_nothing() {
        let draft = Draft::dragged(EventType::known("task.moved"), &Arc::new(task()));
        assert!(
            payload_of(&draft, &json!({"sprintId": "s1"}))
                .get("sprintId")
                .is_none()
        );
    }

    #[test]
    fn deletion_says_where_it_was_and_not_its_other_fields() {
        let mut gone = task();
        let place = json!({"epicId": "e", "columnId": 3, "status": "todo", "labelIds": ["l"], "sprintId": null});
        gone.fields.extend(fields(&place));
        gone.deleted = Some(gone.updated.clone());
        let draft = Draft::new(EventType::known("task.deleted"), &Arc::new(gone));
        let expected = json!({"reason": "dup", "id": "t1", "taskId": "t1", "projectId": 7, "version": 3, "seq": 5,
            "epicId": "e", "columnId": 3, "status": "todo", "deletedAt": "1970-01-01T00:00:00.000Z", "deletedBy": "ada"});
        assert_eq!(payload_of(&draft, &json!({"reason": "dup"})), expected);
    }

    #[test]
    fn a_signal_tells_who_sent_it_whatever_its_sender_says() {
        let sent =
            fields(&json!({"projectId": "7", "userId": "eve", "connectionId": 1, "taskId": "t1"}));
        let connection = ConnectionId::generate();
        let payload = signal(sent, &task().project, &Actor::new("ada"), connection);
        let payload: Value = serde_json::from_str(payload.get()).unwrap();
        let expected = json!({"projectId": "7", "userId": "ada", "connectionId": connection.to_string(), "taskId": "t1"});
        assert_eq!(payload, expected);
    }
}

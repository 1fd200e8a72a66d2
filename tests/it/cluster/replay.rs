//! A project as its log tells it, event by event: what one command did stands together, and what was read
//! meanwhile is the state at some point between two commands.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::log::Entry;

/// What is compared of an entity.
const COMPARED: [&str; 7] = [
    "version",
    "status",
    "sprintId",
    "epicId",
    "mark",
    "rank",
    "updatedAt",
];

/// See the module.
#[derive(Default)]
pub(super) struct Board {
    /// What was told last of each entity that is not deleted, by kind and id.
    told: BTreeMap<(String, String), Value>,
    /// The events that belong to the same command and are still to come: type and task.
    due: BTreeSet<(&'static str, String)>,
    /// Commands of more than one event that were seen.
    pub(super) blocks: usize,
}

impl Board {
    /// Takes the next event.
    pub(super) fn take(&mut self, entry: &Entry) {
        let payload = entry.json();
        let id = payload["id"].as_str().expect("it has an id").to_owned();
        let event = entry.event_type.as_str();
        let kind = event.split('.').next().expect("split gives something");
        let key = (kind.to_owned(), id.clone());
        let told = self.told.get(&key).map(|told| &told["version"]);
        let repeats = told == Some(&payload["version"]);
        if self.due.is_empty() {
            self.due = self.consequences(event, &id, &payload, repeats);
            self.blocks += usize::from(!self.due.is_empty());
        } else {
            let expected = self.due.iter().find(|(due, of)| *due == event && *of == id);
            let expected = expected.cloned();
            let expected = expected.unwrap_or_else(|| {
                panic!("{event} of {id} among {:?} of one command", self.due);
            });
            self.due.remove(&expected);
        }
        if event.ends_with(".deleted") {
            self.told.remove(&key);
        } else {
            let before = self.told.insert(key, payload.clone());
            let version = |payload: &Value| payload["version"].as_i64().unwrap();
            match before {
                // What one command tells twice, or what changes nothing and is told all the same.
                Some(before) if repeats => {
                    let same = COMPARED.iter().all(|field| before[field] == payload[field]);
                    assert!(same, "{before} is told again as {payload}");
                }
                before => {
                    let before = before.as_ref().map_or(0, version);
                    assert!(version(&payload) > before, "{payload}");
                }
            }
        }
    }

    /// What else a command did that begins with this event. One that `repeats` what is so already drags nothing along.
    fn consequences(
        &self,
        event: &str,
        id: &str,
        payload: &Value,
        repeats: bool,
    ) -> BTreeSet<(&'static str, String)> {
        match event {
            "sprint.completed" if repeats => BTreeSet::new(),
            "sprint.completed" => self.tasks_with("sprintId", id, "task.moved", true),
            "sprint.deleted" => self.tasks_with("sprintId", id, "task.updated", false),
            "epic.deleted" => self.tasks_with("epicId", id, "task.updated", false),
            "task.updated" if payload.get("newStatus").is_some() => {
                BTreeSet::from([("task.status_changed", id.to_owned())])
            }
            _ => BTreeSet::new(),
        }
    }

    fn tasks_with(
        &self,
        field: &str,
        id: &str,
        event: &'static str,
        unfinished: bool,
    ) -> BTreeSet<(&'static str, String)> {
        let tasks = self.told.iter().filter(|((kind, _), told)| {
            kind == "task" && told[field] == id && !(unfinished && told["status"] == "done")
        });
        tasks.map(|((_, task), _)| (event, task.clone())).collect()
    }

    /// Whether no command is half told.
    pub(super) fn is_whole(&self) -> bool {
        self.due.is_empty()
    }

    /// Compares a `project:snapshot` of this very point.
    pub(super) fn agrees(&self, snapshot: &Value) {
        assert!(
            self.is_whole(),
            "a snapshot in the middle of a command: {:?} is not in it",
            self.due
        );
        let mut read = 0;
        for (kind, list) in [("task", "tasks"), ("epic", "epics"), ("sprint", "sprints")] {
            for entity in snapshot[list].as_array().unwrap() {
                let id = entity["id"].as_str().unwrap().to_owned();
                let told = &self.told[&(kind.to_owned(), id)];
                for field in COMPARED {
                    assert_eq!(told[field], entity[field], "{field} of {entity}");
                }
                read += 1;
            }
        }
        let live = self.told.keys().filter(|(kind, _)| kind != "project");
        assert_eq!(live.count(), read, "at {}", snapshot["seq"]);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(event_type: &str, payload: &Value) -> Entry {
        Entry {
            event_type: event_type.to_owned(),
            payload: payload.to_string(),
        }
    }

    /// A task in an epic, and the epic's end as far as its own event.
    fn epic_deleted() -> Board {
        let mut board = Board::default();
        board.take(&event("epic.created", &json!({"id": "e", "version": 1})));
        let task = json!({"id": "t", "version": 1, "epicId": "e"});
        board.take(&event("task.updated", &task));
        board.take(&event("epic.deleted", &json!({"id": "e", "version": 2})));
        board
    }

    #[test]
    fn what_belongs_together_passes() {
        let mut board = epic_deleted();
        let cleared = json!({"id": "t", "version": 2, "epicId": null});
        board.take(&event("task.updated", &cleared));
        let (tasks, none) = (json!([cleared]), json!([]));
        board.agrees(&json!({"seq": 4, "tasks": tasks, "epics": none, "sprints": none}));
        assert_eq!(board.blocks, 1);
    }

    #[test]
    #[should_panic(expected = "of one command")]
    fn an_event_of_somebody_else_in_between_is_noticed() {
        let task = json!({"id": "other", "version": 1});
        epic_deleted().take(&event("task.updated", &task));
    }

    #[test]
    #[should_panic(expected = "in the middle of a command")]
    fn a_snapshot_of_half_a_command_is_noticed() {
        let tasks = json!([{"id": "t", "version": 1, "epicId": "e"}]);
        let snapshot = json!({"seq": 3, "tasks": tasks, "epics": [], "sprints": []});
        epic_deleted().agrees(&snapshot);
    }

    #[test]
    #[should_panic(expected = "epicId of")]
    fn a_snapshot_that_is_not_the_log_is_noticed() {
        let mut board = epic_deleted();
        let cleared = json!({"id": "t", "version": 2, "epicId": null});
        board.take(&event("task.updated", &cleared));
        let tasks = json!([{"id": "t", "version": 2, "epicId": "e"}]);
        board.agrees(&json!({"seq": 4, "tasks": tasks, "epics": [], "sprints": []}));
    }
}

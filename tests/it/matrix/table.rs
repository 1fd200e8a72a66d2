//! The table: what each command and read takes. Written by hand, so that it does not agree with the server by itself.

use serde_json::{Value, json};

/// A role in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Viewer,
    Member,
    Admin,
    Owner,
}

impl Rank {
    pub(super) const ALL: [Self; 4] = [Self::Viewer, Self::Member, Self::Admin, Self::Owner];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Member => "member",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

/// What something takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Nothing but a connection.
    Nothing,
    /// A role.
    Role(Rank),
    /// To be in the room, which takes the role of a viewer.
    Room,
    /// A role; and without any, it is refused in the same words as a new project under that id.
    Founding(Rank),
}

/// How something ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    Forbidden,
    NotFound,
    /// Whether there is such a project or not.
    NotInRoom,
}

impl Verdict {
    pub(super) fn is(self, answer: &Value) -> bool {
        let refused = |codes: &[&str]| {
            let code = answer["code"].as_str().unwrap_or_default();
            answer["ok"] == false && codes.contains(&code)
        };
        let of_project = answer["field"] == "projectId";
        match self {
            Self::Done => answer["ok"] == true,
            Self::Forbidden => refused(&["forbidden"]),
            Self::NotFound => refused(&["not_found"]) && of_project,
            Self::NotInRoom => refused(&["not_found", "validation_failed"]) && of_project,
        }
    }
}

/// A command or a read, in words of a client.
pub(super) struct Row {
    /// The event's documented name.
    pub(super) event: &'static str,
    /// What is special about it.
    pub(super) label: String,
    pub(super) payload: Value,
    needs: Needs,
}

impl Row {
    pub(super) fn packet(&self) -> String {
        json!([self.event, self.payload]).to_string()
    }

    /// How it ends for somebody with this role in the project.
    pub(super) fn verdict(&self, role: Option<Rank>) -> Verdict {
        match (self.needs, role) {
            (Needs::Room, None) => Verdict::NotInRoom,
            (Needs::Founding(_), None) => Verdict::Forbidden,
            (Needs::Role(_), None) => Verdict::NotFound,
            (Needs::Role(needed) | Needs::Founding(needed), Some(role)) if role < needed => {
                Verdict::Forbidden
            }
            (Needs::Nothing, _) | (Needs::Room | Needs::Role(_) | Needs::Founding(_), Some(_)) => {
                Verdict::Done
            }
        }
    }
}

/// All of it, in an order in which nothing stands in another's way.
pub(super) fn rows(project: &str, credential: &str) -> Vec<Row> {
    let here = |more: Value| {
        let Value::Object(mut payload) = more else {
            panic!("a payload is an object");
        };
        payload.insert("projectId".to_owned(), json!(project));
        Value::Object(payload)
    };
    let mut rows = reads(project, &here);
    rows.extend(signals(&here));
    rows.extend(work(&here));
    for (kind, prefix, others) in [
        ("comment", "c", Rank::Admin),
        ("note", "n", Rank::Admin),
        ("subtask", "b", Rank::Member),
    ] {
        rows.extend(beside(kind, prefix, others, &here));
    }
    rows.extend(membership(&here));
    rows.extend(whole_project(&here));
    rows.push(row("leave:project", "", Needs::Nothing, json!(project)));
    let channel = json!({"channel": format!("project:{project}")});
    rows.push(row("unsubscribe", "", Needs::Nothing, channel));
    rows.push(row("join:projects", "", Needs::Nothing, json!({})));
    rows.push(row("leave:projects", "", Needs::Nothing, json!({})));
    let refresh = json!({"token": credential});
    rows.push(row("auth:refresh", "", Needs::Nothing, refresh));
    let owner = Needs::Role(Rank::Owner);
    for event in ["project:delete", "project:restore", "project:delete"] {
        rows.push(row(event, "", owner, here(json!({}))));
    }
    rows
}

fn row(event: &'static str, what: &str, needs: Needs, payload: Value) -> Row {
    Row {
        event,
        label: format!("{event} {what}"),
        payload,
        needs,
    }
}

fn reads(project: &str, here: &impl Fn(Value) -> Value) -> Vec<Row> {
    let needs = Needs::Role(Rank::Viewer);
    let everything = json!({"since": 0, "events": true, "snapshot": true});
    let channel = format!("project:{project}");
    let lists = [
        "task:list",
        "epic:list",
        "sprint:list",
        "member:list",
        "comment:list",
        "subtask:list",
        "note:list",
    ];
    let lists = lists.map(|event| row(event, "", needs, here(json!({}))));
    let projects = row("project:list", "", Needs::Nothing, json!({}));
    let mut rows = vec![
        row("join:project", "", needs, json!(project)),
        row("join:project", "with all", needs, here(everything)),
        row(
            "join:project",
            "with a cursor",
            needs,
            here(json!({"since": "abc.1:0"})),
        ),
        row("project:snapshot", "", needs, json!(project)),
        row("project:sync", "", needs, json!(project)),
        row("project:sync", "since", needs, here(json!({"since": 0}))),
        row(
            "subscribe",
            "",
            needs,
            json!({"channel": channel, "types": ["task:updated"]}),
        ),
        row(
            "subscribe",
            "since",
            needs,
            json!({"channels": [channel], "since": 0}),
        ),
        projects,
    ];
    rows.extend(lists);
    rows
}

fn signals(here: &impl Fn(Value) -> Value) -> Vec<Row> {
    let events = [
        "typing",
        "typing:start",
        "typing:stop",
        "task:editing",
        "task:editing:start",
        "task:editing:stop",
        "task:edit:start",
        "task:edit:stop",
        "presence:update",
    ];
    let payload = here(json!({"taskId": "t", "busy": true}));
    let rows = events.map(|event| row(event, "", Needs::Room, payload.clone()));
    rows.into()
}

fn work(here: &impl Fn(Value) -> Value) -> Vec<Row> {
    let commands = [
        ("task:create", json!({"title": "new"})),
        ("task:update", json!({"taskId": "t", "updates": {"a": 1}})),
        ("task:status", json!({"taskId": "t", "status": "done"})),
        ("task:move", json!({"taskId": "t", "position": 0})),
        ("task:delete", json!({"taskId": "t2"})),
        ("task:restore", json!({"taskId": "t3"})),
        ("epic:restore", json!({"epicId": "e3"})),
        ("sprint:restore", json!({"sprintId": "s3"})),
        ("epic:create", json!({"title": "new"})),
        ("epic:update", json!({"epicId": "e", "updates": {"a": 1}})),
        ("epic:delete", json!({"epicId": "e2"})),
        ("sprint:create", json!({"title": "new"})),
        (
            "sprint:update",
            json!({"sprintId": "s", "updates": {"a": 1}}),
        ),
        ("sprint:start", json!({"sprintId": "s"})),
        ("sprint:complete", json!({"sprintId": "s"})),
        ("sprint:delete", json!({"sprintId": "s2"})),
        ("task:toggle", json!({"taskId": "t"})),
        ("epic:toggle", json!({"epicId": "e"})),
        ("sprint:toggle", json!({"sprintId": "s", "field": "pinned"})),
        ("task:reorder", json!({"taskId": "t", "position": 0})),
        ("task:complete", json!({"taskId": "t"})),
        ("task:archive", json!({"taskId": "t"})),
        ("task:unarchive", json!({"taskId": "t"})),
        ("task:assign", json!({"taskId": "t", "userId": "co"})),
        ("task:unassign", json!({"taskId": "t"})),
        (
            "task:bulk_create",
            json!({"tasks": [{"id": "b1"}, {"id": "b2"}]}),
        ),
        (
            "task:bulk_update",
            json!({"taskIds": ["t"], "updates": {"x": 1}}),
        ),
        ("task:bulk_delete", json!({"taskIds": ["b1"]})),
        ("tasks:create", json!({"tasks": [{"id": "b3"}]})),
        ("tasks:update", json!({"tasks": [{"id": "t", "x": 2}]})),
        ("tasks:delete", json!({"taskIds": ["b3"]})),
        ("tasks:move", json!({"taskIds": ["t"]})),
    ];
    let needs = Needs::Role(Rank::Member);
    let rows = commands.map(|(event, payload)| row(event, "", needs, here(payload)));
    rows.into()
}

/// What stands beside tasks: everybody's own, and what somebody else has made.
fn beside(
    kind: &'static str,
    prefix: &str,
    others: Rank,
    here: &impl Fn(Value) -> Value,
) -> Vec<Row> {
    let events = match kind {
        "comment" => [
            "comment:create",
            "comment:update",
            "comment:toggle",
            "comment:delete",
            "comment:restore",
        ],
        "note" => [
            "note:create",
            "note:update",
            "note:toggle",
            "note:delete",
            "note:restore",
        ],
        _ => [
            "subtask:create",
            "subtask:update",
            "subtask:toggle",
            "subtask:delete",
            "subtask:restore",
        ],
    };
    let of = |id: &str| {
        let mut payload = here(json!({"updates": {"a": 1}}));
        payload[format!("{kind}Id")] = json!(id);
        payload
    };
    let member = Needs::Role(Rank::Member);
    let mut rows = vec![row(events[0], "new", member, here(json!({"title": "new"})))];
    for event in events {
        let payload = if event.ends_with("create") {
            let mut payload = here(json!({"title": "own"}));
            payload[format!("{kind}Id")] = json!("own");
            payload
        } else {
            of("own")
        };
        rows.push(row(event, "own", member, payload));
    }
    let others = Needs::Role(others);
    for (event, id) in events[1..].iter().zip(["", "", "2", "3"]) {
        rows.push(row(
            event,
            "of another",
            others,
            of(&format!("{prefix}{id}")),
        ));
    }
    rows
}

fn membership(here: &impl Fn(Value) -> Value) -> Vec<Row> {
    let (add, role, remove) = ("member:add", "member:role", "member:remove");
    let (admin, owner) = (Needs::Role(Rank::Admin), Needs::Role(Rank::Owner));
    let member = |user: &str, role: &str| here(json!({"userId": user, "role": role}));
    let only = |user: &str| here(json!({"userId": user}));
    vec![
        row(add, "", admin, member("new", "member")),
        row(add, "without a role", admin, only("new2")),
        row(role, "", admin, member("other", "member")),
        row(remove, "", admin, only("leaver")),
        row(add, "as owner", owner, member("new3", "owner")),
        row(role, "to owner", owner, member("other", "owner")),
        row(role, "of an owner", owner, member("co", "member")),
        row(remove, "of an owner", owner, only("co2")),
    ]
}

fn whole_project(here: &impl Fn(Value) -> Value) -> Vec<Row> {
    let admin = Needs::Role(Rank::Admin);
    let founding = Needs::Founding(Rank::Admin);
    vec![
        row(
            "project:create",
            "again",
            founding,
            here(json!({"title": "x"})),
        ),
        row(
            "project:update",
            "",
            admin,
            here(json!({"updates": {"a": 1}})),
        ),
    ]
}

//! The same table over REST: every endpoint, by everybody.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Scene;
use super::callers::{self, Caller};
use super::outsiders::worthless;
use super::table::{Row, rows};
use super::wire::Transport;
use crate::support::rest::Rest;

/// A request that asks what a row of the table asks.
struct Asked {
    method: &'static str,
    path: String,
    body: Option<String>,
}

impl Asked {
    fn new(method: &'static str, path: &str, body: Option<&Value>) -> Self {
        Self {
            method,
            path: path.to_owned(),
            body: body.map(Value::to_string),
        }
    }

    /// As an ack would say it.
    async fn answer(&self, rest: &Rest) -> Value {
        let answer = rest
            .send(self.method, &self.path, self.body.as_deref())
            .await;
        let mut said = answer.json();
        said["ok"] = json!(answer.status < 400);
        said
    }

    /// The endpoint, as the document names it.
    fn endpoint(&self, project: &str) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        let path = path.replace(project, "{projectId}");
        let ids = [
            ("tasks", "taskId"),
            ("epics", "epicId"),
            ("sprints", "sprintId"),
            ("members", "userId"),
            ("comments", "commentId"),
            ("subtasks", "id"),
            ("notes", "id"),
        ];
        let mut segments: Vec<_> = path.split('/').map(str::to_owned).collect();
        for (plural, key) in ids {
            if segments.len() > 4 && segments[3] == plural {
                segments[4] = format!("{{{key}}}");
            }
        }
        if let Some(declared @ ("subtasks" | "notes")) = segments.get(3).map(String::as_str) {
            segments[3] = declared.replace(declared, "{plural}");
        }
        format!("{} /api{}", self.method, segments.join("/"))
    }
}

/// What a row asks; nothing if it is about a connection.
fn asked(row: &Row, project: &str) -> Option<Asked> {
    let of = format!("/projects/{project}");
    let said = &row.payload;
    let id = |key: &str| said[key].as_str().unwrap_or_default().to_owned();
    let (noun, verb) = row.event.split_once(':')?;
    let all = format!("{of}/{noun}s");
    let one = match noun {
        "project" => of.clone(),
        "member" => format!("{all}/{}", id("userId")),
        _ => format!("{all}/{}", id(&format!("{noun}Id"))),
    };
    let at = |verb: &str| format!("{one}/{verb}");
    Some(match (noun, verb) {
        ("project", "snapshot") => Asked::new("GET", &at("snapshot"), None),
        ("project", "sync") => Asked::new("GET", &at("events?since=0"), None),
        ("project", "create") => Asked::new("POST", "/projects", Some(said)),
        ("task" | "epic" | "sprint" | "comment" | "subtask" | "note", "create")
        | ("member", "add") => Asked::new("POST", &all, Some(said)),
        (_, "update") | ("member", "role") if noun != "presence" => {
            Asked::new("PATCH", &one, Some(said))
        }
        (_, "delete") | ("member", "remove") => Asked::new("DELETE", &one, None),
        ("task", "move" | "status")
        | ("sprint", "start" | "complete")
        | (_, "restore" | "toggle") => Asked::new("POST", &at(verb), Some(said)),
        _ => return None,
    })
}

/// Everything else that can be read, which takes what a snapshot takes.
fn reads(project: &str) -> Vec<Asked> {
    let below = [
        "",
        "/tasks",
        "/tasks/t",
        "/epics",
        "/epics/e",
        "/sprints",
        "/sprints/s",
        "/comments",
        "/comments/c",
        "/tasks/t/comments",
        "/subtasks",
        "/subtasks/b",
        "/notes/n",
        "/members",
        "/members/co",
        "/events?since=0&wait=60",
    ];
    let paths = below.map(|below| format!("/projects/{project}{below}"));
    paths.map(|path| Asked::new("GET", &path, None)).into()
}

/// The command of a row in a batch of its own.
fn batched(row: &Row, project: &str) -> Asked {
    let body = json!({"commands": [{"event": row.event, "data": row.payload}]});
    Asked::new(
        "POST",
        &format!("/projects/{project}/commands"),
        Some(&body),
    )
}

/// An import of nothing, which takes what a change of the project takes.
fn import(project: &str) -> Asked {
    Asked::new(
        "POST",
        &format!("/projects/{project}/import"),
        Some(&json!([])),
    )
}

async fn surprises(scene: &Scene, caller: &Caller) -> Vec<String> {
    let project = caller.project(Transport::Rest);
    scene.project(&project).await;
    if let Some((user, role)) = &caller.membership {
        scene.add(&project, user, role.name()).await;
    }
    let rest = Rest::new(&scene.server.address).showing(&caller.credential);
    let mut surprises = Vec::new();
    for row in single(&project, &caller.credential) {
        let Some(asked) = asked(&row, &project) else {
            continue;
        };
        let expected = row.verdict(caller.role);
        let mut answers = vec![asked.answer(&rest).await];
        if row.event == "project:snapshot" {
            for read in reads(&project) {
                answers.push(read.answer(&rest).await);
            }
        } else if asked.method != "GET" {
            let batch = batched(&row, &project).answer(&rest).await;
            answers.push(batch["results"][0].clone());
        }
        if row.event == "project:update" {
            answers.push(import(&project).answer(&rest).await);
        }
        for answer in answers {
            if !expected.is(&answer) {
                let Row { label, .. } = &row;
                surprises.push(format!(
                    "{caller}: {label} should be {expected:?}: {answer}"
                ));
            }
        }
    }
    surprises
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_do_over_rest_what_the_table_says() {
    let scene = Scene::set().await;
    let mut all = Vec::new();
    for caller in callers::all(&scene).await {
        all.extend(surprises(&scene, &caller).await);
    }
    assert!(
        all.is_empty(),
        "{} surprises:\n{}",
        all.len(),
        all.join("\n")
    );
}

/// Nobody comes in without a credential that is good, whatever they ask for.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_shows_nothing_good_is_refused_everywhere() {
    let scene = Scene::set().await;
    scene.project("closed").await;
    let seq = scene.seq("closed").await;
    let mut all: Vec<_> = single("closed", "token")
        .iter()
        .filter_map(|row| asked(row, "closed"))
        .collect();
    all.extend(reads("closed"));
    all.push(import("closed"));
    all.push(Asked::new("GET", "/projects", None));
    all.push(Asked::new(
        "POST",
        "/projects/closed/commands",
        Some(&json!({"commands": []})),
    ));
    for (what, auth) in worthless(&scene).await {
        let rest = Rest::new(&scene.server.address);
        let text = |key: &str| auth[key].as_str().map(str::to_owned);
        let rest = match text("token").or_else(|| text("apiKey")) {
            Some(shown) => rest.showing(&shown),
            None => rest.with("X-User-Id", "founder"),
        };
        for asked in &all {
            let answer = asked.answer(&rest).await;
            assert_eq!(
                answer["code"], "unauthenticated",
                "{what}: {} {}",
                asked.method, asked.path
            );
        }
    }
    assert_eq!(scene.seq("closed").await, seq);
}

/// A credential in the query or a cookie is as good as one in a header; a bad one in the header is not made good by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_credential_may_stand_elsewhere() {
    let settings = [
        ("AUTH_COOKIE", "session"),
        ("CORS_ORIGINS", "https://board.example"),
    ];
    let scene = Scene::set_with(&settings).await;
    let token = super::token("ann", json!({}));
    let rest = Rest::new(&scene.server.address);
    rest.get(&format!("/projects?token={token}"))
        .await
        .expect(200);
    rest.with("Cookie", &format!("a=b; session={token}"))
        .get("/projects")
        .await
        .expect(200);
    let bad = rest.showing("garbage");
    bad.get(&format!("/projects?token={token}"))
        .await
        .problem(401, "unauthenticated");
}

/// The rows of the table that are about one thing: many have a request of their own over REST.
fn single(project: &str, credential: &str) -> Vec<Row> {
    let mut rows = rows(project, credential);
    rows.retain(|row| !row.event.starts_with("tasks:") && !row.event.contains("bulk"));
    rows
}

/// Whoever adds an endpoint about projects says in the table who may use it.
#[tokio::test(flavor = "multi_thread")]
async fn no_endpoint_is_missing_in_the_table() {
    let scene = Scene::set().await;
    let document = Rest::new(&scene.server.address)
        .get("/openapi.json")
        .await
        .expect(200);
    let paths = document["paths"].as_object().expect("paths");
    let mut known = BTreeSet::new();
    for (path, item) in paths
        .iter()
        .filter(|(path, _)| path.starts_with("/api/projects"))
    {
        let methods = item.as_object().expect("an item").keys();
        let methods = methods.filter(|method| *method != "parameters");
        known.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    let table = single("PROJECT", "token");
    let mut tested: BTreeSet<_> = table
        .iter()
        .filter_map(|row| asked(row, "PROJECT"))
        .chain(reads("PROJECT"))
        .chain(table.iter().map(|row| batched(row, "PROJECT")))
        .chain([import("PROJECT")])
        .map(|asked| asked.endpoint("PROJECT"))
        .collect();
    // Whose list has what is shown elsewhere.
    tested.insert("GET /api/projects".to_owned());
    assert_eq!(known, tested);
}

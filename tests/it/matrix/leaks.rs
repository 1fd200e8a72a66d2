//! Whoever has no business in a project cannot tell whether there is one.

use serde_json::{Value, json};

use super::callers::nobodies;
use super::table::{Row, rows};
use super::wire::{Transport, Wire};
use super::{Scene, object_in, token};

/// Somebody's project.
const THERE: &str = "project-there";
/// Somebody's project that was deleted.
const ENDED: &str = "project-ended";
/// A project that was never made.
const NEVER: &str = "project-never";

/// A message without what it was asked about.
fn nameless(message: &str) -> String {
    [THERE, ENDED, NEVER]
        .iter()
        .fold(message.to_owned(), |message, name| {
            message.replace(name, "…")
        })
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_about_a_foreign_project_do_not_tell_whether_it_exists() {
    let scene = Scene::set().await;
    for project in [THERE, ENDED] {
        scene.project(project).await;
    }
    let ended = json!({"projectId": ENDED});
    scene.found("project:delete", ended).await;
    for caller in nobodies(&scene).await {
        for transport in Transport::ALL {
            let mut wire = scene.enter(transport, &caller.credential).await;
            let is_about_it = |row: &Row| !row.event.ends_with(":projects");
            let questions = |project| {
                let rows = rows(project, &caller.credential);
                rows.into_iter().filter(is_about_it)
            };
            let others = questions(THERE).zip(questions(ENDED));
            for (never, (there, ended)) in questions(NEVER).zip(others) {
                let expected = told(&mut wire, &never).await;
                for row in [there, ended] {
                    let what = format!("{caller}: {} {}", row.label, row.payload);
                    assert_eq!(told(&mut wire, &row).await, expected, "{what}");
                }
            }
        }
    }
}

/// The answer with an ack, and the refusal without one.
async fn told(wire: &mut Wire, row: &Row) -> (String, Vec<String>) {
    let answer = nameless(&wire.ask(&row.packet()).await);
    wire.send(&format!("42{}", row.packet())).await;
    wire.ask(r#"["leave:project","barrier"]"#).await;
    let heard = wire.heard.drain(..);
    let errors = heard.filter(|told| told.starts_with("42[\"error\""));
    let errors: Vec<_> = errors.map(|told| nameless(&told)).collect();
    let is_refused = object_in(&answer)["ok"] == false;
    assert_eq!(errors.len(), usize::from(is_refused), "{}", row.label);
    (answer, errors)
}

/// The same command without its project, about something that is there or about something that is nowhere.
fn unnamed(row: &Row, id: Option<&str>) -> Option<String> {
    let mut payload = row.payload.clone();
    let fields = payload.as_object_mut()?;
    fields.remove("projectId")?;
    let key = [
        "taskId",
        "epicId",
        "sprintId",
        "userId",
        "commentId",
        "subtaskId",
        "noteId",
    ]
    .into_iter()
    .find(|key| fields.contains_key(*key))?;
    if let Some(id) = id {
        fields.insert(key.to_owned(), json!(id));
    }
    Some(json!([row.event, payload]).to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_of_foreign_projects_are_found_by_nobody() {
    let scene = Scene::set().await;
    scene.project(THERE).await;
    for caller in nobodies(&scene).await {
        let mut wire = scene.enter(Transport::WebSocket, &caller.credential).await;
        for row in rows(THERE, &caller.credential) {
            if let (Some(there), Some(never)) =
                (unnamed(&row, None), unnamed(&row, Some("nowhere")))
            {
                let answers = [wire.ask(&there).await, wire.ask(&never).await];
                assert_eq!(object_in(&answers[0])["ok"], false, "{}", row.label);
                assert_eq!(answers[0], answers[1], "{caller}: {}", row.label);
            }
        }
    }
}

/// A cursor is only numbers, and anybody can write down others.
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_cursor_opens_and_tells_nothing() {
    let scene = Scene::set().await;
    for project in ["a", "b", "c"] {
        scene.project(project).await;
    }
    let credential = token("forger", json!({}));
    let mut wire = scene.enter(Transport::WebSocket, &credential).await;
    let made = object_in(&wire.ask(r#"["project:create",{"title":"mine"}]"#).await);
    let mine = json!(["join:project", made["data"]["id"]]).to_string();
    let joined = object_in(&wire.ask(&mine).await);
    let cursor = joined["cursor"].as_str().expect("a cursor").to_owned();
    let (epoch, position) = cursor.split_once('.').expect("it has an epoch");
    let own: i64 = position
        .split(':')
        .next()
        .expect("a number")
        .parse()
        .unwrap();
    assert!(own > 3, "the others are there: {cursor}");
    for seq in [0, 3, 1_000_000] {
        let mut told = Vec::new();
        for no in (1..own).chain([own + 100, 999_999]) {
            for transport in Transport::ALL {
                let auth = json!({"token": credential, "offset": format!("{epoch}.{no}:{seq}")});
                told.push((no, comes_back(&scene, transport, &auth).await));
            }
        }
        for (no, heard) in &told {
            assert_eq!(heard, &told[0].1, "channel {no} is told from channel 1");
            assert!(
                !heard.contains("\"x\"") && !heard.contains("projectId"),
                "{heard}"
            );
        }
    }
    // Together with its own place, which it keeps.
    let both = format!("{epoch}.1:0,{position}");
    let auth = json!({"token": credential, "offset": both});
    let heard = comes_back(&scene, Transport::WebSocket, &auth).await;
    assert!(!heard.contains("\"room\":\"project:a\""), "{heard}");
}

/// All that is told to whoever comes back, before the answer to the first question.
async fn comes_back(scene: &Scene, transport: Transport, auth: &Value) -> String {
    let entered = Wire::enter(transport, &scene.server.address, auth).await;
    let mut wire = entered.expect("a good token");
    wire.ask(r#"["leave:project","barrier"]"#).await;
    let no = auth["offset"]
        .as_str()
        .and_then(|offset| offset.split(['.', ':']).nth(1));
    let number = format!(".{}:", no.unwrap_or_default());
    wire.heard.join("\n").replace(&number, ".#:")
}

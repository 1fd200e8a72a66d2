//! Who may make projects, and under which ids; and who is then written down.

use serde_json::{Value, json};

use super::callers::api_key;
use super::table::Verdict;
use super::wire::{Transport, Wire};
use super::{Scene, object_in, token};

async fn call(wire: &mut Wire, event: &str, payload: Value) -> Value {
    object_in(&wire.ask(&json!([event, payload]).to_string()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_makes_a_project_owns_it() {
    let scene = Scene::set().await;
    for transport in Transport::ALL {
        let mut wire = scene.enter(transport, &token("ann", json!({}))).await;
        let made = call(&mut wire, "project:create", json!({"title": "mine"})).await;
        assert!(Verdict::Done.is(&made), "{made}");
        let project = made["data"]["id"].clone();
        let log = call(&mut wire, "project:sync", json!({"projectId": project})).await;
        let events: Vec<_> = log["events"].as_array().expect("events").iter().collect();
        let names: Vec<_> = events.iter().map(|event| &event["event"]).collect();
        assert_eq!(names, ["project:created", "member:added"], "{log}");
        let member = &events[1]["payload"];
        assert_eq!(
            (&member["userId"], &member["role"]),
            (&json!("ann"), &json!("owner"))
        );
        let deleted = call(&mut wire, "project:delete", json!({"projectId": project})).await;
        assert!(Verdict::Done.is(&deleted), "{deleted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_makes_projects_if_it_owns_all() {
    let scene = Scene::set().await;
    for (name, scope, expected) in [
        ("one", "p:owner", Verdict::Forbidden),
        ("admin", "*:admin", Verdict::Forbidden),
        ("owner", "*:owner", Verdict::Done),
    ] {
        let key = api_key(&scene, name, &[scope.to_owned()]).await;
        let mut wire = scene.enter(Transport::WebSocket, &key).await;
        let made = call(&mut wire, "project:create", json!({"title": "x"})).await;
        assert!(expected.is(&made), "{scope}: {made}");
    }
}

/// Who may choose an id: whoever is granted to own it. All others hear the same, whether it is taken or not.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_chosen_by_those_who_are_to_own_it() {
    let scene = Scene::set().await;
    scene.project("taken").await;
    let mut refusals = Vec::new();
    for (roles, expected) in [
        (json!({}), Verdict::Forbidden),
        (json!({"free1": "admin"}), Verdict::Forbidden),
        (json!({"free1": "owner"}), Verdict::Done),
        (json!({"*": "owner"}), Verdict::Done),
    ] {
        let free = if roles["*"].is_null() {
            "free1"
        } else {
            "free2"
        };
        let who = format!("u{}", roles.to_string().len());
        let mut wire = scene
            .enter(Transport::WebSocket, &token(&who, roles.clone()))
            .await;
        if roles["*"].is_null() {
            let payload = json!({"projectId": "taken", "title": "x"});
            let answer = call(&mut wire, "project:create", payload).await;
            assert!(Verdict::Forbidden.is(&answer), "{roles}: {answer}");
            refusals.push(answer.to_string());
        }
        let payload = json!({"projectId": free, "title": "x"});
        let answer = call(&mut wire, "project:create", payload).await;
        assert!(expected.is(&answer), "{roles}: {answer}");
        if expected == Verdict::Forbidden && roles == json!({}) {
            refusals.push(answer.to_string());
        }
    }
    refusals.dedup();
    assert_eq!(refusals.len(), 1, "{refusals:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_are_free_for_all_if_the_operator_says_so() {
    let scene = Scene::set_with(&[("CLIENT_PROJECT_IDS", "true")]).await;
    let mut wire = scene
        .enter(Transport::WebSocket, &token("ann", json!({})))
        .await;
    let payload = json!({"projectId": "mine", "title": "x"});
    let made = call(&mut wire, "project:create", payload.clone()).await;
    assert!(Verdict::Done.is(&made), "{made}");
    let mut other = scene
        .enter(Transport::WebSocket, &token("bob", json!({})))
        .await;
    let taken = call(&mut other, "project:create", payload).await;
    assert_eq!(taken["ok"], false, "{taken}");
    let read = call(&mut other, "project:snapshot", json!("mine")).await;
    assert!(Verdict::NotFound.is(&read), "{read}");
}

/// The author is who has connected, whatever is said elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_writes_in_another_name() {
    let scene = Scene::set().await;
    scene.project("p").await;
    scene.add("p", "ann", "member").await;
    let auth = json!({"token": token("ann", json!({})), "userId": "founder"});
    for transport in Transport::ALL {
        let entered = Wire::enter(transport, &scene.server.address, &auth).await;
        let mut wire = entered.expect("a good token");
        let task = format!("by-{transport:?}");
        let payload = json!({"projectId": "p", "taskId": task, "title": "x", "userId": "founder",
            "createdBy": "founder", "updatedBy": "founder", "actor": "founder"});
        let made = call(&mut wire, "task:create", payload).await;
        assert_eq!(made["data"]["createdBy"], "ann", "{made}");
        assert_eq!(made["data"]["updatedBy"], "ann", "{made}");
    }
}

//! Who sees which projects, and that nobody can tell whether there are others.

use serde_json::{Value, json};

use crate::support::rest::Rest;
use crate::support::server::{Server, UNLIMITED};
use crate::support::tokens;

async fn closed() -> (Server, Rest) {
    let mut settings = tokens::REQUIRED.to_vec();
    settings.extend(UNLIMITED);
    let server = Server::start_with("sqlite::memory:", &settings).await;
    let rest = Rest::new(&server.address);
    let founder = rest.showing(&tokens::with_roles("founder", json!({"*": "owner"})));
    for id in ["a", "b", "c", "d"] {
        founder
            .post("/projects", &json!({"id": id}))
            .await
            .expect(201);
        founder
            .post(&format!("/projects/{id}/tasks"), &json!({"id": "t"}))
            .await
            .expect(201);
    }
    founder
        .post(
            "/projects/b/members",
            &json!({"userId": "ann", "role": "viewer"}),
        )
        .await
        .expect(201);
    founder
        .post("/projects/d/members", &json!({"userId": "ann"}))
        .await
        .expect(201);
    founder.delete("/projects/d/members/ann").await.expect(200);
    (server, rest)
}

async fn listed(rest: &Rest) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = rest
            .get(&format!("/projects?limit=1&cursor={cursor}"))
            .await
            .expect(200);
        let items = page["items"].as_array().expect("a list").iter();
        all.extend(items.map(|item| item["id"].as_str().expect("an id").to_owned()));
        match &page["nextCursor"] {
            Value::String(next) => cursor.clone_from(next),
            _ => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_has_what_its_reader_sees() {
    let (_server, rest) = closed().await;
    for (user, roles, expected) in [
        ("ann", json!({}), &["b"][..]),
        ("ann", json!({"c": "viewer"}), &["b", "c"]),
        ("ann", json!({"nowhere": "viewer"}), &["b"]),
        ("bob", json!({}), &[]),
        ("bob", json!({"*": "viewer"}), &["a", "b", "c", "d"]),
        ("founder", json!({}), &["a", "b", "c", "d"]),
    ] {
        let reader = rest.showing(&tokens::with_roles(user, roles.clone()));
        assert_eq!(listed(&reader).await, expected, "{user} {roles}");
    }
    // Who was removed stays out with a token that is older than that.
    let old = json!({"iat": tokens::now() - 60, "projects": {"*": "viewer"}});
    let reader = rest.showing(&tokens::with("ann", old));
    assert_eq!(listed(&reader).await, ["a", "b", "c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_missing_look_the_same() {
    let (_server, rest) = closed().await;
    let bob = rest.showing(&tokens::of("bob")).with("X-Request-Id", "r");
    for (method, below) in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/snapshot"),
        ("GET", "/events"),
        ("GET", "/events?wait=60"),
        ("GET", "/tasks"),
        ("GET", "/tasks/t"),
        ("GET", "/tasks/u"),
        ("POST", "/tasks"),
        ("PATCH", "/tasks/t"),
        ("DELETE", "/tasks/t"),
        ("GET", "/members"),
        ("GET", "/members/ann"),
        ("POST", "/commands"),
    ] {
        let body = match (method, below) {
            ("GET" | "DELETE", _) => None,
            (_, "/commands") => {
                Some(r#"{"commands":[{"event":"task:update","data":{"taskId":"t","a":1}}]}"#)
            }
            _ => Some(r#"{"a":1}"#),
        };
        let mut told = Vec::new();
        for project in ["a", "zzz"] {
            let path = format!("/projects/{project}{below}");
            let answer = bob.send(method, &path, body).await;
            if below != "/commands" {
                answer.problem(404, "not_found");
            }
            told.push((answer.status, answer.text()));
        }
        assert_eq!(told[0], told[1], "{method} {below}");
    }
}

//! Lists, their filters, and page after page of them.

use serde_json::{Value, json};

use super::open;
use crate::support::postgres::Postgres;
use crate::support::rest::Rest;
use crate::support::server::{Server, UNLIMITED};

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("a list").iter();
    let id = |item: &Value| item["id"].as_str().expect("an id").to_owned();
    items.map(id).collect()
}

/// The ids on all pages, and how many pages there are.
async fn walk(rest: &Rest, path: &str, limit: usize) -> (Vec<String>, usize) {
    let (mut all, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = rest
            .get(&format!("{path}?limit={limit}&cursor={cursor}"))
            .await
            .expect(200);
        let found = ids(&page);
        assert!(found.len() <= limit);
        all.extend(found);
        pages += 1;
        match &page["nextCursor"] {
            Value::String(next) => cursor.clone_from(next),
            next => {
                assert_eq!(*next, Value::Null);
                return (all, pages);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_on_sqlite() {
    pages(Server::start_with("sqlite::memory:", &UNLIMITED).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_on_postgres() {
    let postgres = Postgres::start();
    pages(Server::start_with(&postgres.create_database().await, &UNLIMITED).await).await;
}

async fn pages(server: Server) {
    let rest = Rest::new(&server.address);
    for number in 0..23 {
        let task = json!({"id": format!("t{number:02}"), "title": "x"});
        rest.post("/projects/p/tasks", &task).await.expect(201);
        let epic = json!({"id": format!("e{number:02}")});
        rest.post("/projects/p/epics", &epic).await.expect(201);
    }
    // Tasks come in the order of their cards, and others as they were made.
    let top = json!({"position": 0});
    rest.post("/projects/p/tasks/t22/move", &top)
        .await
        .expect(200);
    let mut expected: Vec<_> = (0..22).map(|number| format!("t{number:02}")).collect();
    expected.insert(0, "t22".to_owned());
    let tasks = "/projects/p/tasks";
    assert_eq!(walk(&rest, tasks, 5).await, (expected.clone(), 5));
    assert_eq!(walk(&rest, tasks, 23).await, (expected.clone(), 1));
    assert_eq!(walk(&rest, tasks, 500).await, (expected.clone(), 1));
    let (epics, _) = walk(&rest, "/projects/p/epics", 7).await;
    assert!(epics.is_sorted() && epics.len() == 23, "{epics:?}");
    // Whatever goes meanwhile, the place stays.
    let page = rest.get(&format!("{tasks}?limit=5")).await.expect(200);
    let next = page["nextCursor"].as_str().expect("there are more");
    for gone in ["t00", "t03", "t04"] {
        rest.delete(&format!("{tasks}/{gone}")).await.expect(200);
    }
    let rest_of_them = rest
        .get(&format!("{tasks}?limit=3&cursor={next}"))
        .await
        .expect(200);
    assert_eq!(ids(&rest_of_them), ["t05", "t06", "t07"]);
    let head = rest.get("/projects/p/snapshot").await.expect(200);
    assert_eq!(
        (&rest_of_them["seq"], &rest_of_them["cursor"]),
        (&head["seq"], &head["cursor"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_leave_out_what_is_not_asked_for() {
    let (_server, rest) = open().await;
    for task in [
        json!({"id": "a", "title": "Sow the seeds", "status": "todo", "assignee": "ann"}),
        json!({"id": "b", "title": "Water", "status": "done", "sprintId": 7, "assigneeId": "ann"}),
        json!({"id": "c", "description": "seeds", "epicId": "e", "status": "todo", "assignedTo": "bob"}),
    ] {
        rest.post("/projects/p/tasks", &task).await.expect(201);
    }
    for (query, expected) in [
        ("", &["a", "b", "c"][..]),
        ("status=todo", &["a", "c"]),
        ("sprintId=7", &["b"]),
        ("epicId=e", &["c"]),
        ("assignee=ann", &["a", "b"]),
        ("assignee=bob&status=todo", &["c"]),
        ("q=SEEDS", &["a", "c"]),
        ("q=%25", &[]),
        ("status=&limit=2", &["a", "b"]),
        ("status=nothing", &[]),
    ] {
        let page = rest
            .get(&format!("/projects/p/tasks?{query}"))
            .await
            .expect(200);
        assert_eq!(ids(&page), expected, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_listed_by_their_ids() {
    let (_server, rest) = open().await;
    assert_eq!(rest.get("/projects").await.expect(200)["items"], json!([]));
    for id in ["b", "a", "d", "c"] {
        let project = json!({"id": id, "title": format!("Project {id}")});
        rest.post("/projects", &project).await.expect(201);
    }
    rest.delete("/projects/c").await.expect(200);
    let all = ["a", "b", "d"].map(str::to_owned).to_vec();
    assert_eq!(walk(&rest, "/projects", 2).await, (all.clone(), 2));
    assert_eq!(walk(&rest, "/projects", 3).await, (all, 1));
    let found = rest.get("/projects?q=project%20B").await.expect(200);
    assert_eq!(ids(&found), ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_asked_for_is_named() {
    let (_server, rest) = open().await;
    rest.post("/projects", &json!({"id": "p"}))
        .await
        .expect(201);
    let cursor = rest.get("/projects/p/snapshot").await.expect(200)["cursor"].clone();
    let cursor = format!("cursor={}", cursor.as_str().expect("a text"));
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=501", "limit"),
        ("limit=x", "limit"),
        ("limit=-1", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=00", "cursor"),
        (&*cursor, "cursor"),
        ("status=%00", "status"),
        ("q=a%00", "q"),
    ] {
        let refused = rest.get(&format!("/projects/p/tasks?{query}")).await;
        let problem = refused.problem(422, "validation_failed");
        assert_eq!(problem["field"], field, "{query}");
    }
    for nowhere in ["/projects/nowhere/tasks", "/projects/nowhere/tasks/t"] {
        let problem = rest.get(nowhere).await.problem(404, "not_found");
        assert_eq!(problem["field"], "projectId", "{nowhere}");
    }
}

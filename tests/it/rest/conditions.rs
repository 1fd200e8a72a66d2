//! Versions as entity tags.

use serde_json::json;

use super::with_task;

const TASK: &str = "/projects/p/tasks/t";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_is_not_sent_again() {
    let (_server, rest) = with_task().await;
    for (known, status) in [
        ("\"1\"", 304),
        ("W/\"1\"", 304),
        ("\"7\", \"1\"", 304),
        ("*", 304),
        ("\"2\"", 200),
        ("\"01\"", 200),
    ] {
        let read = rest.with("If-None-Match", known).get(TASK).await;
        assert_eq!(
            (read.status, read.bytes.is_empty()),
            (status, status == 304),
            "{known}"
        );
        assert_eq!(read.header("etag"), Some("\"1\""), "{known}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn if_match_is_strict() {
    let (_server, rest) = with_task().await;
    rest.patch(TASK, &json!({"title": "U"})).await.expect(200);
    // Another field: merged, if it is only an expected version, and refused if it is a condition.
    for stale in ["\"1\"", "W/\"2\"", "\"\"", "\"1\", \"3\""] {
        let refused = rest
            .with("If-Match", stale)
            .patch(TASK, &json!({"points": 1}))
            .await;
        let problem = refused.problem(412, "precondition_failed");
        assert_eq!(problem["current"]["version"], 2, "{stale}");
        assert_eq!(problem["field"], "If-Match", "{stale}");
    }
    let expected = json!({"points": 1, "expectedVersion": 1});
    assert_eq!(
        rest.patch(TASK, &expected).await.expect(200)["merged"],
        true
    );
    let fresh = rest.with("If-Match", "\"9\", \"3\"");
    let changed = fresh.patch(TASK, &json!({"points": 2})).await;
    changed.expect(200);
    assert_eq!(changed.header("etag"), Some("\"4\""));
    fresh.delete(TASK).await.problem(412, "precondition_failed");
    rest.with("If-Match", "*").delete(TASK).await.expect(200);
    // What is refused anyway says so, whatever the condition.
    fresh
        .patch(TASK, &json!({"points": 3}))
        .await
        .problem(410, "gone");
}

/// A change of what nobody has seen makes it; not if it must be there.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_has_no_version() {
    let (_server, rest) = with_task().await;
    for condition in ["*", "\"0\"", "\"1\""] {
        let never = rest.with("If-Match", condition);
        let refused = never.patch("/projects/p/tasks/new", &json!({"a": 1})).await;
        let problem = refused.problem(412, "precondition_failed");
        assert!(problem.get("current").is_none(), "{problem}");
    }
    rest.get("/projects/p/tasks/new")
        .await
        .problem(404, "not_found");
    rest.patch("/projects/p/tasks/new", &json!({"a": 1}))
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_that_cannot_be_read_is_named() {
    let (_server, rest) = with_task().await;
    for strange in ["1", "\"1", "\"1\" \"2\"", ",", "*, \"1\""] {
        let refused = rest
            .with("If-Match", strange)
            .patch(TASK, &json!({"a": 1}))
            .await;
        let problem = refused.problem(422, "validation_failed");
        assert_eq!(problem["field"], "If-Match", "{strange}");
        let refused = rest.with("If-None-Match", strange).get(TASK).await;
        let problem = refused.problem(422, "validation_failed");
        assert_eq!(problem["field"], "If-None-Match", "{strange}");
    }
    assert_eq!(
        rest.get(TASK).await.header("etag"),
        Some("\"1\""),
        "nothing was changed"
    );
}

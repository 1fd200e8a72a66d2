//! What is told of each event, and what is left out.

use serde_json::{Value, json};

use super::*;
use crate::contract::data_schema::check_published;

fn read(event: &str, payload: &Value) -> (GithubEvent, Value) {
    let read = GithubEvent::read(event, &payload.to_string());
    let read = read.unwrap().unwrap();
    check_published(read.event_type, &read.data).unwrap();
    let data = serde_json::from_str(read.data.get()).unwrap();
    (read, data)
}

fn with(key: &str, value: Value) -> Value {
    let mut payload = json!({"action": "opened", "repository": {"full_name": "o/r", "id": 1, "private": true},
        "sender": {"login": "ann", "id": 7}, "installation": {"id": 9}});
    payload[key] = value;
    payload
}

#[test]
fn issue_and_its_comment_are_told_in_short() {
    let mut payload = with(
        "issue",
        json!({"number": 7, "title": "It\u{0} breaks", "state": "open", "html_url": "https://github.com/o/r/issues/7",
            "user": {"login": "bob"}, "labels": [{"name": "bug", "color": "f00"}], "assignees": [{"login": "cid"}],
            "body": "x".repeat(100_000), "pull_request": {"url": "…"}}),
    );
    payload["comment"] = json!({"html_url": "https://github.com/o/r/issues/7#c", "user": {"login": "dan"},
        "body": "é".repeat(3000)});
    let (event, mut data) = read("issue_comment", &payload);
    assert_eq!(
        (&*event.repository, event.event_type),
        ("o/r", "github_issue_update")
    );
    let excerpt = data["comment"]["excerpt"].take();
    assert_eq!(excerpt.as_str().unwrap().chars().count(), MAX_EXCERPT + 1);
    let expected = json!({"repository": "o/r", "event": "issue_comment", "action": "opened", "sender": "ann",
        "number": 7, "title": "It\u{fffd} breaks", "state": "open", "url": "https://github.com/o/r/issues/7",
        "author": "bob", "labels": ["bug"], "assignees": ["cid"], "isPullRequest": true,
        "comment": {"url": "https://github.com/o/r/issues/7#c", "author": "dan", "excerpt": null}});
    assert_eq!(data, expected);
}

#[test]
fn pull_request_and_its_review_are_told_in_short() {
    let mut payload = with(
        "pull_request",
        json!({"number": 8, "title": "Fix", "state": "closed", "merged": true, "draft": false, "html_url": "u",
            "user": {"login": "bob"}, "head": {"ref": "fix", "sha": "abc"}, "base": {"ref": "main", "sha": "def"}}),
    );
    payload["review"] =
        json!({"state": "approved", "html_url": "r", "user": {"login": "eve"}, "body": null});
    let (event, data) = read("pull_request_review", &payload);
    assert_eq!(event.event_type, "github_pr_update");
    let expected = json!({"repository": "o/r", "event": "pull_request_review", "action": "opened", "sender": "ann",
        "number": 8, "title": "Fix", "state": "closed", "url": "u", "author": "bob", "labels": [], "assignees": [],
        "draft": false, "merged": true, "head": "fix", "base": "main", "sha": "abc",
        "review": {"url": "r", "author": "eve", "state": "approved"}});
    assert_eq!(data, expected);
}

#[test]
fn runs_jobs_and_checks_are_workflow_updates() {
    let run = json!({"id": 5, "run_id": 4, "name": "n", "workflow_name": "CI", "status": "completed",
        "conclusion": "success", "html_url": "u", "head_branch": "main", "head_sha": "abc", "run_attempt": 2});
    for (event, workflow, job, run_id) in [
        ("workflow_run", json!("n"), None, 4),
        ("workflow_job", json!("CI"), Some(5), 4),
        ("check_run", json!("n"), None, 4),
        ("check_suite", json!("n"), None, 4),
    ] {
        let (read, data) = read(event, &with(event, run.clone()));
        assert_eq!(read.event_type, "github_workflow_update");
        assert_eq!(
            (&data["workflow"], &data["runId"]),
            (&workflow, &json!(run_id)),
            "{event}"
        );
        assert_eq!(data["jobId"].as_i64(), job, "{event}");
        assert_eq!(
            (&data["status"], &data["conclusion"]),
            (&json!("completed"), &json!("success"))
        );
    }
    let later = json!({"id": 5, "name": null, "status": "dreaming", "conclusion": "odd"});
    let (_, data) = read("check_suite", &with("check_suite", later));
    assert_eq!(
        (data.get("status"), &data["conclusion"]),
        (None, &Value::Null),
        "{data}"
    );
}

#[test]
fn other_events_are_none_and_other_payloads_are_refused() {
    for event in ["push", "star", "workflow_dispatch", "", "issues2"] {
        assert!(GithubEvent::read(event, "{").unwrap().is_none(), "{event}");
    }
    for payload in [
        json!({}),
        json!([]),
        with("issue", json!({"title": "no number"})),
        with("issue", json!(7)),
    ] {
        let refusal = GithubEvent::read("issues", &payload.to_string()).unwrap_err();
        assert_eq!(refusal.field(), Some("payload"), "{payload}");
    }
}

//! What fits the schemas, and what does not.

use serde_json::json;

use super::*;

fn checked(name: &str, data: &Value) -> Result<(), String> {
    let data = RawValue::from_string(data.to_string()).unwrap();
    check_data(name, &data).map_err(|reply| reply.field().unwrap().to_owned())
}

#[test]
fn every_schema_is_here_and_names_its_type() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/schemas");
    assert_eq!(folder.read_dir().unwrap().count(), DATA_SCHEMAS.len());
    assert_eq!(VALIDATORS.len(), DATA_SCHEMAS.len());
    for (name, text) in DATA_SCHEMAS {
        let schema: Value = serde_json::from_str(text).unwrap();
        assert_eq!(schema["title"], *name);
        assert_eq!(
            schema["$schema"],
            "https://json-schema.org/draft/2020-12/schema"
        );
    }
}

#[test]
fn what_is_wrong_is_named() {
    for (name, data, field) in [
        (
            "agent_status",
            json!({"agentId": "a", "status": 7}),
            "data.status",
        ),
        ("agent_status", json!({"agentId": [1]}), "data.agentId"),
        ("agent_status", json!("busy"), "data"),
        ("agent_status", json!({}), "data.agentId"),
        (
            "agent_metric",
            json!({"agentId": "a", "value": "x"}),
            "data.value",
        ),
        (
            "coverage_update",
            json!({"percentage": 101}),
            "data.percentage",
        ),
        ("error", json!({}), "data.error"),
        (
            "subscribe",
            json!({"resource": "a", "events": ["x", 1]}),
            "data.events.1",
        ),
    ] {
        assert_eq!(checked(name, &data), Err(field.to_owned()), "{name} {data}");
    }
}

#[test]
fn fields_that_are_needed_and_values_that_there_are_not_are_named() {
    for (name, data, field) in [
        (
            "agent_status",
            json!({"agentId": "a", "status": "flying"}),
            "data.status",
        ),
        ("agent_status", json!({"agentId": "a"}), "data.status"),
        (
            "agent_status",
            json!({"agentId": "a", "status": "busy", "metrics": {"tasksCompleted": -1}}),
            "data.metrics.tasksCompleted",
        ),
        ("agent_log", json!({"agentId": "a"}), "data.message"),
        ("agent_metric", json!({"agentId": "a"}), "data.value"),
        (
            "agent_task_update",
            json!({"agentId": "a", "taskId": 1, "progress": 101}),
            "data.progress",
        ),
        ("tdd_phase_change", json!({}), "data.currentPhase"),
        (
            "tdd_phase_change",
            json!({"currentPhase": "blue"}),
            "data.currentPhase",
        ),
        (
            "tdd_phase_change",
            json!({"currentPhase": "red", "testResults": {"failing": -1}}),
            "data.testResults.failing",
        ),
        (
            "tdd_phase_change",
            json!({"currentPhase": "red", "coverage": {"lines": 100.5}}),
            "data.coverage.lines",
        ),
        ("test_result", json!({"passed": -1}), "data.passed"),
        ("workflow_failed", json!({"workflowId": "w"}), "data.error"),
        ("github_pr_update", json!({"number": 7}), "data.repository"),
    ] {
        assert_eq!(checked(name, &data), Err(field.to_owned()), "{name} {data}");
    }
}

/// What connections and answers consist of may be empty; an event that says nothing is none.
#[test]
fn no_event_is_empty() {
    for (name, _) in DATA_SCHEMAS {
        let may_be_empty = NO_EVENTS.contains(name);
        assert!(may_be_empty || checked(name, &json!({})).is_err(), "{name}");
    }
}

#[test]
fn examples_of_the_agent_platform_fit() {
    for (name, data) in [
        (
            "agent_status",
            json!({"agentId": "coder-001", "agentType": "coder", "status": "busy",
                "currentTask": {"id": "task-789", "type": "implement_feature", "progress": 65},
                "metrics": {"cpuUsage": 45.2, "memoryUsage": 1_024_000_000, "tasksCompleted": 12}}),
        ),
        (
            "tdd_phase_change",
            json!({"agentId": "coder-001", "taskId": "task-789", "previousPhase": "red", "currentPhase": "green",
                "testResults": {"total": 45, "passing": 45, "failing": 0},
                "coverage": {"lines": 98.5, "branches": 95.2, "functions": 100}}),
        ),
    ] {
        assert_eq!(checked(name, &data), Ok(()), "{name}");
    }
}

#[test]
fn what_nobody_knows_is_let_through() {
    for (name, data) in [
        (
            "agent_status",
            json!({"agentId": 7, "status": "idle", "mood": {"deep": [1]}}),
        ),
        ("workflow_failed", json!({"workflow_id": "w", "error": "x"})),
        ("test_result", json!({"passed": true, "more": null})),
        ("custom", json!(7)),
    ] {
        assert_eq!(checked(name, &data), Ok(()), "{name} {data}");
    }
}

#[test]
fn a_refusal_is_short_whatever_was_sent() {
    let data = json!({"agentId": "a", "status": [("x".repeat(100_000))]});
    let data = RawValue::from_string(data.to_string()).unwrap();
    let reply = check_data("agent_status", &data).unwrap_err();
    assert!(reply.to_raw().get().len() < 1000);
}

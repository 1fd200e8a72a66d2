"""The fourth of the systems that were there before: agents at work. Everything is in an envelope, each type has a schema,
and whoever watches subscribes to agents and workflows. Written only from the messages that they exchange."""

import time
import uuid

import requests

from plain import Plain

PATH = "/ws/v1"
TYPES = {
    "agent_status": {"agentId": "coder-001", "status": "busy"},
    "agent_task_update": {"agentId": "coder-001", "taskId": "t1", "status": "running", "progress": 0.5},
    "agent_log": {"agentId": "coder-001", "level": "info", "message": "reading"},
    "agent_metric": {"agentId": "coder-001", "name": "tokens", "value": 1234},
    "agent_error": {"agentId": "coder-001", "error": {"message": "no"}},
    "tdd_phase_change": {"phase": "red", "previousPhase": None},
    "test_result": {"suite": "unit", "passed": 12, "failed": 0, "duration": 1.5},
    "coverage_update": {"percentage": 81.5},
    "workflow_started": {"workflowId": "w1", "name": "release"},
    "workflow_step_complete": {"workflowId": "w1", "step": "build"},
    "workflow_complete": {"workflowId": "w1", "result": "ok"},
    "workflow_failed": {"workflowId": "w1", "error": "no disk"},
    "system_notification": {"title": "Hello", "message": "World"},
    "system_alert": {"severity": "high", "message": "hot"},
    "deployment_status": {"environment": "production", "status": "done"},
    "github_issue_update": {"repository": "a/b", "number": 7, "action": "opened"},
    "github_pr_update": {"repository": "a/b", "number": 8, "action": "merged"},
    "github_workflow_update": {"repository": "a/b", "runId": 9, "status": "completed", "conclusion": "success"},
}
RESOURCES = ["agent:*", "workflow:*", "tdd", "system", "deployment", "github"]


def envelope(kind, data):
    return {
        "id": str(uuid.uuid4()),
        "type": kind,
        "timestamp": int(time.time() * 1000),
        "data": data,
        "metadata": {"version": "1.0", "source": "tests", "correlationId": None, "compressed": False},
    }


def ask(plain, kind, data, answer):
    message = envelope(kind, data)
    plain.send(message)
    answered = plain.next(answer)
    assert answered["metadata"]["correlationId"] == message["id"]
    return answered["data"]


def done(plain, kind, data):
    message = envelope(kind, data)
    plain.send(message)
    ack = plain.next("ack")
    assert set(ack) == {"id", "type", "timestamp", "data", "metadata"}
    assert ack["id"] == ack["metadata"]["correlationId"] == message["id"]
    return ack["data"]


def test_every_type_is_heard_by_those_who_watch(server):
    with Plain(server, PATH) as agent, Plain(server, PATH) as watcher:
        for plain in agent, watcher:
            hello = plain.next("connect")
            assert hello["data"]["status"] == "connected" and isinstance(hello["timestamp"], int)
            assert ask(plain, "auth_request", {"token": "none"}, "auth_success")["clientId"]
        for resource in RESOURCES:
            subscribed = ask(watcher, "subscribe", {"resource": resource}, "subscription_update")
            assert subscribed["subscriptionId"] and subscribed["status"] == "active"
        for kind, data in TYPES.items():
            assert done(agent, kind, data)["ok"] is True
            heard = watcher.next(kind)
            assert heard["data"] == data
            assert set(heard) == {"id", "type", "timestamp", "data", "metadata"}
            assert heard["metadata"]["version"] and heard["metadata"]["cursor"]
        assert ask(agent, "ping", {}, "pong") == {}
        agent.send("{")
        assert agent.next("error")["data"]["error"] == "Invalid message format"
        agent.send(envelope("disconnect", {"reason": "done"}))
        assert agent.closed() == 1000


def test_a_subscription_is_restored_with_a_cursor_and_ended_by_its_id(server):
    wish = {"resource": "workflow:*", "events": ["workflow_started", "workflow_complete"]}
    with Plain(server, PATH) as agent:
        with Plain(server, PATH) as watcher:
            ask(watcher, "subscribe", wish, "subscription_update")
            done(agent, "workflow_started", {"workflowId": "w1"})
            cursor = watcher.next("workflow_started")["metadata"]["cursor"]
        done(agent, "workflow_step_complete", {"workflowId": "w1", "step": 1})
        done(agent, "workflow_complete", {"workflowId": "w1"})
        with Plain(server, PATH) as watcher:
            subscribed = ask(watcher, "subscribe", wish | {"cursor": cursor}, "subscription_update")
            assert watcher.next("workflow_complete")["data"] == {"workflowId": "w1"}
            ended = {"subscriptionId": subscribed["subscriptionId"]}
            assert ask(watcher, "unsubscribe", ended, "subscription_update")["status"] == "ended"
            done(agent, "workflow_started", {"workflowId": "w2"})
            ask(watcher, "ping", {}, "pong")
            assert not [message for message in watcher.heard if message["type"].startswith("workflow_")]


def test_each_type_has_a_schema_to_which_it_is_held(server):
    listed = requests.get(f"{server.url}/api/schemas", timeout=10).json()["types"]
    assert set(TYPES) <= set(listed)
    for kind in listed:
        schema = requests.get(f"{server.url}/api/schemas/{kind}", timeout=10).json()
        assert schema["title"] == kind and schema["$schema"].endswith("2020-12/schema")
    with Plain(server, PATH) as agent:
        agent.next("connect")
        refused = done(agent, "agent_metric", {"agentId": "a", "value": "much"})
        assert (refused["ok"], refused["code"], refused["field"]) == (False, "validation_failed", "data.value")
        agent.send({"type": "agent_status", "data": {"status": "busy"}})
        assert agent.next("error")["data"]["field"] == "data.agentId"


def test_project_commands_are_acked(server):
    with Plain(server, PATH) as agent:
        agent.next("connect")
        agent.send({"type": "task:create", "data": {"projectId": "p", "title": "Draft"}, "id": "x"})
        ack = agent.next("ack")
        assert (ack["id"], ack["data"]["ok"], ack["data"]["data"]["title"]) == ("x", True, "Draft")

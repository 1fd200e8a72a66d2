"""`AutoSDLCWebSocket`: what the agent platform's page documents of it."""

from __future__ import annotations

import ast
import inspect
from typing import Any

from conftest import ROOT, eventually, run

from boardcast import AutoSDLCWebSocket

PAGE = ROOT / "tests/systems/snippets/d-agent-platform/07-sdk.py"


def test_the_class_has_the_methods_of_the_page() -> None:
    # The page shows heads of methods alone.
    source = "".join(f"{line}: ...\n" if "def " in line else f"{line}\n" for line in PAGE.read_text().splitlines())
    (documented,) = ast.parse(source).body
    assert isinstance(documented, ast.ClassDef)
    assert documented.name == AutoSDLCWebSocket.__name__
    for method in documented.body:
        assert isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
        ours = getattr(AutoSDLCWebSocket, method.name)
        assert list(inspect.signature(ours).parameters) == [arg.arg for arg in method.args.args]
        assert inspect.iscoroutinefunction(ours) == isinstance(method, ast.AsyncFunctionDef)


def test_events_of_an_agent_are_heard_by_the_names_of_the_page(server: Any) -> None:
    async def work() -> None:
        heard: list[tuple[str, Any]] = []
        sent = {
            "agent_status": {"agentId": "coder-001", "agentType": "coder", "status": "busy"},
            "agent_task_update": {"agentId": "coder-001", "taskId": "t", "status": "running"},
            "agent_metric": {"agentId": "coder-001", "name": "tokens", "value": 12},
        }

        async def heard_status(message: Any) -> None:
            heard.append(("status", message))

        client = AutoSDLCWebSocket(server.url)
        client.on("status", heard_status)
        client.on("agent_task_update", lambda message: heard.append(("agent_task_update", message)))
        stop = client.on("metrics", lambda message: heard.append(("metrics", message)))
        async with client, AutoSDLCWebSocket(f"{server.url}/ws/v1") as agent:
            await client.subscribe_to_agent("coder-001", ["status", "task_update", "metrics"])
            await agent.send("agent_log", {"agentId": "coder-001", "level": "info", "message": "unwanted"})
            for kind, data in sent.items():
                await agent.send(kind, data)
            await eventually(lambda: len(heard) == 3, "three events")
            stop()
            await agent.send("agent_metric", sent["agent_metric"])
            await agent.send("agent_status", sent["agent_status"])
            await eventually(lambda: len(heard) == 4, "another status")
        assert [name for name, _ in heard] == ["status", "agent_task_update", "metrics", "status"]
        for (_, message), (kind, data) in zip(heard, sent.items(), strict=False):
            assert (message["type"], message["data"]) == (kind, data)
            assert {"id", "type", "timestamp", "data", "metadata"} <= set(message)

    run(work())

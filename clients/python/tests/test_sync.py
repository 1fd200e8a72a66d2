"""The clients without asyncio, and the publisher."""

from __future__ import annotations

import queue
import signal
import threading
from typing import Any

import pytest

from boardcast import AuthenticationError, Backoff, ClosedError, Publisher, RefusedError
from boardcast.sync import AutoSDLCWebSocket, BoardcastSocket

DEADLINE_S = 20
SOON = Backoff(first=0.01, limit=0.05)


def test_a_client_without_asyncio_hears_sends_and_comes_back(server: Any) -> None:
    heard: queue.Queue[Any] = queue.Queue()
    with BoardcastSocket(f"{server.url}/ws", backoff=SOON) as client:

        def ask(message: Any) -> None:
            # A handler may block, and ask the client that has called it.
            heard.put((message.data, client.send("task:create", {"projectId": "p", "title": "x"})["seq"]))

        stop = client.on("n", ask)
        client.subscribe("session:s")
        Publisher(server.url).publish("session:s", "n", 1)
        assert heard.get(timeout=DEADLINE_S) == (1, 1)
        server.stop(signal.SIGKILL)
        server.start()
        Publisher(server.url).publish("session:s", "n", 2)
        assert heard.get(timeout=DEADLINE_S) == (2, 2)
        stop()
        assert client.is_connected and client.client_id and client.cursor
        with pytest.raises(RefusedError):
            client.send("task:update", {"projectId": "p"})
        client.post("typing", {"projectId": "p"})
        client.unsubscribe("session:s")
    with pytest.raises(ClosedError):
        client.send("ping")
    client.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "boardcast"]


def test_agents_without_asyncio(server: Any) -> None:
    heard: queue.Queue[Any] = queue.Queue()
    with AutoSDLCWebSocket(server.url) as client, AutoSDLCWebSocket(server.url) as agent:
        client.on("status", heard.put)
        assert client.subscribe_to_agent("a", ["status"])
        agent.send("agent_status", {"agentId": "a", "status": "busy"})
        assert heard.get(timeout=DEADLINE_S)["data"]["status"] == "busy"


def test_a_publication_has_one_effect_and_waits_for_the_server(server: Any) -> None:
    publisher = Publisher(server.url, backoff=Backoff(first=0.01, limit=0.05))
    assert publisher.publish("session:s", "n", {"a": 1}, idempotency_key="k")["seq"] == 1
    again = publisher.publish("session:s", "n", {"a": 1}, idempotency_key="k")
    assert (again["seq"], again["duplicate"]) == (1, True)
    server.stop(signal.SIGKILL)
    answers: queue.Queue[Any] = queue.Queue()
    waiting = threading.Thread(target=lambda: answers.put(publisher.publish("session:s", "n", {"a": 2})))
    waiting.start()
    server.start()
    assert answers.get(timeout=DEADLINE_S)["seq"] == 2
    waiting.join()
    results = publisher.publish_many([{"channel": "session:s", "type": "n"}, {"channel": "", "type": "n"}])
    assert [result["ok"] for result in results] == [True, False]
    with pytest.raises(RefusedError) as refused:
        publisher.publish("session:s", "ack", {})
    assert refused.value.code == "validation_failed"
    with pytest.raises(TimeoutError):
        Publisher("http://127.0.0.1:1", timeout=0.05).publish("session:s", "n")


@pytest.mark.parametrize(
    "server", [{"AUTH_REQUIRED": "true", "AUTH_SECRET": "a secret of thirty-two characters"}], indirect=True
)
def test_a_publisher_without_a_token_is_told_so(server: Any) -> None:
    with pytest.raises(AuthenticationError):
        Publisher(server.url).publish("session:s", "n")


def test_clients_that_are_connected_are_reached_without_a_key(server: Any) -> None:
    heard: queue.Queue[Any] = queue.Queue()
    with BoardcastSocket(server.url) as client:
        client.on("n", lambda message: heard.put(message.data))
        publisher = Publisher(server.url)
        assert publisher.publish("broadcast", "n", 1)["reached"] == 1
        assert publisher.publish(f"client:{client.client_id}", "n", 2)["reached"] == 1
        assert publisher.publish("client:nobody", "n", 3)["reached"] == 0
        assert [heard.get(timeout=DEADLINE_S) for _ in range(2)] == [1, 2]

"""Connections are cut fifty times, and the server is killed among them: nothing is lost or doubled, and all is in order."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
from typing import Any

import pytest
from conftest import eventually, proxied, run

from boardcast import AutoSDLCWebSocket, Backoff, BoardcastSocket, Message, Publisher

CUTS = int(os.environ.get("RECOVERY_CUTS", "50"))
KILLED_AT = (CUTS // 4, CUTS // 2, 3 * CUTS // 4)
PAUSE_S = 0.03
SOON = {"first": 0.01, "limit": 0.05}


class Stream:
    """A backend that publishes numbers on two channels, one after the other, until it is stopped."""

    def __init__(self, server: Any) -> None:
        self.count = 0
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(server,))
        self._thread.start()

    def stop(self) -> None:
        self._is_stopped.set()
        self._thread.join()

    def _run(self, server: Any) -> None:
        while not self._is_stopped.is_set():
            data = {"number": self.count, "agentId": "a", "message": "x"}
            # A new one each time: a server that was killed comes back on the same port.
            publisher = Publisher(server.url, backoff=Backoff(**SOON))
            publisher.publish("session:s", "n", data)
            publisher.publish("agent:a", "agent_log", data)
            self.count += 1
            self._is_stopped.wait(0.005)


@pytest.mark.parametrize("path", ["/ws", "/ws/v1"])
def test_nothing_is_lost_or_doubled_however_often_it_is_cut(server: Any, path: str) -> None:
    async def work() -> None:
        chance = random.Random(17)
        heard: dict[str, list[int]] = {"n": [], "agent_log": []}
        async with proxied(server) as proxy:
            client = BoardcastSocket(proxy.url + path, backoff=Backoff(**SOON))
            connected = 0

            def count(is_connected: bool) -> None:
                nonlocal connected
                connected += is_connected

            def take(message: Message) -> None:
                heard[message.type].append(message.data["number"])

            client.on_connection(count)
            for kind in heard:
                client.on(kind, take)
            commands: list[asyncio.Task[Any]] = []
            async with client:
                await client.subscribe("session:s", types=["n"])
                await client.subscribe("agent:*")
                stream = Stream(server)
                try:
                    for cut in range(CUTS):
                        await asyncio.sleep(chance.random() * PAUSE_S)
                        command = client.send("task:create", {"projectId": "p", "title": str(cut)})
                        commands.append(asyncio.create_task(command))
                        if cut in KILLED_AT:
                            server.stop(signal.SIGKILL)
                            await asyncio.to_thread(server.start)
                        elif cut % 7 == 0:
                            proxy.block()
                            await asyncio.sleep(chance.random() * PAUSE_S)
                            proxy.unblock()
                        # Sometimes in the middle of connecting.
                        elif cut % 3:
                            await eventually(lambda: client.is_connected, "a connection")
                        proxy.cut()
                finally:
                    await asyncio.to_thread(stream.stop)
                acks = await asyncio.gather(*commands)
                await eventually(lambda: all(len(numbers) >= stream.count for numbers in heard.values()), "everything")
                snapshot = await client.send("project:snapshot", {"projectId": "p"})
            assert connected > CUTS // 3
        for numbers in heard.values():
            assert numbers == list(range(stream.count))
        assert stream.count >= 10
        assert all(ack["ok"] for ack in acks)
        # Each command has had its effect, once, in the order in which they were sent.
        tasks = snapshot["tasks"] if "tasks" in snapshot else snapshot["data"]["tasks"]
        assert [task["title"] for task in tasks] == [str(cut) for cut in range(CUTS)]

    run(work())


def test_an_agent_is_followed_across_cuts(server: Any) -> None:
    async def work() -> None:
        heard: list[float] = []
        async with proxied(server) as proxy:
            client = AutoSDLCWebSocket(proxy.url, backoff=Backoff(**SOON))
            client.on("metrics", lambda message: heard.append(message["data"]["value"]))
            async with client, AutoSDLCWebSocket(server.url) as agent:
                assert await client.subscribe_to_agent("a", ["metrics"])
                for number in range(10):
                    await agent.send("agent_metric", {"agentId": "a", "name": "tokens", "value": number})
                    proxy.cut()
                await eventually(lambda: len(heard) >= 10, "ten metrics")
        assert heard == list(range(10))

    run(work())

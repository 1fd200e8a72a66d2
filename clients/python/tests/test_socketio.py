"""Socket.IO: handlers of one argument, and a position that outlives connections."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

from conftest import eventually, proxied, run

from boardcast.socketio import AsyncClient, Client

SOON = {"reconnection_delay": 0.02, "reconnection_delay_max": 0.1, "randomization_factor": 0}


def test_handlers_have_one_argument_and_miss_nothing(server: Any) -> None:
    async def work() -> None:
        titles: list[str] = []
        sio, writer = AsyncClient(**SOON), AsyncClient(**SOON)

        @sio.on("task:created")
        def created(task: dict[str, Any]) -> None:
            if task["title"] not in titles:
                titles.append(task["title"])

        async with proxied(server) as proxy:
            # A program that names itself is known by no header.
            await sio.open(proxy.url, headers={"User-Agent": "ours/1.0"}, transports=["websocket"])
            await writer.open(server.url)
            await sio.call("join:project", "p")
            for number in range(10):
                if number == 5:
                    server.stop(signal.SIGKILL)
                    await asyncio.to_thread(server.start)
                    await eventually(lambda: writer.connected, "the writer to be back")
                answer = await writer.call("task:create", {"projectId": "p", "title": str(number)})
                assert answer["ok"], answer
                proxy.cut()
            await eventually(lambda: len(titles) == 10, "ten tasks")
            await sio.disconnect()
            await writer.disconnect()
        assert titles == [str(number) for number in range(10)]

    run(work())


def test_without_asyncio(server: Any) -> None:
    titles: list[str] = []
    sio = Client(**SOON)
    sio.on("task:created", lambda task: titles.append(task["title"]))
    sio.open(server.url)
    assert sio.call("join:project", "p")["ok"]
    sio.emit("task:create", {"projectId": "p", "title": "Paint"})
    run(eventually(lambda: titles == ["Paint"], "the task"))
    sio.disconnect()

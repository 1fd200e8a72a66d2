"""A program as users write it: `scripts/packages` checks it with `mypy --strict` against what was installed. Not run."""

from collections.abc import Callable
from typing import assert_type

from boardcast import AutoSDLCWebSocket, BoardcastSocket, Message, Publisher, RefusedError
from boardcast.sync import BoardcastSocket as BlockingSocket


async def listens(url: str) -> str | None:
    socket = BoardcastSocket(url, session_id="42", token="t")

    def progress(message: Message) -> None:
        assert_type(message.type, str)

    stop: Callable[[], None] = socket.on("ai_progress", progress)
    async with socket:
        await socket.subscribe("project:demo", types=["task:created"])
        try:
            await socket.send("task:create", {"projectId": "demo", "title": "Paint the door"})
        except RefusedError as refused:
            return refused.code
        stop()
    return None


async def watches(url: str) -> None:
    client = AutoSDLCWebSocket(url)
    await client.connect()
    await client.subscribe_to_agent("coder-001", ["status"])


def blocks(url: str) -> None:
    with BlockingSocket(url) as socket:
        socket.send("task:create", {"projectId": "demo", "title": "Paint"})
    Publisher(url).publish("session:42", "ai_progress", {"progress": {"chunksReceived": 3}})


# What must be refused: `warn_unused_ignores` of `--strict` tells if it is not.
BoardcastSocket(url=7)  # type: ignore[arg-type]

"""The client of an agent platform: what agents do, as it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from .address import Token
from .connection import BoardcastSocket
from .dispatcher import Handler, Unsubscribe
from .message import Message

_EVENTS = {
    "status": "agent_status",
    "task_update": "agent_task_update",
    "metrics": "agent_metric",
    "log": "agent_log",
    "logs": "agent_log",
    "error": "agent_error",
}
"""Names of an agent's events, and the types of their messages."""


class AutoSDLCWebSocket:
    """A connection to `/ws/v1` whose handlers get whole messages: `{"id", "type", "timestamp", "data", "metadata"}`.

    Args:
        url: the server or its `/ws/v1`, such as `ws://localhost:8002`.
        token: a JWT or an API key, or a function that answers one for each connection.
        api_key: an API key.
        options: see `BoardcastSocket`.
    """

    def __init__(
        self, url: str, token: Token | None = None, *, api_key: str | None = None, **options: Any
    ) -> None:
        base = url.rstrip("/")
        address = base if base.endswith("/ws/v1") else f"{base.removesuffix('/ws')}/ws/v1"
        self.socket = BoardcastSocket(address, token=token, api_key=api_key, **options)
        """The connection itself, for whatever is not here."""

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.disconnect()

    async def connect(self) -> None:
        """Connects, and waits until the server has greeted the client."""
        await self.socket.connect()

    async def disconnect(self) -> None:
        """Ends the connection for good."""
        await self.socket.close()

    async def subscribe_to_agent(self, agent_id: str, events: Iterable[str]) -> str:
        """Subscribes to events of an agent, across reconnects; answers the id of the subscription.

        Args:
            agent_id: the agent's id, or `*` for all of them.
            events: `status`, `task_update`, `metrics`, or types of messages such as `agent_log`; none means all.
        """
        types = [_EVENTS.get(event, event) for event in events]
        said = await self.socket.subscribe(f"agent:{agent_id}", types=types)
        return str(said["subscriptionId"])

    def on(self, event: str, handler: Handler[Mapping[str, Any]]) -> Unsubscribe:
        """Calls `handler` with each message of a type; answers a function that ends that.

        Args:
            event: a type such as `agent_status`, the name that `subscribe_to_agent` takes, or `*` for every message.
            handler: a function or a coroutine function of one argument, the message.
        """
        # An `error` alone is the server's word, not an agent's.
        kind = event if event == "error" else _EVENTS.get(event, event)
        call: Callable[[Message], object] = lambda message: handler(message.raw)  # noqa: E731
        return self.socket.on(kind, call)

    async def send(self, event: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Publishes an event, such as `agent_status` of an agent, and waits until it is in the log."""
        return await self.socket.send(event, dict(data))

"""The same clients for programs without asyncio. Each has a thread of its own in which its connection lives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

from . import agents, connection
from .dispatcher import Unsubscribe
from .errors import ClosedError
from .message import Json, Message

T = TypeVar("T")


class _Loop:
    """An event loop in a thread, and another thread in which handlers are called one after the other: they may block, and
    ask the same client."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="boardcast", daemon=True)
        self._handlers = ThreadPoolExecutor(1, thread_name_prefix="boardcast-handlers")
        self._is_closed = False
        self._thread.start()

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs `work` in the loop, and waits for it."""
        if self._is_closed:
            work.close()
            raise ClosedError("the client was closed")
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a client without asyncio cannot be asked from within its own event loop")
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def run(self, work: Callable[[], T]) -> T:
        """Runs a function in the loop, and waits for it."""

        async def act() -> T:
            return work()

        return self.call(act())

    def handler(self, handler: Callable[[T], object]) -> Callable[[T], Coroutine[Any, Any, None]]:
        """A handler for the loop that calls one in the handlers' thread, and waits for it."""

        async def call(message: T) -> None:
            await self.loop.run_in_executor(self._handlers, handler, message)

        return call

    def close(self) -> None:
        """Ends both threads. A handler that runs is not waited for."""
        if not self._is_closed:
            self._is_closed = True
            self.loop.call_soon_threadsafe(self.loop.stop)
            if threading.current_thread() is not self._thread:
                self._thread.join()
                self.loop.close()
            self._handlers.shutdown(wait=False, cancel_futures=True)


class BoardcastSocket:
    """See `boardcast.BoardcastSocket`. Handlers are called in a thread of their own, one after the other."""

    def __init__(self, url: str, **options: Any) -> None:
        self._loop = _Loop()
        self._socket = self._loop.run(lambda: connection.BoardcastSocket(url, **options))

    def __enter__(self) -> Self:
        try:
            self.connect()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_connected(self) -> bool:
        """Whether the server has greeted the client and the connection has not ended since."""
        return self._socket.is_connected

    @property
    def client_id(self) -> str | None:
        """The id that the server has given to the last connection."""
        return self._socket.client_id

    @property
    def cursor(self) -> str | None:
        """How far messages have been handled."""
        return self._socket.cursor

    def connect(self, timeout: float | None = None) -> None:
        """Connects, and waits until the server has greeted the client."""
        self._loop.call(self._socket.connect(timeout))

    def close(self) -> None:
        """Ends the connection for good."""
        try:
            self._loop.call(self._socket.close())
        except ClosedError:
            return
        self._loop.close()

    def on(self, kind: str, handler: Callable[[Message], object]) -> Unsubscribe:
        """Calls `handler` with each message of the type, or of every type with `*`; answers a function that ends that."""
        off = self._loop.run(lambda: self._socket.on(kind, self._loop.handler(handler)))
        return lambda: self._loop.run(off)

    def subscribe(self, channel: str, *, types: Iterable[str] = (), cursor: str | None = None) -> Mapping[str, Any]:
        """Subscribes to a channel, until `unsubscribe` and across reconnects."""
        return self._loop.call(self._socket.subscribe(channel, types=types, cursor=cursor))

    def unsubscribe(self, channel: str) -> None:
        """Ends all subscriptions to a channel."""
        self._loop.call(self._socket.unsubscribe(channel))

    def send(
        self, kind: str, data: Json = None, *, idempotency_key: str | None = None, timeout: float | None = None
    ) -> Mapping[str, Any]:
        """Sends a message, and waits for its answer."""
        return self._loop.call(self._socket.send(kind, data, idempotency_key=idempotency_key, timeout=timeout))

    def post(self, kind: str, data: Json = None) -> None:
        """Sends a message without waiting for an answer, once there is a connection."""
        self._loop.run(lambda: self._socket.post(kind, data))


class AutoSDLCWebSocket:
    """See `boardcast.AutoSDLCWebSocket`. Handlers are called in a thread of their own, one after the other."""

    def __init__(self, url: str, token: str | None = None, **options: Any) -> None:
        self._loop = _Loop()
        self._client = self._loop.run(lambda: agents.AutoSDLCWebSocket(url, token, **options))

    def __enter__(self) -> Self:
        try:
            self.connect()
        except BaseException:
            self.disconnect()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    def connect(self) -> None:
        """Connects, and waits until the server has greeted the client."""
        self._loop.call(self._client.connect())

    def disconnect(self) -> None:
        """Ends the connection for good."""
        try:
            self._loop.call(self._client.disconnect())
        except ClosedError:
            return
        self._loop.close()

    def subscribe_to_agent(self, agent_id: str, events: Iterable[str]) -> str:
        """Subscribes to events of an agent, across reconnects; answers the id of the subscription."""
        return self._loop.call(self._client.subscribe_to_agent(agent_id, events))

    def on(self, event: str, handler: Callable[[Mapping[str, Any]], object]) -> Unsubscribe:
        """Calls `handler` with each message of a type; answers a function that ends that."""
        off = self._loop.run(lambda: self._client.on(event, self._loop.handler(handler)))
        return lambda: self._loop.run(off)

    def send(self, event: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Publishes an event, and waits until it is in the log."""
        return self._loop.call(self._client.send(event, data))

"""Hands messages to their handlers: one after the other, in the order in which they came."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
Handler: TypeAlias = Callable[[T], Awaitable[object] | object]
"""A function, or a coroutine function, of one argument."""
Unsubscribe: TypeAlias = Callable[[], None]
"""Ends what has answered it."""

OVERFULL = 16
"""How many times the limit may wait while a handler waits for an answer."""

_log = logging.getLogger("boardcast")


class Dispatcher(Generic[T]):
    """The handlers, and the messages that wait for them. A handler that fails is logged and stops no other."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._handlers: dict[str, list[Handler[T]]] = {}
        self._waiting: deque[tuple[str, T, Callable[[], None]]] = deque()
        self._arrived = asyncio.Event()
        self._changed = asyncio.Event()

    @property
    def is_empty(self) -> bool:
        """Whether all messages have been handed to their handlers."""
        return not self._waiting

    @property
    def is_full(self) -> bool:
        """Whether as many messages wait as the limit says."""
        return len(self._waiting) >= self._limit

    @property
    def is_overfull(self) -> bool:
        """Whether so many messages wait that no other can be taken."""
        return len(self._waiting) >= OVERFULL * self._limit

    def on(self, kind: str, handler: Handler[T]) -> Unsubscribe:
        """Calls `handler` with each message of that type, or of every type with `*`."""
        handlers = self._handlers.setdefault(kind, [])
        handlers.append(handler)

        def off() -> None:
            if handler in handlers:
                handlers.remove(handler)

        return off

    def push(self, kind: str, message: T, handled: Callable[[], None]) -> None:
        """Queues a message; `handled` is called once its handlers have been."""
        self._waiting.append((kind, message, handled))
        self._arrived.set()

    def wake(self) -> None:
        """Wakes who waits for a change."""
        self._changed.set()

    async def changed(self) -> None:
        """Waits until a message has been handed over, or for `wake`."""
        self._changed.clear()
        await self._changed.wait()

    async def run(self) -> None:
        """Calls handlers until it is cancelled."""
        while True:
            while self._waiting:
                kind, message, handled = self._waiting.popleft()
                self._changed.set()
                for handler in [*self._handlers.get(kind, []), *self._handlers.get("*", [])]:
                    await self._call(handler, kind, message)
                handled()
            self._arrived.clear()
            await self._arrived.wait()

    async def _call(self, handler: Handler[T], kind: str, message: T) -> None:
        try:
            result = handler(message)
            if inspect.isawaitable(result):
                await result
        except Exception:
            _log.exception("a handler of %s failed", kind)

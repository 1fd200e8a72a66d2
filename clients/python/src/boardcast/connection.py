"""A client of plain WebSockets that comes back by itself and misses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from .address import Address, Token
from .backoff import Backoff
from .dispatcher import Dispatcher, Handler, Unsubscribe
from .errors import BoardcastError, ClosedError, RefusedError
from .history import History
from .keys import with_key
from .message import Envelope, Flat, Format, Json, Message
from .outbox import Entry, Outbox
from .refusal import refusal

_log = logging.getLogger("boardcast")

_GREETING_S = 10.0
_FIRST_PING = "boardcast-python-first"
_MAX_MESSAGE = 128 * 1024 * 1024


class BoardcastSocket:
    """A connection to `/ws` or `/ws/v1`.

    A connection that ends is replaced after a delay that grows. The new one goes on after the last cursor: with the same
    subscriptions, and with everything that happened meanwhile, once and in order. What was sent meanwhile waits, up to a
    limit.

    Args:
        url: the address, such as `ws://localhost:8002/ws`. `http` and `https` are the same as `ws` and `wss`.
        token: a JWT or an API key, or a function that answers one for each connection.
        api_key: an API key.
        user_id: the user, on a server that verifies no tokens; subscribes to `user:<id>`.
        session_id: subscribes to `session:<id>`.
        channels: subscribes to these.
        cursor: goes on after it, such as one that a former process has kept.
        headers: sent with each request to connect.
        compressed: at `/ws/v1`, data of more than 1 kB is compressed, in both directions.
        max_queue: the most messages that wait for their answers.
        answer_timeout: how long to wait for an answer, in seconds, while the connection is there or not.
        backoff: how long to wait before the next attempt to connect.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token | None = None,
        api_key: str | None = None,
        user_id: str | None = None,
        session_id: str | None = None,
        channels: Iterable[str] = (),
        cursor: str | None = None,
        headers: Mapping[str, str] | None = None,
        compressed: bool = False,
        max_queue: int = 1000,
        max_queue_chars: int = 8 * 1024 * 1024,
        handler_queue: int = 1024,
        answer_timeout: float = 30.0,
        backoff: Backoff | None = None,
    ) -> None:
        said = (token, api_key, user_id, session_id, tuple(channels), dict(headers or {}), compressed)
        self._address = Address(url, *said)
        self._address.websocket(None)  # a bad one is told at once
        self._format: Format = Envelope(compressed=compressed) if self._address.is_envelope() else Flat()
        self._history = History(cursor=cursor, handled=cursor)
        self._outbox = Outbox(max_queue, max_queue_chars)
        self._dispatcher: Dispatcher[Message] = Dispatcher(handler_queue)
        self._answer_timeout = answer_timeout
        self._backoff = backoff or Backoff()
        self._watchers: list[Callable[[bool], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._greeted = asyncio.Event()
        self._to_write = asyncio.Event()
        self._ended: BoardcastError | None = None
        self._greeting: Message | None = None
        self._socket: ClientConnection | None = None
        self._is_overfull = False
        self._catching_up: asyncio.Task[None] | None = None

    @property
    def is_connected(self) -> bool:
        """Whether the server has greeted the client and the connection has not ended since."""
        return self._greeted.is_set()

    @property
    def client_id(self) -> str | None:
        """The id that the server has given to the last connection."""
        return None if self._greeting is None else self._format.said(self._greeting).get("clientId")

    @property
    def cursor(self) -> str | None:
        """How far messages have been handled. A process that keeps it can go on from there: `BoardcastSocket(…, cursor=…)`."""
        return self._history.handled

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def connect(self, timeout: float | None = None) -> None:
        """Connects, and waits until the server has greeted the client. Attempts go on after a failure.

        Raises:
            AuthenticationError: the server does not accept the credential.
            TimeoutError: the server was not reached in time; attempts go on.
        """
        if self._ended is not None:
            raise self._ended
        if not self._tasks:
            run = [self._run(), self._dispatcher.run()]
            self._tasks = [asyncio.create_task(each) for each in run]
        greeted = asyncio.ensure_future(self._greeted.wait())
        try:
            async with asyncio.timeout(timeout):
                await asyncio.wait({greeted, self._tasks[0]}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            greeted.cancel()
        if self._ended is not None:
            raise self._ended

    async def close(self) -> None:
        """Ends the connection for good. What has not been answered fails with `ClosedError`."""
        self._end(ClosedError("the client was closed"))
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def on(self, kind: str, handler: Handler[Message]) -> Unsubscribe:
        """Calls `handler` with each message of the type, or of every type with `*`; answers a function that ends that.

        Handlers are called one after the other, in the order of the messages; a coroutine function is awaited.
        """
        return self._dispatcher.on(kind, handler)

    def on_connection(self, watcher: Callable[[bool], None]) -> Unsubscribe:
        """Calls `watcher` with `True` when the client has connected, and with `False` when the connection has ended."""
        self._watchers.append(watcher)

        def off() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return off

    async def subscribe(
        self, channel: str, *, types: Iterable[str] = (), cursor: str | None = None
    ) -> Mapping[str, Any]:
        """Subscribes to a channel, until `unsubscribe` and across reconnects; answers what the server says.

        Args:
            channel: such as `session:42`, `project:demo`, `agent:*`.
            types: only events of these types.
            cursor: what came after it is heard first.
        """
        if cursor is not None:
            self._history.forget_seqs(channel)
        kinds = list(types)
        data = self._format.subscription(channel, kinds, cursor)
        said = await self._ask("subscribe", data)
        request = self._format.subscription(channel, kinds, None)
        self._history.subscribed(channel, request, replaces=isinstance(self._format, Flat))
        return said

    async def subscribe_with(self, request: Mapping[str, Json]) -> Mapping[str, Any]:
        """Subscribes as `request` says, such as `{"agentId": "coder-001", "events": ["status"]}` at `/ws/v1`."""
        data = dict(request)
        said = await self._ask("subscribe", data)
        channel = said.get("resource") or said.get("channel")
        self._history.subscribed(str(channel), data, replaces=isinstance(self._format, Flat))
        return said

    async def unsubscribe(self, channel: str) -> None:
        """Ends all subscriptions to a channel."""
        self._history.unsubscribed(channel)
        await self._ask("unsubscribe", self._format.subscription(channel, (), None))

    async def send(
        self, kind: str, data: Json = None, *, idempotency_key: str | None = None, timeout: float | None = None
    ) -> Mapping[str, Any]:
        """Sends a message, and waits for its answer: that it has had its effect, which is in the database.

        While there is no connection it waits. Commands (`task:create`) are sent again if the connection ends before their
        answer has come, and have one effect; for other types see `UnconfirmedError`.

        Raises:
            RefusedError: the server has refused it.
            UnconfirmedError: the connection ended before the answer came.
            QueueFullError: too many messages wait.
            TimeoutError: the answer did not come in time.
        """
        keyed, is_keyed = with_key(kind, {} if data is None else data, idempotency_key)
        return await self._ask(kind, keyed, repeatable=is_keyed, timeout=timeout)

    def post(self, kind: str, data: Json = None) -> None:
        """Sends a message without waiting for an answer, once there is a connection.

        Raises:
            QueueFullError: too many messages wait.
        """
        text = self._format.write(kind, {} if data is None else data, None)
        self._put(Entry(uuid.uuid4().hex, text, repeatable=False, wants_answer=False))

    async def _ask(
        self, kind: str, data: Json, *, repeatable: bool = True, timeout: float | None = None
    ) -> Mapping[str, Any]:
        message_id = uuid.uuid4().hex
        entry = Entry(message_id, self._format.write(kind, data, message_id), repeatable)
        self._put(entry)
        try:
            async with asyncio.timeout(self._answer_timeout if timeout is None else timeout):
                answer = await entry.answer
        finally:
            self._outbox.remove(message_id)
        said = self._format.said(answer)
        if answer.type == "error" or said.get("ok") is False:
            raise RefusedError(said)
        return said

    def _put(self, entry: Entry) -> None:
        if self._ended is not None:
            raise self._ended
        self._outbox.add(entry)
        self._to_write.set()
        self._dispatcher.wake()

    def _end(self, error: BoardcastError) -> None:
        self._ended = self._ended or error
        self._outbox.fail_all(self._ended)

    async def _run(self) -> None:
        """Connects again and again, until the client is closed or not let in."""
        while True:
            try:
                await self._run_once()
            except (OSError, TimeoutError, EOFError, InvalidHandshake, ConnectionClosed) as error:
                fatal = refusal(error, may_get_fresh_token=self._address.may_get_fresh_token())
                if fatal is not None:
                    self._end(fatal)
                    return
                _log.info("the connection has ended: %s", error)
            except Exception:
                # Such as a message that is no JSON, or a function for tokens that fails: the next attempt may succeed.
                _log.exception("the connection has failed")
            await asyncio.sleep(self._backoff.next())

    async def _run_once(self) -> None:
        headers = await self._address.credentials()
        url = self._address.websocket(self._history.cursor)
        socket = await connect(url, additional_headers=headers, max_size=_MAX_MESSAGE, compression=None, close_timeout=3)
        self._socket = socket
        self._is_overfull = False
        try:
            await self._serve(socket)
        finally:
            self._socket = None
            was_connected = self._greeted.is_set()
            self._greeted.clear()
            self._outbox.give_up_unconfirmed()
            if was_connected:
                self._tell(False)
            await socket.close()

    async def _serve(self, socket: ClientConnection) -> None:
        """Reads until the connection ends."""
        if self._format.asks_for_greeting:
            await socket.send(self._format.write("ping", {}, _FIRST_PING))
        async with asyncio.timeout(_GREETING_S):
            while not self._greeted.is_set():
                await self._receive(await socket.recv())
        writer = asyncio.create_task(self._write(socket))
        try:
            async for text in socket:
                await self._receive(text)
            raise EOFError("the server has ended the connection")
        finally:
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await writer

    async def _write(self, socket: ClientConnection) -> None:
        """Asks for what the server has not restored, then sends whatever waits, in order."""
        for entry in self._outbox:
            entry.is_sent = False
        for text in self._lost_subscriptions():
            await socket.send(text)
        while True:
            self._to_write.clear()
            for entry in self._outbox:
                if entry.is_sent:
                    continue
                entry.is_sent = True
                if not entry.wants_answer:
                    self._outbox.remove(entry.id)
                await socket.send(entry.text)
            await self._to_write.wait()

    def _lost_subscriptions(self) -> list[str]:
        assert self._greeting is not None
        restored: Iterable[str] = self._format.said(self._greeting).get("channels") or ()
        lost = [known for known in self._history.subscriptions if known.channel not in restored]
        return [self._format.write("subscribe", known.request, uuid.uuid4().hex) for known in lost]

    async def _receive(self, text: str | bytes) -> None:
        message = self._format.read(json.loads(text))
        for each in self._gathered(message) or [message]:
            self._take(each)
        # A handler may be waiting for an answer: then reading goes on.
        while self._dispatcher.is_full and not len(self._outbox):
            await self._dispatcher.changed()

    def _gathered(self, message: Message) -> list[Message]:
        """The messages that the server has gathered into one. What an application calls so is an event like any other."""
        if message.type != "batchUpdate" or message.channel is not None:
            return []
        said = self._format.said(message)
        found: list[Mapping[str, Any]] = said.get("messages", [])
        return [self._format.read(each) for each in found]

    def _take(self, message: Message) -> None:
        answered = self._format.answers(message)
        if answered == _FIRST_PING:
            return
        if answered is not None and self._outbox.settle(answered, message):
            self._history.received(message, is_kept=not self._is_overfull)
            return
        # What there is no room for is left out here, and heard again over the next connection.
        self._is_overfull = self._is_overfull or self._dispatcher.is_overfull
        if self._is_overfull:
            return
        if message.type.endswith(":reset") or message.type == "reset":
            self._history.forget_seqs()
        is_new = self._history.is_new(message)
        self._history.received(message, is_kept=True)
        if not is_new:
            return
        if message.type == self._format.greeting:
            self._greet(message)
        cursor = self._history.cursor
        self._dispatcher.push(message.type, message, lambda: self._handled(cursor))

    def _handled(self, cursor: str | None) -> None:
        self._history.handled = cursor
        if self._is_overfull and self._dispatcher.is_empty and self._socket is not None:
            self._catching_up = asyncio.create_task(self._socket.close())

    def _greet(self, message: Message) -> None:
        self._greeting = message
        self._backoff.reset()
        if not self._greeted.is_set():
            self._greeted.set()
            self._tell(True)

    def _tell(self, is_connected: bool) -> None:
        for watcher in list(self._watchers):
            try:
                watcher(is_connected)
            except Exception:
                _log.exception("a watcher of the connection failed")

"""`BoardcastSocket` in both formats."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any

import pytest
from conftest import eventually, proxied, run

from boardcast import (
    AuthenticationError,
    Backoff,
    BoardcastSocket,
    ClosedError,
    Message,
    Publisher,
    QueueFullError,
    RefusedError,
    UnconfirmedError,
)

PATHS = ["/ws", "/ws/v1"]
SOON = {"first": 0.01, "limit": 0.05}
SECRET = {"AUTH_REQUIRED": "true", "AUTH_SECRET": "a secret of thirty-two characters"}


def socket(server: Any, path: str, **options: Any) -> BoardcastSocket:
    return BoardcastSocket(server.url + path, backoff=Backoff(**SOON), **options)


@pytest.mark.parametrize("path", PATHS)
def test_events_reach_handlers_until_they_are_ended(server: Any, path: str) -> None:
    async def work() -> None:
        publisher = Publisher(server.url)
        heard: list[Message] = []
        everything: list[str] = []
        async with socket(server, path) as client:
            stop = client.on("notice", heard.append)
            client.on("*", lambda message: everything.append(message.type))
            await client.subscribe("session:s", types=["notice", "end"])
            for number in (1, 2):
                await publisher.publish_async("session:s", "notice", {"number": number})
                await publisher.publish_async("session:s", "unwanted", {})
            await eventually(lambda: len(heard) == 2, "two notices")
            stop()
            await publisher.publish_async("session:s", "notice", {"number": 3})
            await publisher.publish_async("session:s", "end", {})
            await eventually(lambda: "end" in everything, "the end")
        assert [message.data for message in heard] == [{"number": 1}, {"number": 2}]
        assert [(message.channel, message.seq) for message in heard] == [("session:s", 1), ("session:s", 3)]
        assert "unwanted" not in everything and everything.count("notice") == 3

    run(work())


@pytest.mark.parametrize("path", PATHS)
def test_commands_are_answered_and_refusals_raised(server: Any, path: str) -> None:
    async def work() -> None:
        async with socket(server, path) as client:
            ack = await client.send("task:create", {"projectId": "p", "title": "Paint"})
            assert ack["ok"] is True and ack["version"] == 1
            with pytest.raises(RefusedError) as refused:
                await client.send("task:update", {"projectId": "p"})
            assert (refused.value.code, refused.value.field) == ("validation_failed", "taskId")
            with pytest.raises(RefusedError):
                await client.subscribe("bad name")
            await client.unsubscribe("session:s") if path == "/ws" else None

    run(work())


@pytest.mark.parametrize("path", PATHS)
def test_messages_wait_for_a_connection_in_order_and_up_to_a_limit(server: Any, path: str) -> None:
    async def work() -> None:
        async with proxied(server) as proxy, socket(proxy, path, max_queue=3) as client:
            proxy.block()
            await eventually(lambda: not client.is_connected, "the cut")
            sent = [asyncio.create_task(client.send("task:create", {"projectId": "p", "title": str(n)})) for n in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(QueueFullError):
                await client.send("task:create", {"projectId": "p", "title": "too many"})
            with pytest.raises(QueueFullError):
                client.post("typing", {"projectId": "p"})
            proxy.unblock()
            assert [ack["seq"] for ack in await asyncio.gather(*sent)] == [1, 2, 3]

    run(work())


@pytest.mark.parametrize("path", PATHS)
def test_a_cut_between_a_message_and_its_answer(server: Any, path: str) -> None:
    """A command has one effect; what has no key is left to whoever has sent it."""

    async def work() -> None:
        async with proxied(server) as proxy, socket(proxy, path) as client:
            await client.subscribe("session:s")
            for number in range(10):
                command = asyncio.create_task(client.send("task:create", {"projectId": "p", "title": str(number)}))
                data = {"channel": "session:s"} if path == "/ws/v1" else {"sessionId": "s"}
                other = asyncio.create_task(client.send("unknown_kind", data))
                for _ in range(number):
                    await asyncio.sleep(0)
                proxy.cut()
                assert (await command)["ok"] is True
                with contextlib.suppress(UnconfirmedError, RefusedError):
                    await other
            ack = await client.send("project:snapshot", {"projectId": "p"})
        tasks = (ack.get("data") or ack).get("tasks") or ack["tasks"]
        assert [task["title"] for task in tasks] == [str(number) for number in range(10)]

    run(work())


def test_nothing_is_heard_twice_when_an_older_cursor_is_come_back_with(server: Any) -> None:
    async def work() -> None:
        publisher = Publisher(server.url)
        heard: list[int] = []
        first: list[Message] = []
        async with proxied(server) as proxy, socket(proxy, "/ws", session_id="s") as client:
            client.on("n", lambda message: heard.append(message.data))
            client.on("n", first.append)
            for number in range(3):
                publisher.publish("session:s", "n", number)
            await eventually(lambda: len(heard) == 3, "three events")
            client._history.cursor = first[0].cursor
            proxy.cut()
            publisher.publish("session:s", "n", 3)
            await eventually(lambda: len(heard) >= 4, "the fourth")
            # On purpose they are heard again.
            await client.subscribe("session:s", cursor=first[0].cursor)
            await eventually(lambda: len(heard) >= 7, "the last three")
        assert heard == [0, 1, 2, 3, 1, 2, 3]

    run(work())


def test_a_process_goes_on_from_the_cursor_that_another_has_kept(server: Any) -> None:
    async def work() -> None:
        publisher = Publisher(server.url)
        heard: list[int] = []
        cursors: list[str | None] = []
        async with socket(server, "/ws", session_id="s") as client:
            client.on("n", lambda message: heard.append(message.data))
            client.on("n", lambda message: cursors.append(message.cursor))
            publisher.publish("session:s", "n", 0)
            await eventually(lambda: heard == [0] and client.cursor == cursors[0], "an event")
            kept = client.cursor
        publisher.publish("session:s", "n", 1)
        client = socket(server, "/ws", cursor=kept)
        client.on("n", lambda message: heard.append(message.data))
        async with client:
            await eventually(lambda: heard == [0, 1], "what was missed")

    run(work())


def test_subscriptions_outlive_a_database_that_was_lost(server: Any) -> None:
    async def work() -> None:
        heard: list[str] = []
        async with socket(server, "/ws") as client:
            client.on("*", lambda message: heard.append(message.type))
            await client.subscribe("session:s")
            server.stop(signal.SIGKILL)
            for file in server._directory.glob("boardcast.db*"):
                file.unlink()
            server.start()
            await eventually(lambda: "session:reset" in heard or "channel:reset" in heard or client.is_connected, "back")
            async with asyncio.timeout(10):
                while "n" not in heard:
                    await Publisher(server.url).publish_async("session:s", "n", 1)
                    await asyncio.sleep(0.02)

    run(work())


@pytest.mark.parametrize("server", [SECRET], indirect=True)
@pytest.mark.parametrize("path", PATHS)
def test_a_credential_that_is_refused_is_not_tried_again(server: Any, path: str) -> None:
    async def work() -> None:
        client = socket(server, path, token="nonsense")
        waiting = asyncio.create_task(client.send("task:create", {"projectId": "p"}))
        with pytest.raises(AuthenticationError):
            await client.connect()
            await waiting
        with pytest.raises(AuthenticationError):
            await waiting
        with pytest.raises(AuthenticationError):
            await client.send("ping")
        await client.close()

    run(work())


def test_what_waits_fails_when_the_client_is_closed(server: Any) -> None:
    async def work() -> None:
        async with proxied(server) as proxy:
            proxy.block()
            client = socket(proxy, "/ws")
            with pytest.raises(TimeoutError):
                await client.connect(timeout=0.1)
            with pytest.raises(TimeoutError):
                await client.send("task:create", {"projectId": "p"}, timeout=0.05)
            waiting = asyncio.create_task(client.send("task:create", {"projectId": "p"}))
            await asyncio.sleep(0)
            await client.close()
            with pytest.raises(ClosedError):
                await waiting
            with pytest.raises(ClosedError):
                await client.connect()

    run(work())


def test_a_handler_may_ask_and_one_that_fails_stops_no_other(server: Any) -> None:
    async def work() -> None:
        answered: list[str] = []
        async with socket(server, "/ws", handler_queue=2) as client:

            async def ask(message: Message) -> None:
                ack = await client.send("task:create", {"projectId": "q", "title": str(message.data)})
                answered.append(ack["data"]["title"])
                raise ValueError("no")

            client.on("n", ask)
            await client.subscribe("session:s")
            await asyncio.to_thread(
                Publisher(server.url).publish_many, [{"channel": "session:s", "type": "n", "data": n} for n in range(50)]
            )
            await eventually(lambda: len(answered) == 50, "fifty answers")
        assert answered == [str(number) for number in range(50)]

    run(work())


def test_addresses_are_checked_at_once() -> None:
    with pytest.raises(ValueError, match="must begin with"):
        BoardcastSocket("localhost:8002/ws")
    with pytest.raises(ValueError, match="must begin with"):
        Publisher("ftp://localhost")


def test_delays_grow_to_a_limit() -> None:
    backoff = Backoff(first=1, limit=4)
    delays = [backoff.next() for _ in range(6)]
    for delay, full in zip(delays, [1, 2, 4, 4, 4, 4], strict=True):
        assert full / 2 <= delay <= full
    backoff.reset()
    assert backoff.next() <= 1

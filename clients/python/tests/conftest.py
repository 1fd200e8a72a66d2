"""Runs clients against the real server, which `BOARDCAST_BIN` names, and cuts their connections."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
DEADLINE_S = 20.0


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("boardcast_server_of_tests", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Server: Any = _load(ROOT / "tests/clients/conftest.py").Server


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A server; `@pytest.mark.parametrize("server", [{…}], indirect=True)` gives it settings."""
    server = Server(tmp_path, getattr(request, "param", {}))
    try:
        server.start()
        yield server
    finally:
        server.dispose()


async def eventually(probe: Callable[[], object], what: str) -> None:
    """Waits until `probe` answers something truthy."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            while not probe():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"not within {DEADLINE_S} s: {what}") from None


class Proxy:
    """TCP on loopback, passed on as it comes, until it is cut."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_blocked = False
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> int:
        """Cuts all connections, and says how many there were."""
        cut = list(self._writers)
        for writer in cut:
            writer.transport.abort()
        return len(cut) // 2

    def block(self) -> None:
        """Cuts all connections, and new ones at once, until `unblock`."""
        self._is_blocked = True
        self.cut()

    def unblock(self) -> None:
        self._is_blocked = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            if self._is_blocked:
                writer.transport.abort()
                return
            port = int(self._server.url.rpartition(":")[2])
            their_reader, their_writer = await asyncio.open_connection("127.0.0.1", port)
            self._writers.add(their_writer)
            try:
                await asyncio.gather(self._pass(reader, their_writer), self._pass(their_reader, writer))
            finally:
                self._writers.discard(their_writer)
                their_writer.transport.abort()
        except OSError:
            pass
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        raise ConnectionError("one end has gone")


@asynccontextmanager
async def proxied(server: Any) -> AsyncIterator[Proxy]:
    """A proxy in front of a server."""
    proxy = Proxy(server)
    listener = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
        proxy.cut()


def run(work: Any) -> Any:
    """Runs a test that is a coroutine."""
    return asyncio.run(work)


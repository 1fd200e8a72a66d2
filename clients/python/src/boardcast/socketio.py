"""Socket.IO with `python-socketio` (`pip install boardcast[socketio]`): clients that come back where they were.

Events have one argument, their payload. The cursor comes in `session:cursor`, is kept here, and is shown by each new
connection: the client is in its projects again and hears what it missed.
"""

from __future__ import annotations

from typing import Any

import socketio

# python-socketio has no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUntypedBaseClass=false


class Client(socketio.Client):  # type: ignore[misc]
    """`socketio.Client` with `open`, which takes the place of `connect`."""

    def open(self, url: str, *, token: str | None = None, user_id: str | None = None, **options: Any) -> None:
        """Connects to a server such as `http://localhost:8002`; `options` are those of `socketio.Client.connect`."""
        position = _Position(token, user_id)
        self.on("session:cursor", position.moved)
        self.connect(url, auth=position.auth, **options)


class AsyncClient(socketio.AsyncClient):  # type: ignore[misc]
    """`socketio.AsyncClient` with `open`, which takes the place of `connect`."""

    async def open(self, url: str, *, token: str | None = None, user_id: str | None = None, **options: Any) -> None:
        """Connects to a server such as `http://localhost:8002`; `options` are those of `socketio.AsyncClient.connect`."""
        position = _Position(token, user_id)
        self.on("session:cursor", position.moved)
        await self.connect(url, auth=position.auth, **options)


class _Position:
    """What a client shows when it connects."""

    def __init__(self, token: str | None, user_id: str | None) -> None:
        self._said = {"token": token, "userId": user_id}
        self._cursor: str | None = None

    def moved(self, cursor: str) -> None:
        """Takes note of the last cursor."""
        self._cursor = cursor

    def auth(self) -> dict[str, Any]:
        """Where to go on; at first, that events are to have one argument."""
        said = {key: value for key, value in self._said.items() if value is not None}
        return {**said, "cursor": False if self._cursor is None else self._cursor}

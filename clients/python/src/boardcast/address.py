"""Addresses of a server: what a client says of itself in them and in its headers."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

Token: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""A token, or a function that answers a fresh one each time the client connects."""

_WEBSOCKET = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_HTTP = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


@dataclass(frozen=True)
class Address:
    """Where a client connects, and as whom."""

    url: str
    token: Token | None = None
    api_key: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    channels: Iterable[str] = ()
    headers: dict[str, str] = field(default_factory=lambda: dict[str, str]())
    compressed: bool = False

    def is_envelope(self) -> bool:
        """Whether the address is that of enveloped messages."""
        return urlsplit(self.url).path.rstrip("/").endswith("/ws/v1")

    def websocket(self, cursor: str | None) -> str:
        """The URL of a WebSocket that goes on after `cursor`."""
        said = {
            "userId": self.user_id,
            "sessionId": self.session_id,
            "channels": ",".join(self.channels) or None,
            "compressed": "1" if self.compressed else None,
            "cursor": cursor,
        }
        parts = urlsplit(self.url)
        if parts.scheme not in _WEBSOCKET:
            raise ValueError(f"{self.url!r} must begin with ws://, wss://, http:// or https://")
        query = parse_qsl(parts.query, keep_blank_values=True)
        query += [(key, value) for key, value in said.items() if value is not None]
        return urlunsplit((_WEBSOCKET[parts.scheme], parts.netloc, parts.path or "/", urlencode(query), ""))

    async def credentials(self) -> dict[str, str]:
        """The headers of a new connection."""
        token = self.token() if callable(self.token) else self.token
        if inspect.isawaitable(token):
            token = await token
        headers = dict(self.headers)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if self.api_key is not None:
            headers["X-API-Key"] = self.api_key
        return headers

    def may_get_fresh_token(self) -> bool:
        """Whether a credential that was refused may be another one next time."""
        return callable(self.token)


def http_url(url: str, path: str) -> str:
    """The URL of an HTTP endpoint of the server that `url` names."""
    parts = urlsplit(url)
    if parts.scheme not in _HTTP:
        raise ValueError(f"{url!r} must begin with http:// or https://")
    return urlunsplit((_HTTP[parts.scheme], parts.netloc, path, "", ""))

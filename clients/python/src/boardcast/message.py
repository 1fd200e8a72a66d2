"""The two formats of plain WebSocket messages: flat at `/ws`, in an envelope at `/ws/v1`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from .compression import compress, decompress

Json: TypeAlias = Any
"""A JSON value."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message of the server, in whichever format it came."""

    type: str
    data: Json
    raw: Mapping[str, Any]
    """The message as it came."""
    id: str | None = None
    """The id of an event, or of the message that this one answers."""
    channel: str | None = None
    seq: int | None = None
    timestamp: str | int | None = None
    """When it happened: ISO 8601 in the flat format, milliseconds since 1970 in the envelope."""
    cursor: str | None = None
    source: str | None = None
    """Who has published it, where the format says so."""


class Flat:
    """`{"type", "timestamp", "data", …}`"""

    greeting = "connection"
    asks_for_greeting = True
    """The server may wait a moment for the first message of a client whose address says nothing."""

    def write(self, kind: str, data: Json, message_id: str | None) -> str:
        """A message to the server."""
        message: dict[str, Any] = {"type": kind, "data": data}
        if message_id is not None:
            message["id"] = message_id
        return json.dumps(message, separators=(",", ":"), allow_nan=False)

    def read(self, raw: Mapping[str, Any]) -> Message:
        """A message of the server."""
        return Message(
            type=str(raw["type"]),
            data=raw.get("data"),
            raw=raw,
            id=raw.get("id"),
            channel=raw.get("channel"),
            seq=raw.get("seq"),
            timestamp=raw.get("timestamp"),
            # That of an ack is of the command's project alone.
            cursor=None if raw["type"] == "ack" else raw.get("cursor"),
        )

    def answers(self, message: Message) -> str | None:
        """The id of the message that this one answers."""
        is_answer = message.type in ("ack", "error", "pong", "subscribed", "unsubscribed")
        return message.id if is_answer else None

    def said(self, message: Message) -> Mapping[str, Any]:
        """The members of a message of the server's own."""
        return message.raw

    def subscription(self, channel: str, types: Iterable[str], cursor: str | None) -> dict[str, Json]:
        """The data of a message that subscribes."""
        return _without_none({"channel": channel, "types": list(types) or None, "cursor": cursor})


class Envelope:
    """`{"id", "type", "timestamp", "data", "metadata"}`"""

    greeting = "connect"
    asks_for_greeting = False

    def __init__(self, source: str = "boardcast-python", *, compressed: bool = False) -> None:
        self._source = source
        self._compressed = compressed

    def write(self, kind: str, data: Json, message_id: str | None) -> str:
        """A message to the server."""
        message: dict[str, Any] = {
            "type": kind,
            "timestamp": int(time.time() * 1000),
            "data": data,
            "metadata": {"version": "1.0", "source": self._source},
        }
        packed = compress(data) if self._compressed else None
        if packed is not None:
            message["data"] = packed
            message["metadata"]["compressed"] = True
        if message_id is not None:
            message["id"] = message_id
        return json.dumps(message, separators=(",", ":"), allow_nan=False)

    def read(self, raw: Mapping[str, Any]) -> Message:
        """A message of the server."""
        metadata: Mapping[str, Any] = raw.get("metadata") or {}
        channel: str | None = metadata.get("channel")
        cursor: str | None = metadata.get("cursor")
        data: Json = raw.get("data")
        if metadata.get("compressed") is True:
            data = decompress(data)
        if channel is None and isinstance(data, dict) and raw["type"] != "ack":
            # The server's own messages have their cursor where they have everything else; that of an ack is of the
            # command's project alone.
            cursor = cursor or cast("dict[str, Any]", data).get("cursor")
        return Message(
            type=str(raw["type"]),
            data=data,
            raw=raw,
            id=raw.get("id"),
            channel=channel,
            seq=metadata.get("seq"),
            timestamp=raw.get("timestamp"),
            cursor=cursor,
            source=metadata.get("source"),
        )

    def answers(self, message: Message) -> str | None:
        """The id of the message that this one answers. Events may have a correlation id as well: that of their sender."""
        if message.channel is not None:
            return None
        metadata: Mapping[str, Any] = message.raw.get("metadata") or {}
        return metadata.get("correlationId") or (message.id if message.type == "ack" else None)

    def said(self, message: Message) -> Mapping[str, Any]:
        """The members of a message of the server's own."""
        return message.raw if "ok" in message.raw else message.data or {}

    def subscription(self, channel: str, types: Iterable[str], cursor: str | None) -> dict[str, Json]:
        """The data of a message that subscribes."""
        return _without_none({"resource": channel, "events": list(types) or None, "cursor": cursor})


Format: TypeAlias = Flat | Envelope


def _without_none(members: dict[str, Json]) -> dict[str, Json]:
    return {key: value for key, value in members.items() if value is not None}

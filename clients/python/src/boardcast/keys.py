"""Idempotency keys: what carries one has one effect, however often it is sent."""

from __future__ import annotations

import re
import uuid
from typing import cast

from .message import Json

_COMMAND = re.compile(r"^[a-z_]+:[a-z_:]+$")
"""Types that are commands: they take a key."""
_NAMES = ("idempotencyKey", "clientMutationId", "mutationId", "requestId", "operationId")


def with_key(kind: str, data: Json, key: str | None) -> tuple[Json, bool]:
    """The data of a message with a key: with `key`, or, if it is a command that has none, with one of its own. Says also
    whether there is a key."""
    if not isinstance(data, dict):
        return data, False
    members = dict(cast("dict[str, Json]", data))
    if key is None and _COMMAND.match(kind) and not any(name in members for name in _NAMES):
        key = uuid.uuid4().hex
    if key is not None:
        members["idempotencyKey"] = key
    return members, any(isinstance(members.get(name), str) for name in _NAMES)

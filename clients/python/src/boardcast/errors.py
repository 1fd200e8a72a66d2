"""What can go wrong, as exceptions. All of them are `BoardcastError`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class BoardcastError(Exception):
    """The base of all exceptions of this package."""


class AuthenticationError(BoardcastError):
    """The server does not accept the credential. The client does not try again with the same one."""


class QueueFullError(BoardcastError):
    """Too many messages wait for their answers or for a connection."""


class UnconfirmedError(BoardcastError):
    """The connection ended after a message was sent and before its answer came: it may or may not have had its effect.

    Messages with an idempotency key are sent again in place of this.
    """


class ClosedError(BoardcastError):
    """The client was closed."""


class RefusedError(BoardcastError):
    """The server has refused a message or a request.

    Attributes:
        code: one of the server's codes, such as `validation_failed`.
        field: the member that is wrong, if there is one.
        retryable: whether the same may be accepted later.
        retry_after: the seconds after which to try again, if the server says so.
        answer: the whole answer.
    """

    def __init__(self, answer: Mapping[str, Any]) -> None:
        self.answer = answer
        self.code: str = str(answer.get("code", "internal"))
        self.field: str | None = answer.get("field")
        self.retryable: bool = bool(answer.get("retryable", False))
        after: float | None = answer.get("retryAfterMs")
        self.retry_after: float | None = None if after is None else after / 1000
        text = answer.get("error") or answer.get("detail") or self.code
        super().__init__(f"{text} ({self.code})")

"""Publishing from backends, over HTTP: from programs that keep no connection."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from .address import http_url
from .backoff import Backoff
from .errors import AuthenticationError, RefusedError, UnconfirmedError
from .message import Json


class Publisher:
    """Publishes events on channels.

    A call is repeated while the server cannot be reached, or says that it is busy, and has one effect: with the same
    idempotency key. What goes to clients that are connected now (`broadcast`, `client:<id>`) is not kept and has no key: it
    is repeated only if it has not had its effect.

    Args:
        url: the server, such as `http://localhost:8002`.
        token: a JWT or an API key.
        timeout: how long a call goes on, in seconds.
        backoff: how long to wait before a call is repeated.
    """

    def __init__(
        self, url: str, *, token: str | None = None, timeout: float = 30.0, backoff: Backoff | None = None
    ) -> None:
        self._url = http_url(url, "/api/publish")
        self._token = token
        self._timeout = timeout
        self._backoff = backoff or Backoff(first=0.1, limit=5.0)

    def publish(
        self, channel: str, type: str, data: Json = None, *, idempotency_key: str | None = None, **more: Json
    ) -> Mapping[str, Any]:
        """Publishes an event, and answers where it is: `seq`, `id`, `cursor`.

        Args:
            channel: such as `session:42`, `user:ann`, `broadcast`.
            type: the type of the event.
            data: any JSON.
            idempotency_key: one of your own, for what is published again by another process.
            more: further members of the request.

        Raises:
            RefusedError: the server has refused the event.
            AuthenticationError: the server does not accept the token.
            UnconfirmedError: the connection ended before the answer came, and the event has no key.
            TimeoutError: the server was not reached in time.
        """
        event = _event(channel, type, data, idempotency_key)
        return self._post({**event, **more}, is_repeatable="idempotencyKey" in event)

    def publish_many(self, events: Iterable[Mapping[str, Json]]) -> list[Mapping[str, Any]]:
        """Publishes up to 100 events, each with `channel`, `type` and `data`; answers what became of each."""
        keyed = [{**_key(str(event.get("channel"))), **event} for event in events]
        is_repeatable = all("idempotencyKey" in event for event in keyed)
        results: list[Mapping[str, Any]] = self._post({"events": keyed}, is_repeatable=is_repeatable)["results"]
        return results

    async def publish_async(
        self, channel: str, type: str, data: Json = None, *, idempotency_key: str | None = None, **more: Json
    ) -> Mapping[str, Any]:
        """Does what `publish` does, in a thread."""

        def work() -> Mapping[str, Any]:
            return self.publish(channel, type, data, idempotency_key=idempotency_key, **more)

        return await asyncio.to_thread(work)

    def _post(self, body: Mapping[str, Json], *, is_repeatable: bool) -> Mapping[str, Any]:
        headers = {"Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        content = json.dumps(body, separators=(",", ":"), allow_nan=False).encode()
        deadline = time.monotonic() + self._timeout
        backoff = Backoff(self._backoff.first, self._backoff.limit)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"nothing was published within {self._timeout} s")
            request = Request(self._url, content, headers)
            try:
                with urlopen(request, timeout=left) as response:
                    return cast("Mapping[str, Any]", json.load(response))
            except HTTPError as error:
                wait = max(_wait(error), backoff.next())
            except (OSError, HTTPException) as error:
                if not is_repeatable and not _is_refused(error):
                    raise UnconfirmedError(f"the connection ended before the answer came: {error}") from error
                wait = backoff.next()
            time.sleep(max(0.0, min(wait, deadline - time.monotonic())))


def _event(channel: str, type: str, data: Json, key: str | None) -> dict[str, Json]:
    keyed = _key(channel) if key is None else {"idempotencyKey": key}
    return {"channel": channel, "type": type, "data": data, **keyed}


def _key(channel: str) -> dict[str, Json]:
    is_kept = channel != "broadcast" and not channel.startswith("client:")
    return {"idempotencyKey": uuid.uuid4().hex} if is_kept else {}


def _is_refused(error: Exception) -> bool:
    """Whether there was no connection at all."""
    return isinstance(error, ConnectionRefusedError) or (
        isinstance(error, URLError) and isinstance(error.reason, ConnectionRefusedError)
    )


def _wait(error: HTTPError) -> float:
    """The seconds after which a request that was refused may be repeated.

    Raises:
        BoardcastError: it may not.
    """
    try:
        answer: Mapping[str, Any] = json.load(error)
    except ValueError:
        answer = {"code": "unavailable" if error.code >= 500 else "validation_failed", "error": str(error)}
    if error.code == 401:
        raise AuthenticationError(str(answer.get("detail", error))) from None
    if error.code == 429 or error.code >= 500:
        return float(answer.get("retryAfterMs", 0)) / 1000
    raise RefusedError(answer) from None

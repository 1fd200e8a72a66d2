"""Publishing from backends, over HTTP: from programs that keep no connection."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import Iterable, Mapping
from http.client import HTTPException
from typing import Any, cast
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from .address import http_url
from .backoff import Backoff
from .errors import AuthenticationError, RefusedError
from .message import Json


class Publisher:
    """Publishes events on channels.

    Each call has one effect: it is repeated with the same idempotency key while the server cannot be reached, or says that
    it is busy.

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
            TimeoutError: the server was not reached in time.
        """
        return self._post({**_event(channel, type, data, idempotency_key), **more})

    def publish_many(self, events: Iterable[Mapping[str, Json]]) -> list[Mapping[str, Any]]:
        """Publishes up to 100 events, each with `channel`, `type` and `data`; answers what became of each."""
        keyed = [{"idempotencyKey": uuid.uuid4().hex, **event} for event in events]
        results: list[Mapping[str, Any]] = self._post({"events": keyed})["results"]
        return results

    async def publish_async(
        self, channel: str, type: str, data: Json = None, *, idempotency_key: str | None = None, **more: Json
    ) -> Mapping[str, Any]:
        """Does what `publish` does, in a thread."""
        event = {**_event(channel, type, data, idempotency_key), **more}
        return await asyncio.to_thread(self._post, event)

    def _post(self, body: Mapping[str, Json]) -> Mapping[str, Any]:
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
            except (OSError, HTTPException):
                wait = backoff.next()
            time.sleep(max(0.0, min(wait, deadline - time.monotonic())))


def _event(channel: str, type: str, data: Json, key: str | None) -> dict[str, Json]:
    return {"channel": channel, "type": type, "data": data, "idempotencyKey": key or uuid.uuid4().hex}


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

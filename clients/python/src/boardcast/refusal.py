"""What the end of a connection means: whether to try again."""

from __future__ import annotations

from websockets.exceptions import ConnectionClosed, InvalidStatus

from .errors import AuthenticationError, BoardcastError, RefusedError

_NOT_LET_IN = (1008, 4401, 4403)
"""Numbers with which the server ends the connection of a client that may not connect."""
_LATER = (408, 425, 429)
"""HTTP statuses of a server that is to be asked again."""


def refusal(error: Exception, *, may_get_fresh_token: bool) -> BoardcastError | None:
    """What a client is told that is not to try again; nothing, if it is to."""
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        if status == 401:
            return None if may_get_fresh_token else AuthenticationError(str(error))
        if status < 500 and status not in _LATER:
            code = {403: "forbidden", 404: "not_found"}.get(status, "validation_failed")
            return RefusedError({"code": code, "error": str(error)})
    if isinstance(error, ConnectionClosed) and error.rcvd is not None and error.rcvd.code in _NOT_LET_IN:
        return None if may_get_fresh_token else AuthenticationError(str(error))
    return None

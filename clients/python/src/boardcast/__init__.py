"""Client for Boardcast: plain WebSockets that come back by themselves, publishing over HTTP, Socket.IO.

`boardcast.sync` has the same for programs without asyncio; `boardcast.socketio` wants the extra `socketio`.
"""

from .agents import AutoSDLCWebSocket
from .backoff import Backoff
from .connection import BoardcastSocket
from .errors import (
    AuthenticationError,
    BoardcastError,
    ClosedError,
    QueueFullError,
    RefusedError,
    UnconfirmedError,
)
from .message import Message
from .publish import Publisher

__all__ = [
    "AuthenticationError",
    "AutoSDLCWebSocket",
    "Backoff",
    "BoardcastError",
    "BoardcastSocket",
    "ClosedError",
    "Message",
    "Publisher",
    "QueueFullError",
    "RefusedError",
    "UnconfirmedError",
]

__version__ = "0.1.0"

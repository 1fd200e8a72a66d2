"""Plain WebSockets with `websockets`, as the systems that were there before use it."""

import json
import time

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from conftest import DEADLINE_S


class Plain:
    """A connection that keeps what it hears."""

    def __init__(self, server, path, **options):
        self.heard = []
        self.socket = None
        self._connection = connect(server.url.replace("http", "ws") + path, **options)

    def __enter__(self):
        self.socket = self._connection.__enter__()
        return self

    def __exit__(self, *raised):
        self._connection.__exit__(*raised)

    def send(self, message):
        self.socket.send(message if isinstance(message, str) else json.dumps(message))

    def next(self, kind):
        """The first message of a type that was not asked for yet, once it is there."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            for message in self.heard:
                if message["type"] == kind:
                    self.heard.remove(message)
                    return message
            left = deadline - time.monotonic()
            assert left > 0, f"no {kind} among {self.heard}"
            self.heard.append(json.loads(self.socket.recv(left)))

    def closed(self):
        """The number with which the server ended the connection."""
        try:
            while True:
                self.heard.append(json.loads(self.socket.recv(DEADLINE_S)))
        except ConnectionClosed as closed:
            return closed.rcvd.code

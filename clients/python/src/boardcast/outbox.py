"""Messages that wait: for a connection, or for their answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import QueueFullError, UnconfirmedError
from .message import Message


def _future() -> asyncio.Future[Message]:
    return asyncio.get_running_loop().create_future()


@dataclass
class Entry:
    """A message that was sent, or is to be."""

    id: str
    text: str
    repeatable: bool
    """Whether the message has one effect however often it is sent."""
    wants_answer: bool = True
    answer: asyncio.Future[Message] = field(default_factory=_future)
    is_sent: bool = False

    def fail(self, error: Exception) -> None:
        """Tells whoever waits that there will be no answer."""
        if not self.answer.done():
            self.answer.set_exception(error)
            # Nobody may be waiting any more.
            self.answer.exception()


class Outbox:
    """The messages whose answers have not come, in the order in which they were sent.

    Bounded in number and in characters; a message too many is refused at once.
    """

    def __init__(self, max_messages: int, max_chars: int) -> None:
        self._max_messages = max_messages
        self._max_chars = max_chars
        self._entries: dict[str, Entry] = {}
        self._chars = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def add(self, entry: Entry) -> None:
        """Adds a message.

        Raises:
            QueueFullError: there is no room for it.
        """
        if len(self._entries) >= self._max_messages or self._chars + len(entry.text) > self._max_chars:
            raise QueueFullError(f"{len(self._entries)} messages with {self._chars} characters wait already")
        self._entries[entry.id] = entry
        self._chars += len(entry.text)

    def remove(self, entry_id: str) -> Entry | None:
        """Takes a message out."""
        entry = self._entries.pop(entry_id, None)
        if entry is not None:
            self._chars -= len(entry.text)
        return entry

    def settle(self, entry_id: str, answer: Message) -> bool:
        """Gives a message its answer, and says whether there was such a message."""
        entry = self.remove(entry_id)
        if entry is not None and not entry.answer.done():
            entry.answer.set_result(answer)
        return entry is not None

    def give_up_unconfirmed(self) -> None:
        """Fails what was sent over a connection that has ended, and must not be sent twice."""
        for entry in self:
            if entry.is_sent and not entry.repeatable:
                self.remove(entry.id)
                entry.fail(UnconfirmedError("the connection ended before the answer came"))

    def fail_all(self, error: Exception) -> None:
        """Fails whatever waits."""
        for entry in self:
            self.remove(entry.id)
            entry.fail(error)

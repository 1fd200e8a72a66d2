"""Where a client is: what it is subscribed to, and what it has heard."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from .message import Json, Message

_MAX_CHANNELS = 4096


@dataclass
class Subscription:
    """What a client has asked for, and was given."""

    channel: str
    request: dict[str, Json]
    """The data of the message that asked for it, without a cursor."""


@dataclass
class History:
    """Kept from one connection to the next."""

    cursor: str | None = None
    """The last cursor that was received: the next connection goes on after it."""
    handled: str | None = None
    """The last cursor whose message has been handled."""
    subscriptions: list[Subscription] = field(default_factory=lambda: list[Subscription]())
    _seqs: OrderedDict[str, int] = field(default_factory=lambda: OrderedDict[str, int]())

    def subscribed(self, channel: str, request: dict[str, Json], *, replaces: bool) -> None:
        """Takes note of a subscription, in place of others to its channel if it `replaces` them."""
        if replaces:
            self.unsubscribed(channel)
        self.subscriptions.append(Subscription(channel, request))

    def unsubscribed(self, channel: str) -> None:
        """Takes note that nothing of a channel is wanted any more."""
        self.subscriptions = [known for known in self.subscriptions if known.channel != channel]

    def forget_seqs(self, channel: str | None = None) -> None:
        """Events of the channel, or of all, may come again: they were asked for, or are of another database."""
        if channel is None:
            self._seqs.clear()
        else:
            self._seqs.pop(channel, None)

    def received(self, message: Message, *, is_kept: bool) -> None:
        """Takes note of where a message says that the client is, unless what came before it was not kept."""
        if is_kept and message.cursor is not None:
            self.cursor = message.cursor

    def is_new(self, message: Message) -> bool:
        """Whether an event has not been heard before. What is no event is always new."""
        if message.seq is None or message.channel is None:
            return True
        metadata = message.raw.get("metadata") or message.raw
        channel = str(metadata.get("pattern") or message.channel)
        if message.seq <= self._seqs.get(channel, 0):
            return False
        self._seqs[channel] = message.seq
        self._seqs.move_to_end(channel)
        if len(self._seqs) > _MAX_CHANNELS:
            self._seqs.popitem(last=False)
        return True

"""How long to wait before the next attempt to connect."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass
class Backoff:
    """Doubles the delay with each attempt, up to a limit. Half of each delay is random, so that the clients of a server
    that was restarted do not all come back at once."""

    first: float = 0.5
    """The first delay in seconds."""
    limit: float = 30.0
    """The longest delay in seconds."""
    _attempts: int = field(default=0, init=False)

    def next(self) -> float:
        """The delay before the next attempt, in seconds."""
        full: float = min(self.limit, self.first * 2.0 ** min(self._attempts, 32))
        self._attempts += 1
        return full * (0.5 + random.random() / 2)

    def reset(self) -> None:
        """Begins anew, after an attempt that succeeded."""
        self._attempts = 0

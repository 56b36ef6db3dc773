"""How often a key may ask: a bucket of tokens for each, filled at a steady rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class RateLimit:
    """At most `per_minute` requests at once, and as many a minute after that; 0 is no limit."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def wait(self, name: str) -> float:
        """Take a token of `name`: 0 where there was one, else the seconds until there will be."""
        if not self._per_minute:
            return 0.0
        rate = self._per_minute / 60
        with self._lock:
            now = self._clock()
            tokens, last = self._buckets.get(name, (float(self._per_minute), now))
            tokens = min(float(self._per_minute), tokens + (now - last) * rate)
            allowed = tokens >= 1
            self._buckets[name] = (tokens - 1 if allowed else tokens), now
        return 0.0 if allowed else (1 - tokens) / rate

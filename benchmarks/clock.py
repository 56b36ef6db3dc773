"""How long things take: calls of our own functions, watched while they are at work."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


class Clock:
    """How long functions take, all their calls together; of calls in each other each counts whole."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._watched: list[tuple[Any, str, Callable[..., Any]]] = []

    def watch(self, owner: Any, function: str, name: str) -> None:  # noqa: ANN401 - a module or a class
        real = getattr(owner, function)
        self._watched.append((owner, function, real))
        self.seconds[name] = 0.0

        def measured(*a: Any, **k: Any) -> Any:  # noqa: ANN401 - whatever it takes and gives
            started = time.perf_counter()
            try:
                return real(*a, **k)
            finally:
                self.seconds[name] += time.perf_counter() - started

        setattr(owner, function, measured)

    def stop(self) -> None:
        for owner, function, real in self._watched:
            setattr(owner, function, real)

"""Threads of their own for what may wait for a language model: nothing else waits behind it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

_MOST = 128
_T = TypeVar("_T")


async def in_thread(call: Callable[[], _T], limiter: anyio.CapacityLimiter | None = None) -> _T:
    """Run a blocking call; it can't be interrupted, but `anyio.from_thread.check_cancelled` tells it to end.

    `limiter` says how many of its kind may run at once.
    """
    return await anyio.to_thread.run_sync(call, limiter=limiter or _limiter())


@functools.cache
def _limiter() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(_MOST)

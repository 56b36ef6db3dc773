"""Threads of their own for what may wait for a language model: nothing else waits behind it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

import anyio
import anyio.to_thread

_MOST = 128
_T = TypeVar("_T")


async def in_thread(call: Callable[[], _T]) -> _T:
    """Run a blocking call; it can't be interrupted, but `anyio.from_thread.check_cancelled` tells it to end."""
    return await anyio.to_thread.run_sync(call, limiter=_limiter())


@functools.cache
def _limiter() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(_MOST)

"""Threads of their own for what may wait for a language model: nothing else waits behind it."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
import anyio.to_thread
import faiss
from threadpoolctl import threadpool_limits

from service.turnstile import Place, Turnstile

_MOST = 1024
"""More than there can be: places at the turnstile, conversations with a language model, and streams between sentences."""
_T = TypeVar("_T")


async def in_thread(call: Callable[[], _T], limiter: anyio.CapacityLimiter | None = None) -> _T:
    """Run a blocking call; it can't be interrupted, but `anyio.from_thread.check_cancelled` tells it to end.

    `limiter` says how many of its kind may run at once.
    """
    return await anyio.to_thread.run_sync(lambda: _alone(call), limiter=limiter or _limiter())


async def in_turn(
    turnstile: Turnstile,
    call: Callable[[Place], _T],
    gone: Callable[[], Awaitable[object]] = anyio.sleep_forever,
) -> _T:
    """Run a call in a thread with a place at the turnstile, which it takes its turn at: `with place: …`.

    `gone` returns when who asked has left; then, and where this is cancelled, what waits for its turn is not begun.

    Raises:
        KewenError: `busy`, where there is no place, or whatever the call raises.
    """
    place = turnstile.enter()
    error: Exception | None = None

    async def watch() -> None:
        try:
            await gone()
        finally:
            place.leave()

    async with anyio.create_task_group() as group:
        group.start_soon(watch)
        try:
            result = await in_thread(lambda: call(place))
        except Exception as raised:  # not out of the group, which would wrap it
            error = raised
        group.cancel_scope.cancel()
    if error:
        raise error
    return result


def without_teams() -> None:
    """Have numpy's BLAS compute in the thread that asks, in all of this process; FAISS does so in `in_thread`.

    By default each of many threads would have a team of as many threads as there are processors, which wait for each other
    by spinning: on a busy machine a question then takes five times as long, and its matrices are too small to gain from it.
    """
    threadpool_limits(1, "blas")


def _alone(call: Callable[[], _T]) -> _T:
    faiss.omp_set_num_threads(1)  # OpenMP keeps this number for each thread that sets it
    return call()


@functools.cache
def _limiter() -> anyio.CapacityLimiter:
    return anyio.CapacityLimiter(_MOST)

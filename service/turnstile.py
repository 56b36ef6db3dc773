"""Who may search at once: so many at work, so many waiting for their turn, and the next is told to come back.

More threads make every answer later and none sooner, and a line without end makes all of them too
late. Only what computes counts: waiting for a language model is no work.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Protocol

from service.errors import KewenError
from service.settings import Settings

_AT_WORK = 2
"""In one interpreter two searches are no sooner done than one after the other (measured: a tenth later), but a short one
need not wait behind a long one. More processes give more answers."""
_MOST_SECONDS = 60
_WEIGHT = 0.1
"""Of the last turn in the running mean of how long they take."""
_FIRST_GUESS = 0.05
"""Seconds of a turn, until there was one."""


class Turn(Protocol):
    """What is done within it is work that waits for its turn."""

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def stand_aside(self) -> None:
        """What comes next, until the turn, may take long and is no work: nobody need wait for it."""


class AtOnce:
    """The turn of one who waits for nobody."""

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def stand_aside(self) -> None: ...


AT_ONCE = AtOnce()


class Turnstile:
    """At most `at_work` threads work at once and `waiting` more have a place in the line; first come, first served.

    place = turnstile.enter()  # at once: a place, or the refusal
    with place:                # in a thread: waits for its turn
        ...
    place.leave()              # at any time, from any thread: who asked has gone
    """

    def __init__(self, at_work: int, waiting: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._at_work = at_work
        self._most = at_work + waiting
        self._clock = clock
        self._lock = threading.Lock()
        self._free = at_work
        self._taken = 0
        self._line: deque[Place] = deque()
        self._seconds = _FIRST_GUESS
        self._is_closed = False

    def enter(self) -> Place:
        """A place.

        Raises:
            KewenError: `busy`, where all are taken, with the seconds after which to come back, or the service stops.
        """
        with self._lock:
            if self._is_closed:
                raise _stopping()
            if self._taken >= self._most:
                raise self._full()
            self._taken += 1
        return Place(self)

    def close(self) -> None:
        """Refuse all who wait and who come; who is at work finishes."""
        with self._lock:
            self._is_closed = True
            for place in self._line:
                place.refuse(_stopping())
            self._line.clear()

    def begin(self, place: Place) -> None:
        """Wait for the turn of a place. Raises KewenError `busy`, where it comes no more."""
        with self._lock:
            if place.is_gone:
                raise _gone()
            if self._is_closed:
                raise _stopping()
            if self._free:
                self._free -= 1
                place.call(self._clock())
            else:
                self._line.append(place)
        place.wait()

    def end(self, place: Place) -> None:
        """The turn of a place is over: the next in line has it."""
        with self._lock:
            now = self._clock()
            self._seconds += _WEIGHT * (now - place.since - self._seconds)
            self._give_back(place)
            if self._line:
                self._line.popleft().call(now)
            else:
                self._free += 1

    def drop(self, place: Place, is_gone: bool) -> None:
        """Count a place no more; where who asked `is_gone`, it waits no more either."""
        with self._lock:
            place.is_gone |= is_gone
            if place in self._line and is_gone:
                self._line.remove(place)
                place.refuse(_gone())
            if not place.is_at_work:
                self._give_back(place)

    def _give_back(self, place: Place) -> None:
        self._taken -= place.is_counted
        place.is_counted = False

    def _full(self) -> KewenError:
        seconds = min(max(math.ceil(self._taken / self._at_work * self._seconds), 1), _MOST_SECONDS)
        message = f"现在提问的人太多，已有 {self._taken} 个在等。请 {seconds} 秒后再试。"
        return KewenError("busy", message, {"retry_after": seconds})


def turnstile_for(settings: Settings) -> Turnstile:
    """The turnstile of one process: its share of what the service may do at once."""
    at_work = settings.concurrency or _AT_WORK * settings.workers
    return Turnstile(max(at_work // settings.workers, 1), settings.queue // settings.workers)


class Place:
    """A place at a turnstile, for one turn: at work within the `with` block, and gone after it.

    Its attributes belong to the turnstile, and to the lock of that.
    """

    def __init__(self, turnstile: Turnstile) -> None:
        self._turnstile = turnstile
        self._called = threading.Event()
        self._refusal: KewenError | None = None
        self.is_counted = True
        self.is_at_work = False
        self.is_gone = False
        self.since = 0.0

    def __enter__(self) -> None:
        self._turnstile.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turnstile.end(self)

    def stand_aside(self) -> None:
        """Leave the line to others until the turn; then there is a place, whatever the line."""
        self._turnstile.drop(self, is_gone=False)

    def leave(self) -> None:
        """Who asked has gone, or has an answer. What is at work finishes, what waits is not begun."""
        self._turnstile.drop(self, is_gone=True)

    def check(self) -> None:
        """Raise KewenError `busy` where nobody waits for the answer any more."""
        if self.is_gone:
            raise _gone()

    def call(self, now: float) -> None:
        """It is this one's turn."""
        self.is_at_work = True
        self.since = now
        self._called.set()

    def refuse(self, error: KewenError) -> None:
        self._refusal = error
        self._called.set()

    def wait(self) -> None:
        """Until it is called or refused."""
        self._called.wait()
        if self._refusal:
            raise self._refusal


def _gone() -> KewenError:
    return KewenError("busy", "提问的一方已经断开，没有作答。")  # nobody hears this


def _stopping() -> KewenError:
    return KewenError("busy", "服务正在停止。请稍后再试。", {"retry_after": 5, "closing": True})

"""What a bot remembers of those it talks with, each table bounded: messages taken, how often one asks, what was asked."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import TypeVar

_KEPT = 10_000
"""So many message ids, senders and conversations are remembered; of more, the oldest are forgotten."""
_SEEN_SECONDS = 8 * 3600.0
"""Feishu repeats an event for up to 7.1 hours (after 15 s, 5 min, 1 h, 6 h)."""
_FOLLOW_UP_SECONDS = 600.0
_FOLLOW_UPS = 5
_MINUTE = 60.0

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Seen:
    """The ids of the messages of the last hours."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, float] = OrderedDict()

    def is_new(self, name: str, now: float) -> bool:
        while self._times and next(iter(self._times.values())) <= now - _SEEN_SECONDS:
            self._times.popitem(last=False)
        if name in self._times:
            return False
        self._times[name] = now
        _forget(self._times)
        return True


class Pace:
    """How many messages each sender wrote in the last minute."""

    def __init__(self, per_minute: int) -> None:
        self.refusal = f"提问太频繁了：每人每分钟最多 {per_minute} 个问题。请过一分钟再问。"
        self._per_minute = per_minute
        self._taken: OrderedDict[str, deque[float]] = OrderedDict()
        self._refused: OrderedDict[str, float] = OrderedDict()

    def verdict(self, sender: str, now: float) -> str:
        """`answer`, `refuse`, or `ignore` where the sender was refused within the last minute."""
        if not self._per_minute:
            return "answer"
        taken = self._taken.setdefault(sender, deque())
        self._taken.move_to_end(sender)
        _forget(self._taken)
        while taken and taken[0] <= now - _MINUTE:
            taken.popleft()
        if len(taken) < self._per_minute:
            taken.append(now)
            return "answer"
        if now - self._refused.get(sender, float("-inf")) < _MINUTE:
            return "ignore"
        self._refused[sender] = now
        self._refused.move_to_end(sender)
        _forget(self._refused)
        return "refuse"


class Histories:
    """The last questions of each sender in each conversation, as they were understood."""

    def __init__(self) -> None:
        self._asked: OrderedDict[tuple[str, str], tuple[float, tuple[str, ...]]] = OrderedDict()

    def of(self, key: tuple[str, str], now: float) -> tuple[str, ...]:
        last, questions = self._asked.get(key, (now, ()))
        return questions if now - last < _FOLLOW_UP_SECONDS else ()

    def add(self, key: tuple[str, str], question: str, now: float) -> None:
        self._asked[key] = now, (*self.of(key, now), question)[-_FOLLOW_UPS:]
        self._asked.move_to_end(key)
        _forget(self._asked)


def _forget(table: OrderedDict[_Key, _Value]) -> None:
    while len(table) > _KEPT:
        table.popitem(last=False)

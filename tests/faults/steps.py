"""A change fails, is killed or loses power at each of its calls to the operating system in turn, in this process.

    python -m tests.faults.steps

`fails`: the n-th call gives an error, once. `killed`: from the n-th on nothing more is done. `power`: as killed, and what
had not been synced is lost: files are cut in half, and new names are old again in folders that were not synced.
"""

from __future__ import annotations

import argparse
import errno
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import patch

from service.errors import KewenError
from tests.faults.common import Bench, State, Tally, bench, changed, copied, leftovers, opened, published, sound

CALLS = ("open", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir", "close")
MODES = ("fails", "killed", "power")


class Killed(BaseException):
    """As if the process had ended here: whatever is tried afterwards is not done."""


class Machine:
    """The operating system below one home, until the n-th call."""

    def __init__(self, home: Path, mode: str, last: int) -> None:
        self.home, self.mode, self.last = str(home), mode, last
        self.calls = 0
        self.real = {name: getattr(os, name) for name in CALLS}
        self.unsynced: dict[str, None] = {}
        self.names: dict[int, str] = {}
        self.renamed: list[tuple[str, str, bytes | None]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        with patch.multiple(os, **{name: self._faulty(name) for name in CALLS}):
            try:
                yield
            finally:
                is_over = self.calls >= self.last
        if is_over and self.mode == "power":
            self._lose()

    def _faulty(self, name: str) -> Callable[..., Any]:
        def call(*given: Any, **more: Any) -> Any:
            if self._is_ours(name, given):
                self.calls += 1
                if self.calls == self.last and self.mode == "fails" and name != "close":
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                if self.calls >= self.last and self.mode != "fails" and name != "close":
                    raise Killed
            return self._noted(name, given, more)

        return call

    def _is_ours(self, name: str, given: tuple[Any, ...]) -> bool:
        """Whether a call is about the home: a name there, a descriptor of such a file, or one relative to a folder."""
        where = self.names.get(given[0], "") if isinstance(given[0], int) else os.fspath(given[0])
        return str(where).startswith(self.home) or (name in ("unlink", "rmdir") and not Path(str(where)).is_absolute())

    def _noted(self, name: str, given: tuple[Any, ...], more: dict[str, Any]) -> Any:
        """Do it, and remember what is not yet on the disk."""
        if name == "fsync":
            path = self.names.get(given[0], "")
            self.unsynced.pop(path, None)
            self.renamed = [x for x in self.renamed if os.path.dirname(x[1]) != path]  # noqa: PTH120
        before = None
        if name in ("replace", "rename") and os.path.isfile(given[1]):  # noqa: PTH113
            before = Path(given[1]).read_bytes()
        done = self.real[name](*given, **more)
        if name == "open" and isinstance(given[0], str | os.PathLike):
            self.names[done] = os.fspath(given[0])
            if given[1] & os.O_WRONLY:
                self.unsynced[os.fspath(given[0])] = None
        if name in ("replace", "rename"):
            self.renamed.append((os.fspath(given[0]), os.fspath(given[1]), before))
        return done

    def _lose(self) -> None:
        for source, target, before in reversed(self.renamed):
            with suppress(OSError):
                Path(target).rename(source)
                if before is not None:
                    Path(target).write_bytes(before)
        for name in self.unsynced:
            path = Path(name)
            if path.is_file():
                path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def step(bench: Bench, base: Path, before: State, mode: str, last: int, tally: Tally, thorough: bool) -> bool:
    """One change with a fault at its `last`-th call; False where it has fewer."""
    home, path = copied(base, bench.folder / "try"), bench.file("d")
    machine, done = Machine(home, mode, last), False
    with suppress(KewenError, Killed, OSError), machine.running():
        done = bench.add(home, path).complete
    if machine.calls < last:
        return False
    after = changed(before, "d")
    faults = [] if published(home) in (before, after) else ["the published index is neither old nor new"]
    assistant = bench.assistant(home)
    state = opened(assistant)
    faults += [] if state in (before, after) else [f"neither old nor new: {sorted(state)}"]
    faults += ["an acknowledged change is lost"] if done and state != after else []
    faults += sound(assistant)
    then = bench.add(home, bench.file("e"))
    faults += [] if then.complete and not sound(bench.assistant(home)) else [f"the next change fails: {then}"]
    faults += leftovers(bench, home, opened(bench.assistant(home))) if thorough else []
    tally.count(f"{mode}, {'done' if done else 'not done'}, {'new' if state == after else 'old'}")
    for fault in faults:
        tally.fault(f"{mode} at call {last}: {fault}")
    return True


def steps(bench: Bench, mode: str, tally: Tally, stride: int = 1, thorough: bool = True) -> None:
    base = bench.home("base", "b", "b2", "c")
    before, last = published(base), 1
    while step(bench, base, before, mode, last, tally, thorough):
        last += stride
    shutil.rmtree(base)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=MODES, action="append")
    given = parser.parse_args()
    started, tally = time.monotonic(), Tally.named("faults at each call of an addition")
    with bench() as place:
        for mode in given.mode or MODES:
            steps(place, mode, tally)
    return tally.close(started)


if __name__ == "__main__":
    sys.exit(main())

"""`kewen` is killed at a random moment of a change, or at each of its system calls: nothing that was said is lost.

    python -m tests.faults.kills --what add --n 200
    python -m tests.faults.kills --what remove --syscalls        (needs strace)

After each kill: the published index serves as it lies there; what the process reported as done is done; the change is
wholly absent or wholly there; index and library verify; the next change succeeds; nothing is left lying about.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from index.storage import IndexProblem
from service.librarian import DONE
from tests.faults.common import (
    Bench,
    State,
    Tally,
    answers,
    bench,
    changed,
    copied,
    kewen,
    leftovers,
    opened,
    published,
    run,
    sound,
)

CALLS = ("write", "fsync", "rename", "unlink", "mkdir", "unlinkat")
SEVERAL = {"mkdir": 5, "unlinkat": 5}
"""Of calls that are made by the hundred, most of them for nothing, only every fifth is tried."""


@dataclass(frozen=True)
class Change:
    """One change: the command, the home that it starts from, and what the library holds before and after."""

    arguments: tuple[str, ...]
    home: Path
    before: State | None
    after: State


def changes(bench: Bench) -> dict[str, Callable[[], Change]]:
    """The changes by name. `first` and `build` differ in what is there: no index, or one of an older text."""
    base = bench.home("base", "b", "b2", "c")
    state = published(base)

    def add() -> Change:
        return Change(("docs", "add", str(bench.file("d"))), base, state, changed(state, "d"))

    def replace() -> Change:
        return Change(("docs", "add", str(bench.file("b", "b"))), base, state, changed(state, "b"))

    def remove() -> Change:
        return Change(("docs", "remove", "b"), base, state, changed(state, without=["b"]))

    def build() -> Change:
        text = state["a"] + "\n二、展望\n\n到2030年，甲区生物医药企业达到600家。\n"
        (bench.reports / "a.txt").write_text(text, encoding="utf-8")
        return Change(("index", "build"), base, state, {**state, "a": text})

    def first() -> Change:
        home = copied(base, bench.folder / "unindexed")
        shutil.rmtree(home / "index")
        return Change(("index", "build"), home, None, state)

    return {"add": add, "replace": replace, "remove": remove, "build": build, "first": first}


class Judge:
    """What must be true after a kill, with the answers of sound indexes to compare with."""

    def __init__(self, bench: Bench, change: Change, tally: Tally) -> None:
        self.bench, self.change, self.tally = bench, change, tally
        finished = copied(change.home, bench.folder / "finished")
        started = time.monotonic()
        code, out, err = run(bench, finished, *change.arguments)
        self.seconds = time.monotonic() - started
        if code != 0 or opened(bench.assistant(finished)) != change.after:
            raise RuntimeError(f"the change does not succeed undisturbed: {code} {out} {err}")
        self.right = {self._key(change.after): answers(bench.assistant(finished))}
        if change.before is not None:
            self.right[self._key(change.before)] = answers(bench.assistant(change.home))

    def look(self, home: Path, acknowledged: bool, moment: str) -> None:
        """Everything that must hold of a home whose writer was killed."""
        change = self.change
        allowed = [x for x in (change.before, change.after) if x is not None]
        faults = [*self._published(home, allowed)]
        notices: list[str] = []
        assistant = self.bench.assistant(home, notices.append)
        state = opened(assistant)
        faults += [] if state in allowed else [f"neither old nor new: {sorted(state)}"]
        faults += ["an acknowledged change is lost"] if acknowledged and state != change.after else []
        if answers(assistant) != self.right.get(self._key(state)):
            faults.append("other answers than a sound index gives")
        faults += sound(assistant)
        then = self.bench.add(home, self.bench.file("e"))
        faults += (
            []
            if then.documents[0].status == "ok" and not sound(self.bench.assistant(home))
            else [f"the next change fails: {then}"]
        )
        faults += [f"left over: {x}" for x in leftovers(self.bench, home, opened(self.bench.assistant(home)))]
        finished = any("没有做完" in x for x in notices)
        self.tally.count(
            ("new" if state == change.after else "old") + (", finished by the next command" if finished else "")
        )
        if acknowledged:
            self.tally.count("acknowledged before the kill")
        for fault in faults:
            self.tally.fault(f"{moment}: {fault}")

    def _published(self, home: Path, allowed: list[State]) -> list[str]:
        try:
            return [] if published(home) in allowed else ["the index as it lies there is neither old nor new"]
        except IndexProblem as problem:
            return [] if problem.code == "index_missing" and self.change.before is None else [problem.message]

    def _key(self, state: State) -> str:
        return json.dumps(state, sort_keys=True)


def acknowledged(out: str) -> bool:
    """Whether the process came to say that the change is done, for every document of it."""
    try:
        return all(x["status"] in (*DONE, "kept") for x in json.loads(out)["documents"])
    except ValueError:
        return False


def at_random(bench: Bench, judge: Judge, change: Change, n: int, rng: random.Random) -> None:
    """Kill at moments spread evenly over the time that the command takes."""
    for _ in range(n):
        home = copied(change.home, bench.folder / "try")
        command, how = kewen(bench, home, *change.arguments, "--json")
        moment = rng.uniform(0, 1.05 * judge.seconds)
        process = subprocess.Popen(command, **how)
        try:
            out, _ = process.communicate(timeout=moment)
        except subprocess.TimeoutExpired:
            process.kill()
            out, _ = process.communicate()
        judge.tally.count("killed" if process.returncode == -9 else "had ended")
        judge.look(home, acknowledged(out), f"{moment:.3f} of {judge.seconds:.3f} s")


def at_calls(bench: Bench, judge: Judge, change: Change) -> None:
    """Kill at the n-th call of each kind, for all n, until the command gets through."""
    for call in CALLS:
        n = 1
        while True:
            home = copied(change.home, bench.folder / "try")
            how = f"inject={call}:signal=KILL:when={n}"
            before = ("strace", "-f", "-o", "/dev/null", "-e", f"trace={call}", "-e", how)
            code, out, _ = run(bench, home, *change.arguments, "--json", before=before)
            judge.look(home, acknowledged(out), f"{call} {n}")
            if code == 0:
                break
            judge.tally.count(f"killed at a {call}")
            n += SEVERAL.get(call, 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--what", choices=("add", "replace", "remove", "build", "first"), default="add")
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--syscalls", action="store_true")
    given = parser.parse_args()
    started = time.monotonic()
    with bench() as place:
        change = changes(place)[given.what]()
        tally = Tally.named(f"kills during {given.what}")
        judge = Judge(place, change, tally)
        if given.syscalls:
            at_calls(place, judge, change)
        else:
            at_random(place, judge, change, given.n, random.Random(given.seed))  # noqa: S311
    return tally.close(started)


if __name__ == "__main__":
    sys.exit(main())

"""Bits flipped, files cut, swapped, gone or unreadable, in the index and in the library: noticed, and never answered from.

    python -m tests.faults.flips --n 10000 --repairs 200

After each damage: `index verify` or `docs verify` tells it, and a question is either answered as by the sound index, or,
loudly, from the generation before, or refused. Of every so manieth damage `index repair` then makes a sound whole.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from service.errors import KewenError
from service.repair import repair
from tests.faults.common import Bench, State, Tally, answers, bench, copied, in_process, opened, published, sound

NOT_CHECKED = ("writer.lock", "writer.json", "prepare.lock")
"""They hold nothing that anything is read from: locks, and who holds one."""


def flip(path: Path, rng: random.Random, other: Path) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 1, 2, 16))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def cut(path: Path, rng: random.Random, other: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(rng.choice((b"", data[: len(data) // 2], data[:-1], data + b"\0", data + data[-1:])))


def remove(path: Path, rng: random.Random, other: Path) -> None:
    path.unlink()


def swap(path: Path, rng: random.Random, other: Path) -> None:
    path.write_bytes(other.read_bytes())


def become_folder(path: Path, rng: random.Random, other: Path) -> None:
    path.unlink()
    path.mkdir()


def become_unreadable(path: Path, rng: random.Random, other: Path) -> None:
    """For anyone, root included: a link to itself."""
    path.unlink()
    path.symlink_to(path.name)


Damage = Callable[[Path, random.Random, Path], None]
DAMAGES: dict[Damage, int] = {flip: 70, cut: 10, remove: 5, swap: 8, become_folder: 3, become_unreadable: 4}
"""Kinds of damage, and how many of a hundred are such."""


class Ground:
    """A home of two generations and a library, damaged and restored over and over."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.sound = bench.home("base", "b", "b2", "c")
        self.older = answers(bench.assistant(self.sound))
        text = (bench.reports / "a.txt").read_text(encoding="utf-8")
        (bench.reports / "a.txt").write_text(f"{text}\n二、展望\n\n甲区的目标是600家。\n", encoding="utf-8")
        bench.assistant(self.sound).build()
        self.right = answers(bench.assistant(self.sound))
        self.state = published(self.sound)
        self.home = copied(self.sound, bench.folder / "home")
        self.names = [x.relative_to(self.sound) for x in self.sound.rglob("*") if x.is_file()]
        self.names = [x for x in self.names if x.name not in NOT_CHECKED]
        self.kept = self._stamp()

    def others(self, name: Path) -> list[Path]:
        """Files that could be taken for that one: of the same name in another generation, or in the same folder."""
        parts = name.parts
        twins = [x for x in self.names if x != name and x.parts[:1] == parts[:1] and x.parts[2:] == parts[2:]]
        beside = [x for x in self.names if x != name and x.parent == name.parent]
        different = [x for x in twins or beside if self._bytes(x) != self._bytes(name)]
        return [self.sound / x for x in different]

    def damage(self, rng: random.Random) -> list[tuple[Path, str]]:
        """Damage one file, or several; which, and how."""
        done = []
        for name in rng.sample(self.names, rng.choice((1, 1, 1, 2, 4))):
            kinds = [
                x for x in DAMAGES if (x is not swap or self.others(name)) and (x is not flip or self._bytes(name))
            ]
            kind = rng.choices(kinds, [DAMAGES[x] for x in kinds])[0]
            others = self.others(name)
            kind(self.home / name, rng, rng.choice(others) if others else self.sound / name)
            if not self._is_as_it_was(name):
                done.append((name, kind.__name__))
        return done

    def restore(self, done: list[tuple[Path, str]]) -> None:
        if self._stamp() != self.kept:
            copied(self.sound, self.home)
            self.kept = self._stamp()
            return
        for name, _ in done:
            path = self.home / name
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
            shutil.copy2(self.sound / name, path)

    def means_the_same(self, name: Path) -> bool:
        """Whether what was damaged still says the same: white space of a JSON file, say."""
        try:
            return name.suffix == ".json" and json.loads((self.home / name).read_bytes()) == json.loads(
                self._bytes(name)
            )
        except (OSError, ValueError):
            return False

    def _is_as_it_was(self, name: Path) -> bool:
        path = self.home / name
        return path.is_file() and path.read_bytes() == self._bytes(name)

    def _bytes(self, name: Path) -> bytes:
        return (self.sound / name).read_bytes()

    def _stamp(self) -> tuple[list[str], int]:
        """Changes when anything is published or saved."""
        catalogue = self.home / "library"
        return sorted(os.listdir(self.home / "index")), catalogue.stat().st_mtime_ns  # noqa: PTH208


def _is_listed_nowhere(name: Path, kind: str) -> bool:
    return name.name == "remembered.json" or (name.parts[1:2] == ("old",) and kind == "remove")


def look(ground: Ground, done: list[tuple[Path, str]], tally: Tally) -> None:
    """Whether a damage is told, and what is answered."""
    said = " + ".join(f"{kind} {name}" for name, kind in done)
    assistant = ground.bench.assistant(ground.home)
    faults = sound(assistant)
    if all(ground.means_the_same(name) for name, _ in done):
        tally.count("says the same as before")
    elif all(_is_listed_nowhere(name, kind) for name, kind in done):
        tally.count("an earlier text is gone, or what was remembered, which nothing lists")
    elif not faults:
        tally.fault(f"not told: {said}")
    else:
        tally.count("told")
    notices: list[str] = []
    try:
        found = answers(ground.bench.assistant(ground.home, notices.append))
    except KewenError as error:
        tally.count(f"refused ({error.code})")
        return
    if found == ground.right:
        tally.count("answered rightly" + (", with a warning" if notices else ""))
    elif found == ground.older and notices:
        tally.count("answered loudly from the generation before")
    elif any("尚未编入索引" in x for x in notices) and any(name.parts[1:2] == ("readings",) for name, _ in done):
        tally.count("answered loudly without a document that is damaged everywhere")
    else:
        tally.fault(f"another answer{'' if notices else ', silently'}: {said}")


def mend(ground: Ground, done: list[tuple[Path, str]], tally: Tally) -> None:
    """`index repair` brings back all that is not lost for good, names what is, and leaves a sound whole."""
    said = " + ".join(f"{kind} {name}" for name, kind in done)
    try:
        with in_process():
            report = repair(ground.bench.assistant(ground.home))
    except KewenError as error:
        tally.fault(f"not repaired ({error.code} {error.message}): {said}")
        return
    assistant = ground.bench.assistant(ground.home)
    faults = [*sound(assistant), *([] if answers(assistant) == ground.right else ["other answers"])]
    state: State = opened(assistant)
    if faults or state != ground.state:
        tally.fault(f"not repaired ({faults}): {said}")
    else:
        tally.count("repaired wholly" if report.complete else "repaired but for earlier versions, which are named")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--repairs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng, started = random.Random(given.seed), time.monotonic()  # noqa: S311 - chance, not a secret
    tally = Tally.named(f"{given.n} damages")
    with bench() as place:
        ground = Ground(place)
        print(f"{len(ground.names)} files", flush=True)  # noqa: T201
        for n in range(given.n):
            done = ground.damage(rng)
            if done:
                look(ground, done, tally)
            if done and given.repairs and n % max(1, given.n // given.repairs) == 0:
                mend(ground, done, tally)
            ground.restore(done)
    return tally.close(started)


if __name__ == "__main__":
    sys.exit(main())

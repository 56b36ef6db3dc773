"""What the fuzzers share: inputs are tried in a process that may die, and what is found is kept with its input.

Atheris (libFuzzer) chooses the inputs by what they reach in `corpus`. A property that doesn't hold is noted once per place
and the run goes on; a crash of native code, a hang or too much memory ends the process, and the next one begins.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.faults.common import ROOT

_BOOT = """
import sys, atheris
with atheris.instrument_imports(include=["corpus"]):
    from tests.faults import fuzzing
    fuzzing.child(*sys.argv[1:])
"""
_EVERY = 50
_LEAST = 5.0


class Fuzzed:
    """One property. `run` raises where it doesn't hold; `refusals` counts how inputs may end otherwise."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.arguments = arguments
        self.count = 0
        self.refusals: Counter[str] = Counter()

    def run(self, data: bytes) -> None:
        raise NotImplementedError

    def seeds(self) -> list[bytes]:
        raise NotImplementedError

    def note(self, data: bytes, place: str, text: str) -> None:
        """Keep an input, once for each place."""
        name = hashlib.sha256(place.encode()).hexdigest()[:12]
        path = self.folder / "found" / name
        if not path.exists():
            path.write_bytes(data)
            path.with_suffix(".txt").write_text(f"{place}\n{text}\n", encoding="utf-8")
            print(f"!! {path}: {place}\n{text}", flush=True)  # noqa: T201

    def __call__(self, data: bytes) -> None:
        self.count += 1
        try:
            self.run(data)
        except Exception as error:
            frames = [x for x in traceback.extract_tb(error.__traceback__) if str(ROOT) in x.filename]
            place = f"{type(error).__name__} {Path(frames[-1].filename).name}:{frames[-1].lineno}"
            self.note(data, place, traceback.format_exc()[-3000:])
        if self.count % _EVERY == 0:
            self.save()

    def save(self) -> None:
        state = {"count": self.count, "refusals": dict(self.refusals)}
        (self.folder / "state.json").write_text(json.dumps(state), encoding="utf-8")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--keep", default="fuzzing", help="a folder for the inputs that reach something, and findings")


def fuzz(target: str, arguments: Sequence[str], folder: Path, seconds: float, seconds_each: int) -> int:
    """Try inputs of `module:class` for that long; how many findings `folder` then holds. `seconds_each`: for one input."""
    (folder / "found").mkdir(parents=True, exist_ok=True)
    (folder / "inputs").mkdir(exist_ok=True)
    state = folder / "state.json"
    end = time.monotonic() + seconds
    count, processes, refusals = 0, 0, Counter[str]()
    while end - time.monotonic() > _LEAST:
        state.unlink(missing_ok=True)
        left = str(int(end - time.monotonic()))
        command = [sys.executable, "-c", _BOOT, target, str(folder), left, str(seconds_each), *arguments]
        with (folder / "log.txt").open("ab") as log:
            ended = subprocess.run(command, cwd=ROOT, stderr=log, check=False).returncode
        processes += 1
        if ended:
            print(f"!! a process ended with {ended}: see {folder / 'log.txt'}", flush=True)  # noqa: T201
        if not state.exists():
            print(f"the process ended before {_EVERY} inputs: see {folder / 'log.txt'}")  # noqa: T201
            break
        done: dict[str, Any] = json.loads(state.read_text(encoding="utf-8"))
        count += done["count"]
        refusals.update(done["refusals"])
    found = sorted(x.name for x in (folder / "found").iterdir() if x.suffix != ".txt")
    print(  # noqa: T201
        f"{folder.name}: {count} inputs in {seconds / 60:.1f} min, {processes} processes, "
        f"{len(list((folder / 'inputs').iterdir()))} kept; {dict(refusals.most_common())}; found: {found or 'nothing'}",
        flush=True,
    )
    return len(found)


def child(target: str, folder: str, seconds: str, seconds_each: str, *arguments: str) -> None:
    """The process that tries inputs; it ends with libFuzzer's own exit."""
    import atheris

    module, name = target.split(":")
    kept = Path(folder)
    fuzzed: Fuzzed = getattr(importlib.import_module(module), name)(kept, *arguments)
    for seed in fuzzed.seeds():
        path = kept / "inputs" / hashlib.sha1(seed, usedforsecurity=False).hexdigest()
        if not path.exists():
            path.write_bytes(seed)
    limits = [f"-max_total_time={seconds}", f"-timeout={seconds_each}", "-rss_limit_mb=2500", "-max_len=1000000"]
    options = [*limits, f"-artifact_prefix={kept / 'found'}/", "-len_control=20", "-reload=0", "-report_slow_units=60"]
    extra: dict[str, Any] = {"custom_mutator": fuzzed.mutate} if hasattr(fuzzed, "mutate") else {}
    atheris.Setup([sys.argv[0], *options, str(kept / "inputs")], fuzzed, **extra)
    atheris.Fuzz()

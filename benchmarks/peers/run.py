"""kewen beside its peers: `python benchmarks/peers/run.py --size 100000 --work FOLDER`.

All get the same texts, the same vectors and the same questions (`prepare.py`); each runs in a venv of its own
(`environments.py`) as its own documentation says (`with_*.py`). Measured, each stage in a process of its own:

- seconds to index the given texts and vectors, and to save; megabytes on disk and at most in memory
- a question's p50, p95, p99 from one thread, and answers a second of 1, 8 and 32 threads, for the ten best passages;
  FAISS and BLAS have one thread each, so that clients share the cores and not the engines
- of the dense set-ups, recall of the ten truly nearest; memory when all has been asked
- from nothing (no process) to the first answer; seconds until 64 more passages can be found, and until they are saved

Set-ups take turns in rounds, and a figure is the median of its rounds; the load of the machine is kept with each.
Everything is written to `results-SIZE.jsonl` in the folder, a line a stage, as it is measured; a table is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from environments import python_of, versions

HERE = Path(__file__).parent
SYSTEMS = {
    "limit": ["numpy", "flat", "hnsw", "ivf", "bm25s", "bm25s-numpy", "hybrid"],
    "kewen": ["dense", "lexical", "hybrid", "product"],
    "txtai": ["dense", "hybrid"],
    "llamaindex": ["flat", "hnsw", "hybrid"],
    "haystack": ["flat", "hnsw", "hybrid"],
    "langchain": ["flat", "hnsw", "hybrid"],
}
_LEXICAL = ("bm25s", "bm25s-numpy", "lexical", "hybrid", "product")
_SECONDS = 3600
COLUMNS = {
    "build_s": "build s",
    "p50_ms": "p50 ms",
    "p95_ms": "p95",
    "p99_ms": "p99",
    "per_second_1": "1 client /s",
    "per_second_8": "8",
    "per_second_32": "32",
    "recall": "recall@10",
    "resident_mb": "memory MB",
    "build_peak_mb": "build MB",
    "disk_mb": "disk MB",
    "cold_s": "cold s",
    "add_s": "add 64 s",
    "add_save_s": "save s",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=100_000)
    parser.add_argument("--work", type=Path, required=True, help="venvs, texts and indexes: gigabytes")
    parser.add_argument("--rounds", type=int, default=3)
    names = [f"{system}:{kind}" for system, kinds in SYSTEMS.items() for kind in kinds]
    parser.add_argument("--systems", nargs="+", default=names, choices=names, metavar="SYSTEM:KIND")
    parser.add_argument("--training", type=Path, help="as texts.py has it")
    arguments = parser.parse_args()
    data = arguments.work / f"data-{arguments.size}"
    prepare_data(data, arguments.size, arguments.training)
    bench = Bench(arguments.work, data, arguments.work / f"results-{arguments.size}.jsonl")
    bench.run(arguments.systems, arguments.rounds)
    print(table(bench.results))  # noqa: T201


def prepare_data(data: Path, size: int, training: Path | None) -> None:
    sys.path.insert(0, str(HERE.parent))
    from prepare import prepare
    from texts import TRAINING

    prepare(data, size, training or (TRAINING if TRAINING.exists() else None))


class Bench:
    """Runs stages and keeps what they say."""

    def __init__(self, work: Path, data: Path, output: Path) -> None:
        self.results: list[dict[str, Any]] = []
        self._work, self._data, self._output = work, data, output
        self._pythons: dict[str, Path] = {}

    def run(self, systems: list[str], rounds: int) -> None:
        for module in dict.fromkeys(x.split(":")[0] for x in systems):
            self._pythons[module] = self._python(module)
        for system in systems:
            shutil.rmtree(self._index(system), ignore_errors=True)
            self._stage("build", system, self._index(system), 0)
        for n in range(rounds):
            for system in systems:
                index = self._index(system)
                if not index.exists():
                    continue
                for stage in ("query", "cold"):
                    self._stage(stage, system, index, n)
                copy = index.with_suffix(".copy")
                shutil.copytree(index, copy, dirs_exist_ok=True)
                self._stage("add", system, copy, n)
                shutil.rmtree(copy)

    def _python(self, module: str) -> Path:
        if module == "kewen":
            return Path(sys.executable)
        python = python_of(module, self._work / "venvs")
        self._keep({"system": module, "versions": versions(python, module)})
        return python

    def _index(self, system: str) -> Path:
        return self._work / f"index-{self._data.name}" / system.replace(":", "-")

    def _stage(self, stage: str, system: str, index: Path, n: int) -> None:
        command = [self._pythons[system.split(":")[0]], HERE / "worker.py", stage, system, self._data, index]
        threads = str(os.cpu_count()) if stage == "build" else "1"
        env = os.environ | {x: threads for x in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        env |= {"HF_HUB_OFFLINE": "1", "HAYSTACK_TELEMETRY_ENABLED": "False", "PYTHONWARNINGS": "ignore"}
        load = os.getloadavg()[0]
        started = time.perf_counter()
        try:
            done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=_SECONDS)  # noqa: S603
            seconds = time.perf_counter() - started
            result = (
                json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {"error": done.stderr[-2000:]}
            )
        except subprocess.TimeoutExpired:
            result = {"error": f"longer than {_SECONDS} s"}
        if stage == "cold" and "error" not in result:
            result["cold_s"] = seconds
        if "error" in result:
            print(f"{system} {stage}: {result['error']}", file=sys.stderr)  # noqa: T201
        if system.split(":")[1] in _LEXICAL:
            result.pop("recall", None)  # of what is nearest by vectors, which they don't look for alone
        self._keep({"system": system, "stage": stage, "round": n, "load": load, **result})

    def _keep(self, result: dict[str, Any]) -> None:
        self.results.append(result)
        with self._output.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")


def table(results: list[dict[str, Any]]) -> str:
    """Medians of all rounds, as Markdown."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for result in results:
        for name in COLUMNS:
            if name in result:
                values[result["system"]][name].append(result[name])
    lines = [["system", *COLUMNS.values()], ["---", *["--:"] * len(COLUMNS)]]
    for system, found in values.items():
        lines.append([system, *(_short(statistics.median(found[x])) if found[x] else "" for x in COLUMNS)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    main()

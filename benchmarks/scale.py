"""How kewen itself grows: `python benchmarks/scale.py --passages 100000 --work FOLDER`, once for each size.

Makes a library (`texts.py`), indexes it and measures, each stage in a process of its own:

- build: seconds from a folder of reports to a published index, embedding included; processor time and memory
- size on disk by kind of file
- cold start: a whole process `kewen ask`, from nothing to the answer
- opened: seconds to open; p50, p95 and p99 of a query (understood, searched, the ten best with citations) in one thread,
  hybrid and each arm alone, over the gold questions of `dev`; answers a second of 1, 8 and 32 threads; where the time
  goes; memory when all has been asked. BLAS and FAISS have one thread each, as `kewen serve` sets them.
- recall: how many of the ten best by exhaustive scoring of all passages are among the ten found, hybrid and by each arm
- add: one report of about sixty passages, by stage, in a copy of the index, which itself stays as it is

A line of JSON with everything, load and versions too, is added to `FOLDER/scale-N.jsonl`, and a table of all runs is
printed, with what each stage said last; `--table FOLDER` prints that alone. `--library` and `--home` take what is there: an index that is given is not
built. It must be of the library, and of this code.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TRAINING = HERE.parents[1] / "shared" / "training"
_QUESTION = "宝山区已经认定了几家概念验证中心？"

Result = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, default=1000)
    parser.add_argument("--work", type=Path, help="libraries, indexes and results: gigabytes")
    parser.add_argument("--library", type=Path, help="a folder of reports that is there")
    parser.add_argument("--home", type=Path, help="a home whose index is there: it is not built")
    parser.add_argument("--training", type=Path, help="as texts.py has it")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--recall", type=int, default=24, metavar="QUESTIONS", help="0: none")
    parser.add_argument("--table", type=Path, metavar="FOLDER", help="print what was measured there, nothing else")
    given = parser.parse_args()
    work = given.table or given.work
    if work is None:
        parser.error("--work or --table is needed")
    if not given.table:
        if given.home and not given.library:
            parser.error("--home needs the --library that it was built of")
        result = measure(given)
        with (work / f"scale-{given.passages}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(result, ensure_ascii=False) + "\n")
    print(table(read(work)))  # noqa: T201


def measure(given: argparse.Namespace) -> Result:
    """All stages; `load` is the machine's, a minute's mean, before each."""
    size, work = given.passages, given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    result: Result = {"size": size, "date": time.strftime("%Y-%m-%d"), "cpus": os.cpu_count(), "load": {}}

    def run(name: str, **arguments: object) -> None:
        result["load"][name] = load()
        result[name] = stage(name, arguments)
        if "error" in result[name] and name in ("library", "build"):
            raise SystemExit(f"no {name}, nothing to measure")

    library, home = (x.resolve() if x else None for x in (given.library, given.home))
    if library is None:
        library = work / f"library-{size}"
        if not library.exists():
            training = given.training or (TRAINING if TRAINING.exists() else None)
            run("library", folder=str(library), passages=size, training=str(training) if training else None)
    if home is None:
        home = work / f"home-{size}"
        shutil.rmtree(home, ignore_errors=True)
        run("build", folder=str(library), home=str(home))
    result["load"]["cold"] = load()
    result["cold"] = [cold(library, home) for _ in range(given.rounds)]
    run("query", home=str(home), rounds=given.rounds)
    if given.recall:
        run("recall", home=str(home), questions=given.recall)
    run("add", folder=str(library), home=str(home), work=str(work / f"adding-{size}"))
    return result


def stage(name: str, arguments: Result) -> Result:
    """What `scale_stages.py` measures in a new process; what went wrong, as `error`."""
    command = [sys.executable, HERE / "scale_stages.py", name, json.dumps(arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        print(f"{name}: {done.stderr[-2000:]}", file=sys.stderr)  # noqa: T201
        return {"error": done.stderr[-2000:]}
    measured: Result = json.loads(done.stdout.splitlines()[-1])
    return measured


def load() -> float | None:
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else None


def cold(library: Path, home: Path) -> Result:
    """One question to a new process: seconds until it has ended, and the most memory it had."""
    command = [sys.executable, "-m", "service.cli", "ask", _QUESTION, "--home", str(home), "--reports", str(library)]
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    _, status, usage = os.wait4(child.pid, 0)  # ours is small: a child begins with its parent's peak
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return {"seconds": seconds, "peak_mb": peak, "exit": child.returncode}


# -- results --------------------------------------------------------------------------------------


def read(folder: Path) -> list[Result]:
    """What each stage said last, by size, small ones first: a run with an index that was there has no build of its own."""
    results = []
    for path in sorted(folder.glob("scale-*.jsonl"), key=lambda x: int(x.stem.split("-")[-1])):
        merged: Result = {"load": {}}
        for run in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            merged = {**merged, **run, "load": {**merged["load"], **run["load"]}}
        results.append(merged)
    return results


def at(*path: str) -> Callable[[Result], float | None]:
    """What takes one figure out of a result; None where it was not measured."""

    def take(result: Result) -> float | None:
        found: Any = result
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        return found

    return take


def median_cold(name: str) -> Callable[[Result], float | None]:
    return lambda result: statistics.median(x[name] for x in result["cold"]) if result.get("cold") else None


def highest_load(result: Result) -> float | None:
    return max((x for x in result["load"].values() if x is not None), default=None)


ROWS: dict[str, Callable[[Result], float | None]] = {
    "passages": at("query", "passages"),
    "reports": at("query", "documents"),
    "segments": at("query", "segments"),
    "highest load average": highest_load,
    "build, s": at("build", "seconds"),
    "built and embedded, passages a second": at("build", "passages_per_second"),
    "processor time of the build, s": at("build", "cpu_s"),
    "of its workers, s": at("build", "workers_cpu_s"),
    "peak memory of the build, MB": at("build", "peak_mb"),
    "of its largest worker, MB": at("build", "largest_worker_peak_mb"),
    **{
        f"on disk: {x}, MB": at("query", "disk_mb", x)
        for x in ("whole", "words", "postings", "vectors", "text", "other")
    },
    "cold `kewen ask`, s": median_cold("seconds"),
    "its peak memory, MB": median_cold("peak_mb"),
    "opening the index, s": at("query", "open_s"),
    "first query, ms": at("query", "first_query_ms"),
    **{f"hybrid query, {x}, ms": at("query", "hybrid", x) for x in ("p50", "p95", "p99")},
    "p50 of questions not asked before, ms": at("query", "first_round", "p50"),
    "by words alone, p50, ms": at("query", "lexical", "p50"),
    "by meaning alone, p50, ms": at("query", "dense", "p50"),
    **{f"answers a second, {x} threads": at("query", "throughput", x, "per_second") for x in ("1", "8", "32")},
    **{f"p99 with {x} threads, ms": at("query", "throughput", x, "p99_ms") for x in ("8", "32")},
    "memory when all is asked, MB": at("query", "memory", "resident_mb"),
    "of which no mapped file, MB": at("query", "memory", "anonymous_mb"),
    **{f"recall@10, {x}": at("recall", "recall", x, "mean") for x in ("hybrid", "dense", "lexical")},
    "adding one report, s": at("add", "stages_s", "whole"),
    "peak memory of that, MB": at("add", "peak_mb"),
}


def table(results: list[Result]) -> str:
    """Markdown: the figures, then where the time of a query and of adding a report goes. A column a size."""
    if not results:
        return "nothing measured"
    parts = [_lines("", results, ROWS)]
    for title, path in (("share of a query", ("query", "profile")), ("adding, s", ("add", "stages_s"))):
        names = dict.fromkeys(x for result in results for x in at(*path)(result) or ())  # type: ignore[attr-defined]
        parts.append(_lines(title, results, {x: at(*path, x) for x in names}))
    return "\n\n".join(parts)


def _lines(title: str, results: list[Result], rows: dict[str, Callable[[Result], float | None]]) -> str:
    lines = [[title, *(f"{x['size']:,}" for x in results)], ["---", *["--:"] * len(results)]]
    for name, take in rows.items():
        values = [take(result) for result in results]
        if any(x is not None for x in values):
            lines.append([name, *map(_short, values)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _short(value: float | None) -> str:
    if value is None:
        return ""
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


if __name__ == "__main__":
    main()

"""How figures grow with the library: `python benchmarks/peers/plot.py results-*.jsonl --out benchmarks/peers.svg`.

Run it with the Python of the venv `plot` (`environments.py`). Medians over rounds, both axes logarithmic; one line a
set-up, drawn through the sizes that were measured.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "kewen"  # the same figures, the same file
import matplotlib.pyplot as plt  # noqa: E402

PANELS = {
    "build_s": "build, seconds",
    "p50_ms": "question, median ms",
    "per_second_8": "answers a second, 8 clients",
    "resident_mb": "memory, MB",
    "disk_mb": "on disk, MB",
    "cold_s": "cold start to first answer, seconds",
}
_COLOURS = {
    "kewen": "#c0392b",
    "limit": "#555555",
    "txtai": "#1f77b4",
    "llamaindex": "#2ca02c",
    "haystack": "#ff7f0e",
    "langchain": "#9467bd",
}
_LINES = {"hybrid": "-", "lexical": "-.", "bm25s": "-.", "hnsw": ":", "numpy": (0, (1, 3))}

Values = dict[str, dict[str, dict[int, float]]]
"""Figure → set-up → passages → value."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    draw(read(arguments.results), arguments.out)


def read(files: list[Path]) -> Values:
    """The medians of result files, whose names give the passages."""
    found: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for path in files:
        size = int(re.findall(r"\d+", path.stem)[-1])
        for line in path.read_text(encoding="utf-8").splitlines():
            result = json.loads(line)
            for name in PANELS:
                if name in result:
                    found[name, result["system"], size].append(result[name])
    values: Values = defaultdict(lambda: defaultdict(dict))
    for (name, system, size), measured in sorted(found.items()):
        values[name][system][size] = statistics.median(measured)
    return values


def draw(values: Values, out: Path) -> None:
    figure, axes = plt.subplots(2, 3, figsize=(15, 9), sharex=True)
    for axis, (name, title) in zip(axes.flat, PANELS.items(), strict=True):
        for system, points in values[name].items():
            module, kind = system.split(":")
            style = {"color": _COLOURS[module], "linestyle": _LINES.get(kind, "--"), "marker": "."}
            axis.plot(list(points), list(points.values()), label=system, **style)
        axis.set(xscale="log", yscale="log", title=title)
        axis.grid(visible=True, which="major", alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("passages")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=7, frameon=False)
    figure.tight_layout(rect=(0, 0.08, 1, 1))
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main()

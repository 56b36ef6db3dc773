"""How kewen grows, drawn: `python benchmarks/plot_scale.py FOLDER --out benchmarks/scale.svg`.

FOLDER has the `scale-N.jsonl` of `scale.py`; what each stage said last counts. Needs matplotlib, which kewen does not
depend on: run it with the Python of the venv `plot` (`peers/environments.py`). Both axes are logarithmic.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib
from scale import ROWS, Result, read

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "kewen"  # the same figures, the same file
import matplotlib.pyplot as plt  # noqa: E402

PANELS: dict[str, dict[str, str]] = {
    "a query, ms": {
        "hybrid query, p50, ms": "hybrid, p50",
        "hybrid query, p95, ms": "hybrid, p95",
        "by words alone, p50, ms": "words alone, p50",
        "by meaning alone, p50, ms": "meaning alone, p50",
    },
    "answers a second": {f"answers a second, {x} threads": f"{x} threads" for x in (1, 8, 32)},
    "built and embedded, passages a second": {"built and embedded, passages a second": "build"},
    "memory, MB": {
        "peak memory of the build, MB": "build",
        "memory when all is asked, MB": "opened, all asked",
        "of which no mapped file, MB": "of which no mapped file",
    },
    "on disk, MB": {f"on disk: {x}, MB": x for x in ("whole", "words", "postings", "vectors", "text")},
    "seconds": {
        "cold `kewen ask`, s": "cold kewen ask",
        "opening the index, s": "opening",
        "adding one report, s": "adding one report",
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    draw(read(arguments.results), arguments.out)


def draw(results: list[Result], out: Path) -> None:
    figure, axes = plt.subplots(2, 3, figsize=(15, 9))
    for axis, (title, lines) in zip(axes.flat, PANELS.items(), strict=True):
        for name, label in lines.items():
            found = ((ROWS["passages"](x), ROWS[name](x)) for x in results)
            points = [(size, value) for size, value in found if size and value]
            axis.plot([x for x, _ in points], [y for _, y in points], marker=".", label=label)
        axis.set(xscale="log", yscale="log", title=title, xlabel="passages")
        axis.grid(visible=True, which="major", alpha=0.3)
        axis.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(out, metadata={"Date": None})


if __name__ == "__main__":
    main()

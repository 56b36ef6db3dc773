"""The model card: one template, filled in with what this very run measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from index.training.measure import INTERACTION_SHARE, Measured, Speed
from index.training.sources import teachers_table

_SETS = {
    "T1": "CMRC 2018 dev, Chinese",
    "T2": "DRCD test in Simplified, Chinese",
    "T3": "XQuAD, Chinese questions, Chinese paragraphs",
    "T4": "XQuAD, English questions, Chinese paragraphs",
}
_LIBRARIES = ("numpy", "torch", "tokenizers", "safetensors", "sentence-transformers", "opencc")


class Run(NamedTuple):
    """What one training run did: its options, its vocabulary and how long each stage took."""

    command: str
    seed: int
    steps: int
    threads: int
    chinese: int
    english: int
    dims: int
    seconds: dict[str, float]
    sources: str


def write_card(folder: Path, run: Run, measured: list[Measured], speed: Speed) -> None:
    """Write `README.md` beside the weights; sizes are read from the files themselves."""
    template = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    sizes = [folder / name for name in ("model.safetensors", "tokenizer.json")]
    content = template.format(
        command=run.command,
        seed=run.seed,
        steps=f"{run.steps:,}",
        threads=run.threads,
        hardware=f"{os.cpu_count()} CPU cores ({platform.machine()}), no GPU",
        minutes=f"{sum(run.seconds.values()) / 60:.0f}",
        stages=", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in run.seconds.items()),
        libraries=", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        chinese=f"{run.chinese:,}",
        english=f"{run.english:,}",
        dims=run.dims,
        sizes=", ".join(f"`{path.name}` {path.stat().st_size / 1e6:.1f} MB" for path in sizes),
        sources=run.sources,
        teachers=teachers_table(),
        results=results_table(measured),
        interaction_share=INTERACTION_SHARE,
        lexical_share=1 - INTERACTION_SHARE,
        load=f"{1000 * speed.load_seconds:.0f}",
        passages=f"{speed.passages_per_second:,.0f}",
        questions=f"{1000 * speed.question_seconds:.2f}",
    )
    (folder / "README.md").write_text(content, encoding="utf-8")


def results_table(measured: list[Measured]) -> str:
    """Recall at 1 and 10 of each way on each set, as a Markdown table."""
    lines = [
        "| set | questions / paragraphs | MaxSim | averaged vector | BM25, characters | MaxSim and BM25 |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for row in measured:
        ways = (row.interaction, row.averaged, row.lexical, row.fused)
        cells = " | ".join(f"{way.at_1:.3f} / {way.at_10:.3f}" for way in ways)
        name = f"{row.name}: {_SETS.get(row.name, '')}"
        lines.append(f"| {name} | {row.questions:,} / {row.passages:,} | {cells} |")
    return "\n".join(lines)

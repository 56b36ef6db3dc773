"""The model card: one template, filled in with what this very run measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from index.training.measure import Measured, Speed

_SETS = {
    "T1": "CMRC 2018 dev, Chinese",
    "T2": "DRCD test in Simplified, Chinese",
    "T3": "XQuAD, Chinese questions, Chinese paragraphs",
    "T4": "XQuAD, English questions, Chinese paragraphs",
}
_LIBRARIES = ("numpy", "scipy", "torch", "tokenizers", "safetensors", "model2vec", "opencc")


class Run(NamedTuple):
    """What one training run did: its options, its vocabulary and how long each stage took."""

    command: str
    seed: int
    steps: int
    threads: int
    pieces: dict[str, int]
    dims: int
    seconds: dict[str, float]
    sources: str


def write_card(folder: Path, run: Run, measured: list[Measured], speed: Speed) -> None:
    """Write `README.md` beside the weights; sizes are read from the files themselves."""
    template = Path(__file__).with_name("card.md").read_text(encoding="utf-8")
    files = [folder / name for name in ("model.safetensors", "tokenizer.json")]
    content = template.format(
        command=run.command,
        seed=run.seed,
        steps=f"{run.steps:,}",
        threads=run.threads,
        hardware=f"{os.cpu_count()} CPU cores ({platform.machine()}), no GPU",
        minutes=f"{sum(run.seconds.values()) / 60:.0f}",
        stages=", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in run.seconds.items()),
        libraries=", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
        vocabulary=f"{sum(run.pieces.values()):,}",
        pieces=", ".join(f"{count:,} {kind}" for kind, count in run.pieces.items()),
        dims=run.dims,
        sizes=", ".join(f"`{path.name}` {path.stat().st_size / 1e6:.1f} MB" for path in files),
        sources=run.sources,
        results=results_table(measured),
        chinese_share=measured[0].dense_share,
        english_share=measured[-1].dense_share,
        load=f"{1000 * speed.load_seconds:.0f}",
        passages=f"{speed.passages_per_second:,.0f}",
        questions=f"{1000 * speed.question_seconds:.2f}",
    )
    (folder / "README.md").write_text(content, encoding="utf-8")


def results_table(measured: list[Measured]) -> str:
    """Recall at 1 and 10 of each way on each set, as a Markdown table."""
    lines = [
        "| set | questions / paragraphs | this encoder | BM25, characters | both |",
        "|---|--:|--:|--:|--:|",
    ]
    for row in measured:
        ways = (row.dense, row.lexical, row.fused)
        cells = " | ".join(f"{way.at_1:.3f} / {way.at_10:.3f}" for way in ways)
        name = f"{row.name}: {_SETS[row.name]}"
        lines.append(f"| {name} | {row.questions:,} / {row.passages:,} | {cells} |")
    return "\n".join(lines)

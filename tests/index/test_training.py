"""The training command on a small folder made here: it runs whole, and a seed decides its result."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

from corpus.types import Passage
from index.encoders import BundledEncoder, damaged_files


def write(path: Path, records: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    path.write_bytes(zstandard.compress(lines.encode("utf-8")))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, passages: dict[str, list[Passage]]) -> Path:
    folder = tmp_path_factory.mktemp("data")
    texts = [p.text for ps in passages.values() for p in ps]
    pairs = [{"a": text[:20], "b": text, "source": "laws", "kind": "ict"} for text in texts]
    pairs += [
        {"a": f"word {n} park", "b": text[:4], "source": "cedict", "kind": "gloss"} for n, text in enumerate(texts)
    ]
    write(folder / "train_pairs.jsonl.zst", pairs)
    write(folder / "docs.jsonl.zst", [{"source": "laws", "title": "", "sections": [[["章"], texts]]}])
    write(
        folder / "parallel.jsonl.zst",
        [{"a": "science park", "b": "科技园区", "source": "cedict", "gl": ["science park"]}] * 5,
    )
    for name in ("T1", "T4"):
        content = {"corpus": texts, "queries": [[text[:12], [n]] for n, text in enumerate(texts[:40])]}
        path = folder / "eval" / f"{name}.json.zst"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zstandard.compress(json.dumps(content).encode()))
    return folder


def train(data: Path, out: Path, seed: int) -> dict[str, str]:
    command = [sys.executable, "-m", "index.training", "--data", str(data), "--out", str(out)]
    command += ["--seed", str(seed), "--steps", "3", "--dims", "8", "--threads", "1"]
    run = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir() if path.name != "README.md"
    }


def test_training_runs_whole_and_a_seed_decides_its_result(data, tmp_path):
    first = train(data, tmp_path / "a", seed=0)
    assert first == train(data, tmp_path / "b", seed=0)
    assert first["model.safetensors"] != train(data, tmp_path / "c", seed=1)["model.safetensors"]
    assert damaged_files(tmp_path / "a") == []
    encoder = BundledEncoder(tmp_path / "a")
    assert encoder.encode_queries(["宝山区"]).shape == (1, 8)
    card = (tmp_path / "a" / "README.md").read_text(encoding="utf-8")
    assert "--steps 3" in card
    assert "--seed 0" in card

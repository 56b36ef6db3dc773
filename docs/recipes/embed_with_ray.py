"""Embed what an index needs on several machines, with Ray Data; docs/bulk-embedding.md says how.

    python docs/recipes/embed_with_ray.py VECTORS --encoder MODEL --workers 2
    kewen index build --encoder MODEL --vectors VECTORS

Each worker holds the encoder, takes some documents at a time and writes one file for them. Files that are there already
are not made again, so a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray
from numpy.typing import NDArray

from corpus.library import Library, shipped_folder
from corpus.store import DocumentStore
from index.bulk import library_texts, vectors_path, write_vectors
from index.encoders import load_encoder
from index.types import LateInteraction

Batch = dict[str, NDArray[Any]]


class Embed:
    """One worker: ids of documents → their vectors in a file, and how many there are."""

    def __init__(self, reports: str, home: str | None, encoder: str, folder: str) -> None:
        self._library = _library(reports, home)
        self._encoder = load_encoder(encoder)
        self._folder = Path(folder)

    def __call__(self, batch: Batch) -> Batch:
        in_pieces = isinstance(self._encoder, LateInteraction)
        texts = [x for document in library_texts(self._library, set(batch["id"]), in_pieces) for x in document]
        texts = list(dict.fromkeys(texts))
        path = vectors_path(self._folder, texts)
        made = 0
        if texts and not path.exists():
            write_vectors(path, texts, self._encoder.encode_passages(texts), self._encoder)
            made = len(texts)
        return {"made": np.array([made]), "known": np.array([len(texts) - made])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vectors", type=Path, help="a folder that all workers see")
    parser.add_argument("--encoder", required=True, help="bundled, or a sentence-transformers model")
    parser.add_argument("--reports", type=Path, default=shipped_folder(), help="a folder with reports.toml")
    parser.add_argument("--home", type=Path, help="the data folder with the user's own documents")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cpus", type=float, default=1, help="cores of each worker")
    parser.add_argument("--gpus", type=float, default=0, help="accelerators of each worker")
    parser.add_argument("--documents", type=int, default=16, help="documents of each file")
    given = parser.parse_args()
    given.vectors.mkdir(parents=True, exist_ok=True)

    started = time.perf_counter()
    ids = [entry.id for entry in _library(str(given.reports), given.home and str(given.home))]
    files = max(given.workers, -(-len(ids) // given.documents))
    counts = (
        ray.data.from_items([{"id": x} for x in ids], override_num_blocks=min(files, len(ids)))
        .map_batches(
            Embed,
            batch_size=given.documents,
            fn_constructor_args=(
                str(given.reports.absolute()),
                given.home and str(given.home.absolute()),
                given.encoder,
                str(given.vectors.absolute()),
            ),
            compute=ray.data.ActorPoolStrategy(size=given.workers),
            num_cpus=given.cpus,
            num_gpus=given.gpus,
        )
        .take_all()
    )
    made, known = (sum(int(row[name]) for row in counts) for name in ("made", "known"))
    seconds = time.perf_counter() - started
    sys.stdout.write(f"新算 {made} 条，已有 {known} 条，{seconds:.1f} 秒，每秒 {made / seconds:.0f} 条\n")


def _library(reports: str, home: str | None) -> Library:
    return Library(Path(reports), DocumentStore(Path(home) / "library") if home else None)


if __name__ == "__main__":
    main()

"""Command line: read the training data folder, train, export, measure, write the model card."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from time import perf_counter

import torch

from index.training.card import Run, results_table, write_card
from index.training.composition import add_parts, compositions
from index.training.contrastive import train
from index.training.data import (
    bilingual_lines,
    document_paragraphs,
    pair_groups,
    retrieval_sets,
    running_text,
    unique_texts,
)
from index.training.export import load_encoder, write_model
from index.training.initial import initial_vectors
from index.training.measure import measure, measure_speed
from index.training.sources import sources_table
from index.training.tokens import document_frequencies, tokenize
from index.training.vocabulary import build_tokenizer, count_pieces

log = logging.getLogger("index.training")


def main() -> None:
    """Train and export one encoder; the numbers of its card come from the exported files."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parse_options()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    seconds: dict[str, float] = {}

    with stage("reading", seconds):
        groups = pair_groups(options.data)
        bilingual = bilingual_lines(options.data)
        running = running_text(groups, document_paragraphs(options.data))
    with stage("vocabulary", seconds):
        tokenizer = build_tokenizer(
            dict.fromkeys([*running, *unique_texts(groups), *chain.from_iterable(bilingual)]),
            [chinese for _, chinese in bilingual],
        )
    with stage("starting vectors", seconds):
        start = initial_vectors(tokenizer, running, bilingual, options.dims, options.seed)
    with stage("contrastive training", seconds):
        vectors = train(tokenizer, groups, start, options.steps, options.seed)
    with stage("export", seconds):
        seen = tokenize(tokenizer, [*running, *unique_texts(groups)])
        frequencies = document_frequencies(seen, tokenizer.get_vocab_size())
        vectors = add_parts(vectors, compositions(tokenizer, frequencies))
        write_model(options.out, tokenizer, vectors)

    encode = load_encoder(options.out)
    sets = retrieval_sets(options.data)
    measured = [measure(encode, retrieval) for retrieval in sets]
    speed = measure_speed(lambda: load_encoder(options.out), sets[0])
    run = Run(
        command=f"python -m index.training --data DATA --out OUT --seed {options.seed} --steps {options.steps}",
        seed=options.seed,
        steps=options.steps,
        threads=options.threads,
        pieces=count_pieces(tokenizer),
        dims=options.dims,
        seconds=seconds,
        sources=sources_table(group.source for group in groups for _ in group.queries),
    )
    write_card(options.out, run, measured, speed)
    log.info("%s\n%s\n%s", results_table(measured), speed, seconds)


def parse_options() -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(prog="python -m index.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the training data folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the encoder's files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2000, help="contrastive steps")
    parser.add_argument("--dims", type=int, default=512, help="dimensions of a vector")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch")
    return parser.parse_args()


@contextmanager
def stage(name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Announce a stage and note in `seconds` how long it took."""
    log.info("%s …", name)
    started = perf_counter()
    yield
    seconds[name] = perf_counter() - started


if __name__ == "__main__":
    main()

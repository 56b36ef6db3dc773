"""Command line: read the training data folder, ask the teachers, train, export, measure, write the model card."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from index.encoders import BundledEncoder, unit_rows
from index.training.card import Run, results_table, write_card
from index.training.data import (
    PairGroup,
    english_sentences,
    pair_groups,
    raw_paragraphs,
    retrieval_sets,
    running_text,
)
from index.training.export import write_model
from index.training.glosses import glosses, read_dictionary
from index.training.interaction import WordTable
from index.training.measure import measure, measure_speed
from index.training.pairs import everyday_groups, gloss_group, limit, sample_groups
from index.training.sources import sources_table
from index.training.starting import between, features, principal_axes, starting_weights
from index.training.teachers import Teachers, minilm_words
from index.training.tokens import close_up, hashed_ids, shared_rows, tokenize
from index.training.train import Side, Trainer, distinct, pair_ids
from index.training.vocabulary import (
    SPECIAL,
    Vocabulary,
    build_tokenizer,
    build_vocabulary,
    count_english,
    count_words,
    english_shares,
)

log = logging.getLogger("index.training")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train and export one encoder; the numbers of its card come from the exported files."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = parse_options(arguments)
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    work = options.work or options.out.with_name(options.out.name + "-work")
    teachers = Teachers(work)
    seconds: dict[str, float] = {}

    with stage("reading", seconds):
        meanings = glosses(read_dictionary(options.data))
        groups, vocabulary = read(options.data, meanings, options.seed, options.pairs)
        tokenizer = build_tokenizer(vocabulary)
    with stage("starting vectors", seconds):
        said = features(vocabulary, meanings, teachers)
        axes = principal_axes(said, options.dims)
        start, weights = unit_rows(said @ axes), starting_weights(vocabulary)
        write_model(work / "start", tokenizer, start, weights)
    with stage("teacher", seconds):
        queries, passages = distinct(groups, "queries"), distinct(groups, "passages")
        answers = teachers.queries(queries.judged), teachers.passages(passages.judged)
    with stage("training", seconds):
        encoder = BundledEncoder(work / "start")
        rows = tokenize(encoder, queries.texts), tokenize(encoder, passages.texts)
        hashed = hashed_ids(rows, encoder.size)
        asked, offered = (
            Side(close_up(row, hashed, encoder.size), answer) for row, answer in zip(rows, answers, strict=True)
        )
        signs = encoder.unit_vectors(hashed), shared_rows(hashed, encoder.size)
        table = WordTable.of(said, axes, weights, signs, settled=len(SPECIAL) + len(vocabulary.chinese))
        trainer = Trainer(table, asked, offered, pair_ids(groups, queries.texts, passages.texts), options.seed)
        losses = trainer.run(options.steps)
    with stage("export", seconds):
        trained, weights = trainer.table.arrays()
        write_model(options.out, tokenizer, between(start, trained), weights)

    sets = retrieval_sets(options.data)
    encoder = BundledEncoder(options.out)
    measured = [measure(encoder, retrieval) for retrieval in sets]
    speed = measure_speed(options.out, sets[0])
    run = Run(
        command=f"python -m index.training --data DATA --out OUT --seed {options.seed} --steps {options.steps}"
        + (f" --pairs {options.pairs}" if options.pairs else ""),
        seed=options.seed,
        steps=options.steps,
        threads=options.threads,
        chinese=len(vocabulary.chinese),
        english=len(vocabulary.english),
        dims=options.dims,
        seconds=seconds,
        sources=sources_table(group.source for group in groups for _ in group.queries),
    )
    write_card(options.out, run, measured, speed)
    log.info("%s\n%s\n%s\nloss %.3f", results_table(measured), speed, seconds, np.mean(losses[-100:]))


def read(data: Path, meanings: Mapping[str, str], seed: int, largest: int | None) -> tuple[list[PairGroup], Vocabulary]:
    """The pairs to train on, at most `largest` of a group, and the vocabulary of the whole training text."""
    paragraphs, pairs = raw_paragraphs(data), pair_groups(data)
    sentences = english_sentences(data)
    english = count_english(meanings.values(), sentences, minilm_words())
    shares = english_shares(meanings.values(), sentences)
    vocabulary = build_vocabulary(meanings, count_words(running_text(pairs, paragraphs)), english, shares)
    dictionary = gloss_group(meanings, vocabulary.chinese, seed)
    groups = [*sample_groups(pairs, seed), *everyday_groups(paragraphs), dictionary]
    return limit(groups, largest, seed), vocabulary


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(prog="python -m index.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the training data folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the encoder's files")
    parser.add_argument("--work", type=Path, help="folder for what the teachers say, kept for later runs (OUT-work)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=2400, help="batches of training")
    parser.add_argument("--pairs", type=int, help="at most so many pairs of each source and kind, for a trial")
    parser.add_argument("--dims", type=int, default=256, help="dimensions of a vector, a multiple of 8")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of torch")
    return parser.parse_args(arguments)


@contextmanager
def stage(name: str, seconds: dict[str, float]) -> Iterator[None]:
    """Announce a stage and note in `seconds` how long it took."""
    log.info("%s …", name)
    started = perf_counter()
    yield
    seconds[name] = perf_counter() - started


if __name__ == "__main__":
    main()

"""The short form of the fuzzers: every seed, and a few hundred changes to them that are the same each time."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from corpus.readers.types import Reading
from corpus.types import HeadingMark
from tests.faults.fuzz_readers import SEEDS, Files, check_reading
from tests.faults.fuzz_structure import PIECES, Structures
from tests.faults.mutators import MUTATORS


def scrambled(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, taken away or doubled."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 2, 8))):
        at, length = chance.randrange(len(made) + 1), chance.choice((1, 1, 4, 60))
        made[at : at + length] = chance.choice((b"", chance.randbytes(length), bytes(made[at : at + length]) * 2))
    return bytes(made)


def found(fuzzed) -> list[str]:
    return [x.read_text(encoding="utf-8") for x in (fuzzed.folder / "found").glob("*.txt")]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "found").mkdir()
    return tmp_path


@pytest.mark.parametrize("kind", SEEDS)
def test_files_are_read_or_refused_however_they_are_changed(kind, folder):
    fuzzed = Files(folder, kind)
    chance = random.Random(kind)  # noqa: S311
    seeds = [x for x in fuzzed.seeds() if len(x) < 130_000]
    for seed in seeds:
        fuzzed(seed)
    assert sum(n for name, n in fuzzed.refusals.items() if name.startswith("ok")) >= len(seeds) / 2
    for _ in range(25):
        data = chance.choice(seeds)
        if chance.random() < 0.3:
            data = scrambled(data, chance)
        for _ in range(chance.choice((1, 1, 3))):
            data = MUTATORS[kind](data, lambda part: scrambled(part, chance), chance)
        fuzzed(data)
    assert found(fuzzed) == []
    assert len(fuzzed.refusals) >= 2


def test_texts_of_all_that_reports_print_keep_every_promise(folder):
    fuzzed = Structures(folder)
    chance = random.Random(7)  # noqa: S311
    for seed in fuzzed.seeds():
        fuzzed(seed)
    for _ in range(400):
        fuzzed(chance.randbytes(chance.choice((8, 30, 80))))
    assert found(fuzzed) == []
    assert len(PIECES) < 240


def test_what_breaks_a_promise_is_kept_with_its_input(folder, monkeypatch):
    lost = "tests.faults.fuzz_structure.passages.split_passages"
    monkeypatch.setattr(lost, lambda document, structure: [])
    fuzzed = Structures(folder)
    fuzzed(b"\0\0" + bytes([PIECES.index("宝山区集聚生物医药企业。")]))
    (text,) = found(fuzzed)
    assert "'宝山区集聚生物医药企业。' at the end is lost" in text


@pytest.mark.parametrize(
    "change",
    [
        {"text": "甲。\0乙。"},
        {"text": "甲\ud800。"},
        {"text": "甲。\x01乙。", "media_type": "application/pdf"},
        {"text": " \n"},
        {"heading_marks": (HeadingMark(1, 1),)},
        {"heading_marks": (HeadingMark(0, 10),)},
        {"heading_marks": (HeadingMark(0, 1), HeadingMark(0, 1))},
        {"page_starts": (0, 9)},
        {"page_starts": (1,)},
        {"title": "甲\n乙"},
        {"dated": "2026"},
        {"pages_without_text": (2,)},
    ],
)
def test_a_reading_that_breaks_its_contract_is_seen(change):
    good = Reading("甲乙。", "text/plain", page_starts=(0,))
    check_reading(good)
    with pytest.raises(AssertionError):
        check_reading(replace(good, **change))

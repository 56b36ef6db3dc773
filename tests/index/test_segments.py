"""Segments: which documents stand together, and that nobody who searches can tell how they are cut."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import segments
from index.build import build_index
from index.generations import GenerationStore
from index.search import HybridRetriever
from index.segments import arranged, open_segments
from index.snapshot import Snapshot
from index.storage import IndexProblem
from tests.index.pieces import QUESTIONS, cut, written

SEALED, TIERS, SEGMENT, JOINED = 20, ((60, 6), (120, 3)), 120, 240


@pytest.fixture
def small(monkeypatch):
    """Segments so small that a handful of documents fills several."""
    monkeypatch.setattr(segments, "_SEALED", SEALED)
    monkeypatch.setattr(segments, "_TIERS", TIERS)
    monkeypatch.setattr("index.build.JOINED", JOINED)
    monkeypatch.setattr("index.making.SEGMENT", SEGMENT)
    monkeypatch.setattr("index.making._BATCH", 30)


@st.composite
def libraries(draw):
    """How many passages the documents of some segments have, and some of them in any order."""
    sizes = draw(st.lists(st.lists(st.integers(0, 90), max_size=8), min_size=1, max_size=9))
    every = [(segment, n) for segment, documents in enumerate(sizes) for n in range(len(documents))]
    picks = draw(st.permutations([x for x in every if draw(st.integers(0, 9))]))
    return sizes, picks


@settings(max_examples=60, deadline=None)
@given(libraries(), st.sampled_from([SEGMENT, JOINED]))
def test_every_wanted_document_stands_in_one_segment(library, most):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "_SEALED", SEALED)
        patch.setattr(segments, "_TIERS", TIERS)
        sizes, picks = library
        plan = arranged(sizes, picks, most)
    assert sorted(x for _, some in plan for x in some) == sorted(picks)
    order = {pick: n for n, pick in enumerate(picks)}
    for is_linked, some in plan:
        passages = sum(sizes[segment][n] for segment, n in some)
        origins = {segment for segment, _ in some}
        if is_linked:
            assert some == [(some[0][0], n) for n in range(len(sizes[some[0][0]]))]
            assert passages > SEALED
        elif len(origins) > 1:
            assert [order[x] for x in some] == sorted(order[x] for x in some)
            assert passages <= most


def test_many_small_documents_are_arranged_without_counting_them_again_and_again():
    counted = [0]

    class Sizes(list):
        def __getitem__(self, n):
            counted[0] += 1
            return super().__getitem__(n)

    count = 3000
    plan = arranged([Sizes([1] * count)], [(0, n) for n in range(count)])
    assert plan == [(False, [(0, n) for n in range(count)])]
    assert counted[0] < 20 * count


def test_segments_stay_few_over_many_additions_and_removals(small):
    chance = random.Random(5)  # noqa: S311
    held: list[list[tuple[str, int]]] = []  # the documents of each segment
    names = iter(range(10_000))
    for _ in range(200):
        new = [(f"d{next(names)}", chance.randint(1, 60)) for _ in range(chance.randint(1, 3))]
        gone = {x[0] for some in held for x in some if chance.random() < 0.02}
        sources = [*held, *([x] for x in new)]
        picks = [(s, n) for s, some in enumerate(sources) for n, x in enumerate(some) if x[0] not in gone]
        plan = arranged([[x[1] for x in some] for some in sources], picks, JOINED)
        held = [[sources[s][n] for s, n in some] for _, some in plan]
        total = sum(x[1] for some in held for x in some)
        assert len(held) <= total / SEGMENT + sum(most for _, most in TIERS) + 3
        assert max(sum(x[1] for x in some) for some in held) <= JOINED
    assert len(held) > 5


def found(store: GenerationStore, encoder) -> Mapping[tuple[str, str, bool], list[tuple[str, float]]]:
    """The hits of all questions in all modes."""
    retriever = HybridRetriever(Snapshot.load(store.open()[0]), encoder)
    hits = {}
    for question in QUESTIONS:
        for mode, expansions in (("hybrid", True), ("hybrid", False), ("dense", True), ("lexical", True)):
            some = retriever.search(retriever.understand(question), 10, mode, expansions=expansions)
            hits[question, mode, expansions] = [(x.passage.id, x.score) for x in some]
    return hits


def assert_same(one, other) -> None:
    """The same passages with the same scores; those that are equally good may stand in another order."""
    assert one.keys() == other.keys()
    for asked in one:
        assert [x[1] for x in one[asked]] == pytest.approx([x[1] for x in other[asked]], abs=1e-4), asked
        last = one[asked][-1][1] + 1e-4 if one[asked] else 0.0
        sure = [{name for name, score in hits if score > last} for hits in (one[asked], other[asked])]
        assert sure[0] == sure[1], asked


def inodes(store: GenerationStore) -> list[set[int]]:
    """The files of each segment of the newest generation."""
    generation = store.open()[0]
    return [{x.path.stat().st_ino for x in (segment.files or {}).values()} for segment in open_segments(generation)]


def says(home: Path, word: str) -> list[str]:
    return [x.name for x in home.rglob("*") if x.is_file() and word.encode("utf-8") in x.read_bytes()]


def test_nobody_who_searches_can_tell_how_an_index_was_made(small, bundled, tmp_path, monkeypatch):
    texts = cut()
    names = list(texts)
    random.Random(3).shuffle(names)  # noqa: S311
    enriched = set(names[::4])
    store = GenerationStore(tmp_path / "home" / "index")
    held: dict[str, str] = {}
    linked, numbers = 0, []
    for step, some in enumerate([names[:20], names[20:22], names[22:24], names[24:55], names[55:]]):
        for name in some:
            held[name] = texts[name]
        if step == 2:
            held[names[0]] += "\n\n补记：先投后股再加一段。\n"
        if step == 3:
            del held[names[1]]
        before = inodes(store) if step else []
        report = build_index(written(tmp_path / "reports", held, enriched), store, bundled)
        assert sum(not x.reused for x in report.documents) == len(some) + (step == 2)
        linked += sum(x in before for x in inodes(store))
        numbers.append(len(inodes(store)))
    assert linked >= 3
    assert max(numbers) > 3 > numbers[-1]  # some were linked, and then put together
    with store.writer():
        store.drop_previous()
    assert not says(tmp_path / "home", f"独词{names[1]}。")
    assert says(tmp_path / "home", f"独词{names[2]}。")
    snapshot = Snapshot.load(store.open()[0])
    assert set(snapshot.documents) == held.keys()
    assert {name: snapshot.text(name) for name in held} == held
    monkeypatch.undo()
    whole = GenerationStore(tmp_path / "whole" / "index")
    build_index(written(tmp_path / "reports", held, enriched), whole, bundled)
    assert len(inodes(whole)) == 1
    assert_same(found(store, bundled), found(whole, bundled))


def test_a_damaged_segment_is_not_copied_into_a_new_one(small, bundled, tmp_path, monkeypatch):
    """A copy has checksums of its own: what a disk did to the old one would never be found."""
    monkeypatch.setattr("index.generations.MAPPED", 0)
    texts = dict(list(cut().items())[:4])
    monkeypatch.setattr(segments, "_SEALED", 1000)
    store = GenerationStore(tmp_path / "index")
    build_index(written(tmp_path / "reports", dict(list(texts.items())[:3])), store, bundled)
    path = store.folder / "gen-000001" / "000" / "plain" / "dense" / "vectors.npy"
    data = bytearray(path.read_bytes())
    data[-7] ^= 1
    path.write_bytes(data)
    with pytest.raises(IndexProblem, match=r"vectors\.npy 已损坏"):
        store.check(store.open()[0])
    report = build_index(written(tmp_path / "reports", texts), store, bundled)
    assert [x.reused for x in report.documents] == [False] * 4
    store.check(store.open()[0])
    fresh = GenerationStore(tmp_path / "fresh" / "index")
    build_index(written(tmp_path / "reports", texts), fresh, bundled)
    assert store.open()[0].files == fresh.open()[0].files

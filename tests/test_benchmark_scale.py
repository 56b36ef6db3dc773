"""What `benchmarks/scale.py` measures by: exhaustive scoring, and adding to a copy of an index."""

import json
import sys
from pathlib import Path

import pytest

from corpus.library import Library, shipped_folder
from index.build import build_index
from index.encoders import BundledEncoder
from index.generations import GenerationStore
from index.search import HybridRetriever
from index.snapshot import Snapshot

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import exhaustive
import growing
import scale

QUESTIONS = ["宝山区有多少家生物医药企业？", "先投后股是什么意思", "2015年普陀区"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    build_index(Library(shipped_folder()), GenerationStore(folder / "index"), BundledEncoder())
    return folder


@pytest.fixture(scope="module")
def retriever(home):
    return HybridRetriever(Snapshot.load(GenerationStore(home / "index").open()[0]), BundledEncoder())


def bytes_of(folder):
    return {x.relative_to(folder): x.read_bytes() for x in folder.rglob("*") if x.is_file()}


def test_where_all_passages_are_candidates_nothing_is_missed(retriever):
    found = exhaustive.recall(retriever, QUESTIONS)
    assert found["hybrid"] == found["lexical"] == {"mean": 1.0, "least": 1.0, "of": len(QUESTIONS)}


def test_a_search_that_finds_half_of_the_best_has_half_the_recall(retriever, monkeypatch):
    real = exhaustive.LocalArms.candidates

    def half(self, part, *a):
        found = real(self, part, *a)
        best = exhaustive.rank(part.text, "lexical", found).rows[:10:2]
        found.bonus[:] = [-9 if row in best else 0 for row in found.rows]
        return found

    monkeypatch.setattr(exhaustive.LocalArms, "candidates", half)
    assert exhaustive.recall(retriever, QUESTIONS[:1])["lexical"]["mean"] == pytest.approx(0.5, abs=0.1)


def test_scoring_block_by_block_says_the_same_as_at_once(retriever, monkeypatch):
    whole = exhaustive.recall(retriever, QUESTIONS)
    monkeypatch.setattr(exhaustive, "_BLOCK", 37)
    assert exhaustive.recall(retriever, QUESTIONS) == whole


def test_a_report_is_added_to_a_copy_and_the_index_stays_as_it_is(home, tmp_path, monkeypatch):
    monkeypatch.setattr(growing, "_SETTLED", 0)  # all is hashed again: slower, and the same
    reports, index = bytes_of(shipped_folder()), bytes_of(home / "index")
    seconds, report, grown = growing.add_one(shipped_folder(), home, tmp_path)
    assert [x.id for x in report.documents if not x.reused] == ["added"]
    assert seconds["whole"] > 0
    assert GenerationStore(grown / "index").open()[0].manifest["documents"] == 6
    assert (bytes_of(shipped_folder()), bytes_of(home / "index")) == (reports, index)


def test_the_table_has_what_each_stage_said_last_and_leaves_out_what_was_not_measured(tmp_path):
    runs = [
        {"size": 10_000, "load": {"query": 0.5}, "query": {"passages": 10_020}},
        {"size": 1_000, "load": {"build": 2.5, "query": 2.0}, "build": {"seconds": 3.25}, "query": {"passages": 999}},
        {"size": 1_000, "load": {"query": 1.5}, "query": {"passages": 1_025}},
    ]
    for run in runs:
        with (tmp_path / f"scale-{run['size']}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")
    assert scale.table(scale.read(tmp_path)).split("\n\n")[0].splitlines() == [
        "|  | 1,000 | 10,000 |",
        "| --- | --: | --: |",
        "| passages | 1,025 | 10,020 |",
        "| highest load average | 2.500 | 0.500 |",
        "| build, s | 3.250 |  |",
    ]

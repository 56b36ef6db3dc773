"""The libraries that benchmarks are measured on: `benchmarks/texts.py`."""

import random
import sys
from pathlib import Path

import pytest

from corpus.library import Library, shipped_folder

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import texts


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "library"
    reports, _ = texts.write_library(folder, 700, training=None)
    return folder, reports


def test_a_made_library_is_read_by_kewen_and_about_as_large_as_asked_for(made):
    folder, reports = made
    assert len(Library(folder).entries) == reports
    assert 630 <= sum(1 for _ in texts.read_passages(folder)) <= 850


def test_no_two_passages_of_a_made_library_are_equal(made):
    passages = [passage.text for _, _, passage in texts.read_passages(made[0])]
    assert len(passages) == len(set(passages))


def test_the_first_reports_of_a_made_library_are_the_shipped_ones(made):
    shipped, library = Library(shipped_folder()), Library(made[0])
    for ours, theirs in zip(shipped, library, strict=False):
        assert (theirs.id, library.read(theirs)) == (ours.id, shipped.read(ours))


def test_a_smaller_library_is_the_beginning_of_a_larger_one(made, tmp_path):
    texts.write_library(tmp_path / "small", 500, training=None)
    small = [passage for _, _, passage in texts.read_passages(tmp_path / "small")]
    large = [passage for _, _, passage in texts.read_passages(made[0])]
    assert small == large[: len(small)]


def test_places_and_numbers_change_and_the_rest_of_a_text_stays():
    text = "宝山区有449家企业，长宁区有7家。"
    other = texts.varied(text, seed=3)
    assert other != text
    assert other == texts.varied(text, seed=3)
    assert other[2:4] == "区有"
    assert other.endswith("区有7家。")


def test_made_up_names_never_end_and_the_common_ones_return():
    chance = random.Random(0)  # noqa: S311 - no secret
    names = [texts.organisation(chance) for _ in range(20_000)]
    first, all_of_them = len(set(names[:2_000])), len(set(names))
    assert all_of_them > 2.5 * first
    assert all_of_them < 10_000

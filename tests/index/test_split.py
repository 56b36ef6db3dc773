"""Many lines cut at once are the lines cut one by one."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from index import split as splitting
from index.counting import Numbers
from index.encoders import BundledEncoder
from index.segment import characters, is_han, normalise, runs, words
from index.split import LineEncoder, Split

ALPHABET = "科技创新六二十五家百分之点年张江乾隆乾淨臺灣Ｇ60aé+-.,，。“”（1①¹ \n\x1e한Σ"
LINES = st.lists(st.text(st.sampled_from(ALPHABET), max_size=12), max_size=8)


def numbers_of(terms, numbers):
    return Counter(numbers[term] for term in terms)


def check(lines, split, numbers):
    assert len(lines) == len(split.folded) == len(split.han) == split.characters.size == split.words.size
    for n, line in enumerate(lines):
        read = line.replace("\x1e", "\n")
        assert split.folded[n] == normalise(read)
        assert split.han[n].split() == [run for run in runs(normalise(read)) if is_han(run)]
        for groups, terms in ((split.characters, characters), (split.words, words)):
            held = groups.values[groups.starts[n] : groups.starts[n + 1]].tolist()
            assert Counter(held) == numbers_of(terms(read), numbers)
    latin = [(n, run) for n, line in enumerate(split.folded) for run in runs(line) if not is_han(run)]
    assert list(zip(split.latin_lines.tolist(), split.latin, strict=True)) == latin


@settings(max_examples=300, deadline=None)
@given(LINES)
def test_lines_have_the_terms_that_each_has_alone(lines):
    numbers = Numbers()
    check(lines, Split.of(lines, numbers), numbers)


def test_lines_are_cut_alike_however_many_are_taken_together(reports, monkeypatch):
    lines = next(iter(reports.values())).text.splitlines()[:120]
    whole, parts = Numbers(), Numbers()
    check(lines, Split.of(lines, whole), whole)
    monkeypatch.setattr(splitting, "_TOGETHER", 100)
    check(lines, Split.of(lines, parts), parts)


def test_the_bundled_encoder_reads_lines_as_it_reads_texts(bundled: BundledEncoder, reports):
    assert isinstance(bundled, LineEncoder)
    lines = [*next(iter(reports.values())).text.splitlines()[:200], "", "!!!", "AI4S chips 3.5 与 Ｇ60", "ゑ"]
    split = Split.of(lines, Numbers())
    found = bundled.line_units(split.han, split.latin, split.latin_lines).distinct()
    for n, units in enumerate(bundled.units(lines)):
        assert found.values[found.starts[n] : found.starts[n + 1]].tolist() == units.tolist()
    assert (bundled.means(found) == bundled.encode_passages(lines)).all()

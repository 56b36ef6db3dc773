"""The short forms of this folder's programs: a few kills, each kind of damage, small disks, two writers, some swaps."""

# ruff: noqa: S311 - chance, not a secret
from __future__ import annotations

import random
import resource
from dataclasses import replace

import pytest

from service.errors import KewenError
from tests.faults import clock, flips, kills, steps, swap, writers
from tests.faults.common import Tally, answers, bench, changed, copied, opened, published, sound


@pytest.fixture(scope="module")
def place():
    with bench() as made:
        yield made


@pytest.fixture
def tally():
    made = Tally.named("")
    yield made
    assert made.counts
    assert made.faults == []


@pytest.mark.parametrize("what", ["add", "remove"])
def test_a_command_that_is_killed_at_any_moment_loses_nothing(place, tally, what):
    change = kills.changes(place)[what]()
    kills.at_random(place, kills.Judge(place, change, tally), change, 3, random.Random(what))


@pytest.mark.parametrize("mode", steps.MODES)
def test_a_change_that_ends_at_any_of_its_calls_is_wholly_done_or_not_at_all(place, tally, mode):
    steps.steps(place, mode, tally, stride=19, thorough=False)
    assert sum(tally.counts.values()) > 10


def test_damage_is_told_and_never_answered_from(place, tally):
    ground, rng = flips.Ground(place), random.Random(1)
    for n in range(100):
        done = ground.damage(rng)
        if done:
            flips.look(ground, done, tally)
        if done and n % 20 == 0:
            flips.mend(ground, done, tally)
        ground.restore(done)


def test_files_that_may_not_grow_leave_all_as_it_was(place):
    base = place.home("small", "b")
    before, right = published(base), answers(place.assistant(base))
    for limit in (0, 100, 700, 5_000, 50_000):
        home, path = copied(base, place.folder / "try"), place.file("d")
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        try:
            with pytest.raises(KewenError) as error:
                place.add(home, path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        assert error.value.code == "insufficient_storage"
        assert published(home) == before
        assert answers(place.assistant(home)) == right
        assert sound(place.assistant(home)) == []
        assert place.add(home, path).complete
        assert opened(place.assistant(home)) == changed(before, "d")


def test_two_commands_that_add_at_once_are_both_done(place, tally):
    writers.two_adders(place, place.home("two", "b"), tally)


def test_every_answer_is_of_one_state_while_documents_come_and_go(place, tally):
    swap.swaps(place, 3, tally, random.Random(1), clients=4)
    assert tally.counts["generations answered from"] > 3


def test_many_updates_of_one_document_let_nothing_grow(place, tally):
    clock.updates(place, 15, tally)


class Renamed:
    """The bundled encoder under another fingerprint: same dimension, other weights as far as anyone knows."""

    def __init__(self, encoder) -> None:
        self._encoder = encoder
        self.fingerprint = "another"

    def __getattr__(self, name):
        return getattr(self._encoder, name)


def test_an_index_of_another_model_of_the_same_dimension_is_refused_until_it_is_built_anew(place):
    home = place.home("model", "b")
    before = published(home)
    other = replace(place, encoder=Renamed(place.encoder))
    with pytest.raises(KewenError) as error:
        other.assistant(home).retriever()
    assert (error.value.code, error.value.exit_code) == ("model_mismatch", 7)
    other.assistant(home).build()
    assert opened(other.assistant(home)) == before
    assert other.add(home, other.file("d")).complete

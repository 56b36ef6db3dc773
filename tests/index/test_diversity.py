"""Copies of one text do not fill the hits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.diversity import defer_copies

TEXT = "宝山区推进科创中心主阵地建设，打造大学科技园，引进一批高新技术企业，培育生物医药和新材料产业集群。"


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        ([], []),
        ([TEXT, TEXT, "嘉定区聚焦汽车。"], [0, 2, 1]),
        ([TEXT, TEXT.replace("一批", "多家"), "嘉定区聚焦汽车。", TEXT], [0, 2, 1, 3]),
        ([TEXT, TEXT[:20], "嘉定区聚焦汽车。"], [0, 1, 2]),
        (["甲", "乙", "丙"], [0, 1, 2]),
    ],
)
def test_copies_stand_behind_the_others(texts, order):
    assert defer_copies(texts, len(texts), 99) == order


@given(st.lists(st.text(alphabet="甲乙丙丁", max_size=12), max_size=12))
def test_nothing_is_lost_and_the_best_stays_first(texts):
    order = defer_copies(texts, len(texts), 99)
    assert sorted(order) == list(range(len(texts)))
    assert order[:1] == [0][: len(texts)]


@given(st.lists(st.sampled_from([TEXT, "嘉定区聚焦汽车新四化。", "浦东新区建设科学城。"]), max_size=9))
def test_each_text_is_seen_before_any_is_seen_twice(texts):
    shown = [texts[n] for n in defer_copies(texts, len(texts), 99)]
    assert shown[: len(set(texts))] == list(dict.fromkeys(texts))


def test_what_follows_enough_different_texts_is_not_looked_at():
    assert defer_copies([TEXT, TEXT, "甲乙丙", "丁", TEXT], 5, 2) == [0, 2, 3, 4, 1]

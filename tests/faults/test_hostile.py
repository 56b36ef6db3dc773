"""The short form of `hostile.py`: the files that are made in a moment, in one folder with two good ones, by the real command."""

from __future__ import annotations

import gzip
import os
import pickle
import shutil
import tempfile
from contextlib import suppress

import pytest

from corpus.readers import ReadError, sandbox
from tests.corpus import hostile_pdf
from tests.faults import flips
from tests.faults.common import Tally, bench, run
from tests.faults.hostile import Case, Outcome, bad_ones_last, canaries, cases, judge, together


@pytest.fixture(scope="module")
def place():
    with bench() as made:
        yield made


@pytest.fixture(scope="module")
def base(place):
    return place.home("base")


def test_broken_and_hostile_files_cost_the_good_ones_nothing(place, base):
    with canaries() as (address, asked):
        made = [x for x in cases(address) if x.cheap]
        outcome, wrong = together(place, base, made)
    assert wrong == []
    assert len(made) >= 24
    assert outcome.code == 3
    assert outcome.memory < 1024
    assert outcome.child_memory < 1024
    assert asked == []


def test_what_could_not_be_added_is_printed_last_and_says_why(place, base):
    folder, home = place.folder / "few", shutil.copytree(base, place.folder / "home-few")
    folder.mkdir()
    (folder / "a密码.pdf").write_bytes(hostile_pdf.encrypted(b"secret", b"owner"))
    (folder / "b空.txt").write_bytes(b"")
    (folder / "c好.txt").write_text("好区报告\n\n一、基础\n\n好区2025年有企业77家。\n", encoding="utf-8")
    code, out, _ = run(place, home, "docs", "add", str(folder))
    assert code == 3
    assert bad_ones_last(out)
    assert out.splitlines()[-1].startswith("共 3 份：成功 1，失败 2")
    assert "未加入（encrypted）a密码.pdf：a密码.pdf 有打开密码" in out


@pytest.mark.parametrize(
    ("status", "message", "fault"),
    [
        ("ok", "", "ok, not"),
        ("corrupt", "Segmentation fault", "the message doesn't say"),
        ("corrupt", "文件已损坏，请重试。", "the message doesn't name"),
    ],
)
def test_the_judge_sees_what_is_wrong(place, base, status, message, fault):
    statuses = ("encrypted",) if status == "ok" else (status,)
    report = {"documents": [{"file": "x.pdf", "status": status, "message": message, "id": "a"}]}
    wrong = judge(place, base, Case("x.pdf", lambda path: None, statuses, text="没有的话"), Outcome(3, report))
    assert fault in wrong[0]
    assert judge(place, base, Case("y.pdf", lambda path: None, statuses), Outcome(3, report))[0].startswith("0 reports")


def test_the_order_of_what_is_printed_is_seen():
    assert bad_ones_last("已加入：a\n    《a》\n未加入（empty）b：b\n共 2 份：")
    assert not bad_ones_last("未加入（empty）b：b\n已加入：a\n共 2 份：")
    assert not bad_ones_last("已加入：a\n共 1 份：")


def test_nothing_is_unpickled(place, monkeypatch):
    """A pickle that would leave a mark stands in the place of each file of the index and the library in turn, and where
    others look for caches: it is damage, and never run.
    """
    canary, caches = place.folder / "canary", place.folder / "caches"
    payload = pickle.dumps(Canary(canary))
    pickle.loads(payload)  # noqa: S301 - it does what it should
    canary.rmdir()
    ground, tally = flips.Ground(place), Tally.named("")
    caches.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(caches))
    monkeypatch.chdir(caches)
    for name in ("jieba.cache", "evil", "evil.pickle.gz", "kewen.pkl"):
        (caches / name).write_bytes(gzip.compress(payload) if name.endswith("gz") else payload)
    for name in ground.names:
        (ground.home / name).write_bytes(payload)
        flips.look(ground, [(name, "pickle")], tally)
        assert not canary.exists(), name
        ground.restore([(name, "pickle")])
    assert len(ground.names) > 40
    assert tally.faults == []
    # pdfminer's defect: the name of a table of characters is a path.
    font = b"<</Type/Font/Subtype/Type0/BaseFont/A/Encoding/%s/DescendantFonts[9 0 R]>>"
    inner = b"<</Type/Font/Subtype/CIDFontType2/BaseFont/A/CIDSystemInfo<</Registry(%s)/Ordering(evil)/Supplement 0>>>>"
    path = str(caches / "evil").encode()
    whole = path.replace(b"/", b"#2F")
    for encoding in (whole, b"..#2F" * 9 + whole, b"evil"):
        more = {5: font % encoding, 9: inner % path}
        data = hostile_pdf.one_page(hostile_pdf.stream(b"BT /F 12 Tf 72 700 Td (words) Tj ET"), more=more)
        with suppress(ReadError):
            sandbox.read("x.pdf", data)
        assert not canary.exists()


class Canary:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)

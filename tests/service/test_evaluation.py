"""The latest evaluation over HTTP: what `kewen eval report` keeps, who may read it, and what is no report."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient

from service import evaluations
from service.app import create_app
from service.keys import KeyRing

BASE = "http://127.0.0.1:8765"
PAGE = "<!doctype html><title>报告</title><style>p { color: red }</style><p>前五条命中</p>".encode()
FIGURES = {
    "made": "2026-11-21T20:42:23+00:00",
    "system": "kewen · hybrid · bundled",
    "split": None,
    "questions": 252,
    "answerable": 236,
    "measures": {"Success@5": [0.99, 0.975, 1.0]},
    "answers": {},
    "by_type": {"fact": {"questions": 54, "Success@5": [1.0, 1.0, 1.0]}},
}
READ, EVALUATED = "/v1/evaluation", "/evaluation"


@pytest.fixture
def home(settings, tmp_path):
    """Settings with a home in which nothing is evaluated yet."""
    return replace(settings, home=tmp_path / "own")


@pytest.fixture
def client(assistant, home):
    assistant.settings = home
    return TestClient(create_app(assistant, home), base_url=BASE, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("run") / "dev"


def is_none(client):
    answer = client.get(READ)
    assert (answer.status_code, answer.json()) == (200, {"report": None})
    page = client.get(EVALUATED)
    assert page.status_code == 404
    assert "kewen eval report" in page.text
    assert "Traceback" not in page.text


def test_what_eval_report_makes_is_shown_at_once(client, home, shared_home, run, kewen):
    is_none(client)
    shared = ("--home", str(shared_home))
    assert kewen("eval", "run", "--split", "dev", "--answers", "--out", str(run), *shared)[0] == 0
    code, out, err = kewen("eval", "report", str(run), "--home", str(home.home))
    assert code == 0, err
    assert "评测" in out
    report = client.get(READ).json()["report"]
    summary = json.loads((run / "summary.json").read_bytes())
    assert list(report["measures"]["Success@5"].values()) == summary["overall"]["Success@5"]
    assert list(report["answers"]["evidence"].values()) == summary["answers"]["overall"]["evidence"]
    assert {name: x["questions"] for name, x in report["by_type"].items()} == {
        name: x["questions"] for name, x in summary["by"]["type"].items()
    }
    assert (report["split"], report["questions"], report["answerable"]) == ("dev", 126, 118)
    assert report["url"] == f"{home.base_url}{EVALUATED}"
    page = client.get(EVALUATED)
    assert page.content == (run / "report.html").read_bytes()
    assert page.headers["content-security-policy"].startswith(
        "sandbox; default-src 'none'; style-src 'unsafe-inline'; "
    )
    assert "script-src" not in page.headers["content-security-policy"]


def test_a_report_takes_the_place_of_the_one_before_it(client, home):
    evaluations.keep(home.home, PAGE, FIGURES)
    evaluations.keep(home.home, PAGE + b"2", {**FIGURES, "questions": 300})
    assert client.get(READ).json()["report"]["questions"] == 300
    assert client.get(EVALUATED).content == PAGE + b"2"
    assert sorted(x.name for x in (home.home / "evaluation").iterdir()) == ["report.html", "summary.json"]
    assert {x.stat().st_mode & 0o777 for x in (home.home / "evaluation").iterdir()} == {0o600}


def test_a_document_of_that_name_is_a_document(client):
    assert "打不开原文" in client.get("/d/evaluation").text


def damaged(**changes):
    def damage(folder):
        path = folder / "summary.json"
        path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}), encoding="utf-8")

    return damage


def cut(folder):
    path = folder / "summary.json"
    path.write_bytes(path.read_bytes()[:-20])


def other_page(folder):
    (folder / "report.html").write_bytes(b"<script>alert(1)</script>")


def huge(folder):
    for path in folder.iterdir():
        os.truncate(path, 1 << 40)  # a file of holes


def folders(folder):
    for path in list(folder.iterdir()):
        path.unlink()
        path.mkdir()


def pipe(folder):
    (folder / "summary.json").unlink()
    os.mkfifo(folder / "summary.json")


@pytest.mark.parametrize(
    "damage",
    [
        cut,
        other_page,
        huge,
        folders,
        pipe,
        lambda folder: (folder / "report.html").unlink(),
        lambda folder: (folder / "summary.json").write_bytes(b"[" * 100_000),
        lambda folder: (folder / "summary.json").write_bytes(b"\xff\xfe"),
        damaged(measures={"Success@5": {"mean": 2.0, "low": 0, "high": 1}}),
        damaged(measures={"Success@5": {"mean": float("nan"), "low": 0, "high": 1}}),
        damaged(measures=["Success@5"]),
        damaged(system="x" * 100_000),
        damaged(made="gestern"),
        damaged(extra=1),
        damaged(page="../../keys.json"),
    ],
)
def test_what_is_no_report_is_none_and_breaks_nothing(client, home, damage):
    evaluations.keep(home.home, PAGE, FIGURES)
    assert client.get(READ).json()["report"]
    damage(home.home / "evaluation")
    is_none(client)
    if damage is not folders:
        evaluations.keep(home.home, PAGE, FIGURES)
        assert client.get(EVALUATED).content == PAGE


def test_figures_that_are_no_shares_are_not_kept(home):
    with pytest.raises(ValueError, match="less than or equal to 1"):
        evaluations.keep(home.home, PAGE, {**FIGURES, "measures": {"Success@5": [99.0, 97.0, 100.0]}})
    assert not (home.home / "evaluation").exists()


def test_with_keys_the_page_opens_by_its_signature_alone(client, home, monkeypatch):
    evaluations.keep(home.home, PAGE, FIGURES)
    key = KeyRing(home).add("某人", "read")
    assert client.get(READ).status_code == client.get(EVALUATED).status_code == 401
    given = client.get(READ, headers={"Authorization": f"Bearer {key}"}).json()["report"]["url"]
    query = {k: v[0] for k, v in parse_qs(urlsplit(given).query).items()}
    assert client.get(EVALUATED, params=query).content == PAGE
    assert client.get(EVALUATED, headers={"Authorization": f"Bearer {key}"}).content == PAGE
    for wrong in ({"sign": ""}, {"sign": query["sign"][:-1]}, {"until": str(int(query["until"]) + 86_400)}):
        refused = client.get(EVALUATED, params={**query, **wrong})
        assert (refused.status_code, "打不开评测报告" in refused.text) == (403, True)
    assert client.get(READ, params=query).status_code == 401
    assert client.get("/d/shanghai-2022-districts", params=query).status_code == 403
    now = time.time()
    monkeypatch.setattr("service.links.time.time", lambda: now + 2 * 86_400)
    assert client.get(EVALUATED, params=query).status_code == 403

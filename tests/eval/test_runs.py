"""Runs: their folder, their exports read by another tool, interruption, comparison and report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import pytrec_eval

from eval.runs import read_run


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def evaluate(kewen, shared_home, run_folder):
    """A run of some options, made once a module."""

    def run(name: str, *options: str) -> Path:
        folder = run_folder / name
        if not folder.exists():
            code, _, err = kewen(
                "eval", "run", "--split", "dev", "--out", str(folder), "--home", str(shared_home), *options
            )
            assert code == 0, err
        return folder

    return run


def test_a_run_reports_all_measures_with_intervals(evaluate):
    summary = json.loads((evaluate("hybrid") / "summary.json").read_text(encoding="utf-8"))
    assert (summary["answerable"], summary["unanswerable"], summary["citation_exactness"]) == (118, 8, 1.0)
    for mean, low, high in (v for k, v in summary["overall"].items() if k != "questions"):
        assert 0 <= low <= mean <= high <= 1
    assert sum(x["questions"] for x in summary["by"]["type"].values()) == 118
    assert set(summary["by"]["difficulty"]) == {"easy", "medium", "hard"}
    assert summary["latency_ms"]["p50"] <= summary["latency_ms"]["p95"]


def test_another_tool_finds_the_same_numbers_in_the_exported_files(evaluate):
    folder = evaluate("hybrid")
    with (folder / "qrels.trec").open(encoding="utf-8") as file:
        qrels = pytrec_eval.parse_qrel(file)
    with (folder / "run.trec").open(encoding="utf-8") as file:
        run = pytrec_eval.parse_run(file)
    names = {"Success@5": "success_5", "R@10": "recall_10", "nDCG@10": "ndcg_cut_10"}
    measured = pytrec_eval.RelevanceEvaluator(qrels, {"success", "recall", "ndcg_cut", "recip_rank"}).evaluate(run)
    scores = read_run(folder).scores
    assert len(scores) == 118
    for name, values in scores.items():
        for ours, theirs in names.items():
            assert values[ours] == pytest.approx(measured.get(name, {}).get(theirs, 0.0), abs=1e-6)
        assert values["RR@10"] == pytest.approx(measured.get(name, {}).get("recip_rank", 0.0), abs=1e-6)


def test_exports_keep_the_rules_of_their_formats(evaluate):
    folder = evaluate("hybrid")
    last: dict[str, float] = {}
    for line in (folder / "run.trec").read_text(encoding="utf-8").splitlines():
        question, q0, unit, rank, score, tag = line.split(" ")
        assert (q0, tag) == ("Q0", "kewen")
        assert int(rank) == 1 or float(score) < last[question]
        last[question] = float(score)
        assert unit.isascii()
    corpus = [json.loads(x) for x in (folder / "beir/corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    queries = [json.loads(x) for x in (folder / "beir/queries.jsonl").read_text(encoding="utf-8").splitlines()]
    header, *rows = (folder / "beir/qrels/dev.tsv").read_text(encoding="utf-8").splitlines()
    assert header == "query-id\tcorpus-id\tscore"
    ids = {x["_id"] for x in corpus}
    assert {row.split("\t")[1] for row in rows} <= ids
    assert {row.split("\t")[0] for row in rows} == {x["_id"] for x in queries}
    assert not ids & {x["_id"] for x in queries}


def test_a_run_made_elsewhere_scores_as_ours_does(evaluate):
    ours, theirs = evaluate("hybrid"), None
    theirs = evaluate("elsewhere", "--run", str(ours / "run.trec"))
    assert read_run(theirs).scores == read_run(ours).scores


def test_an_interrupted_run_goes_on_and_ends_the_same(evaluate, kewen, shared_home, tmp_path):
    whole = evaluate("hybrid")
    half = tmp_path / "half"
    half.mkdir()
    (half / "manifest.json").write_bytes((whole / "manifest.json").read_bytes())
    lines = (whole / "results.jsonl").read_bytes().splitlines(keepends=True)
    (half / "results.jsonl").write_bytes(b"".join(lines[:40]) + lines[40][:50])
    code, _, err = kewen("eval", "report", str(half), "--home", str(shared_home))
    assert code == 2
    assert "中断" in err
    assert kewen("eval", "run", "--split", "dev", "--out", str(half), "--home", str(shared_home))[0] == 0
    assert json.loads((half / "scores.json").read_bytes()) == json.loads((whole / "scores.json").read_bytes())
    assert (half / "run.trec").read_bytes() == (whole / "run.trec").read_bytes()


def test_a_folder_with_another_run_is_left_alone(evaluate, kewen, shared_home, tmp_path):
    before = {x: x.read_bytes() for x in evaluate("hybrid").iterdir() if x.is_file()}
    arguments = ["eval", "run", "--home", str(shared_home)]
    code, _, err = kewen(*arguments, "--split", "test", "--out", str(evaluate("hybrid")))
    assert (code, "另一次评测" in err) == (2, True)
    assert {x: x.read_bytes() for x in before} == before
    (tmp_path / "mine.txt").write_text("x", encoding="utf-8")
    code, _, err = kewen(*arguments, "--out", str(tmp_path))
    assert (code, "不是空的" in err) == (2, True)


def test_comparison_says_what_cannot_be_told_apart(evaluate, kewen):
    hybrid, lexical = evaluate("hybrid"), evaluate("lexical", "--mode", "lexical")
    literal = evaluate("literal", "--mode", "lexical", "--literal", "--no-expansion")
    code, out, _ = kewen("eval", "compare", str(hybrid), str(hybrid))
    assert code == 0
    assert "还分不出这两个系统的高下" in out
    assert "还分不出这两个系统的高下" not in kewen("eval", "compare", str(literal), str(lexical))[1]
    compared = json.loads(kewen("eval", "compare", str(literal), str(hybrid), "--json")[1])
    ndcg = next(x for x in compared["differences"] if x["measure"] == "nDCG@10")
    assert ndcg["difference"] > 0
    assert ndcg["distinguishable"]
    assert len(compared["wins"]) + len(compared["losses"]) + compared["ties"] == 118
    same = json.loads(kewen("eval", "compare", str(hybrid), str(hybrid), "--json")[1])
    assert not any(x["distinguishable"] for x in same["differences"])
    assert same["ties"] == 118


def test_runs_on_other_questions_are_not_compared(evaluate, kewen, shared_home, tmp_path):
    other = tmp_path / "test"
    assert kewen("eval", "run", "--split", "test", "--out", str(other), "--home", str(shared_home))[0] == 0
    code, _, err = kewen("eval", "compare", str(evaluate("hybrid")), str(other))
    assert (code, "不能比较" in err) == (2, True)
    code, _, err = kewen("eval", "compare", str(tmp_path / "nowhere"), str(other))
    assert (code, "不是评测结果" in err) == (2, True)


def test_the_report_is_one_page_with_nothing_from_outside(evaluate, kewen, shared_home, tmp_path):
    page = tmp_path / "report.html"
    assert kewen("eval", "report", str(evaluate("hybrid")), "--out", str(page), "--home", str(shared_home))[0] == 0
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"<script|src=|url\(|@import|https?://", html)
    run = read_run(evaluate("hybrid"))
    missed = [name for name, x in run.scores.items() if x["Success@5"] == 0]
    assert html.count("<details>") == len(missed)
    assert all(name in html for name in missed)
    assert "最弱的一类是<b>换说法</b>" in html


def test_what_a_system_returns_is_escaped_in_the_report(evaluate, kewen, shared_home, tmp_path):
    folder = tmp_path / "evil"
    folder.mkdir()
    for path in evaluate("hybrid").iterdir():
        if path.is_file():
            data = path.read_text(encoding="utf-8")
            if path.name == "results.jsonl":
                data = re.sub(r'"text": "[^"]{5}', '"text": "<script>alert(1)</script>', data)
            (folder / path.name).write_text(data, encoding="utf-8")
    assert kewen("eval", "report", str(folder), "--home", str(shared_home))[0] == 0
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_expectations(evaluate, kewen, shared_home, tmp_path):
    arguments = ["eval", "run", "--split", "dev", "--out", str(evaluate("hybrid")), "--home", str(shared_home)]
    shipped = Path(__file__).parent.parent.parent / "eval" / "expected.toml"
    assert kewen(*arguments, "--expect", str(shipped))[0] == 0
    high = tmp_path / "high.toml"
    high.write_text('split = "dev"\n[measures."Success@1"]\nvalue = 0.999\ntolerance = 0.0\n', encoding="utf-8")
    code, _, err = kewen(*arguments, "--expect", str(high))
    assert (code, "低于期望 0.999" in err) == (1, True)
    high.write_text("split = 3", encoding="utf-8")
    assert kewen(*arguments, "--expect", str(high))[0] == 2


def test_an_endpoint_scores_as_the_same_system_in_process(evaluate, endpoint):
    ours, theirs = read_run(evaluate("hybrid")), read_run(evaluate("endpoint", "--endpoint", endpoint))
    for name in ("Success@5", "Complete@10", "Success@2000chars", "RR@10"):
        assert theirs.summary["overall"][name] == ours.summary["overall"][name]
    assert theirs.summary["citation_exactness"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--endpoint", "http://127.0.0.1:9"], "连不上"),
        (["--endpoint", "file:///etc/passwd"], "http"),
        (["--run", "/nowhere"], "读不了"),
        (["--endpoint", "http://x", "--run", "y"], "只能用一个"),
        (["--gold", "/nowhere"], "读不了"),
        (["--squad", "/nowhere"], "SQuAD"),
        (["--mode", "fuzzy"], "fuzzy"),
    ],
)
def test_bad_use_of_run(kewen, shared_home, tmp_path, options, message):
    code, _, err = kewen("eval", "run", "--out", str(tmp_path / "x"), "--home", str(shared_home), *options)
    assert code == 2
    assert message in err


@pytest.mark.parametrize("line", ["k001 Q0 x 1", "k001 Q0 nope:1-2 1 0.5 tag", "k001 Q0 x one y tag"])
def test_a_bad_run_file_is_named_by_line(kewen, shared_home, tmp_path, line):
    file = tmp_path / "run.trec"
    file.write_text(line + "\n", encoding="utf-8")
    code, _, err = kewen("eval", "run", "--out", str(tmp_path / "x"), "--home", str(shared_home), "--run", str(file))
    assert (code, "第 1 行" in err) == (2, True)


def test_a_squad_file_runs(kewen, tmp_path):
    contexts = [
        "宝山区有生物医药企业449家。上市企业1家。",
        "嘉定区聚焦汽车新四化，打造世界级汽车产业中心。",
        "浦东新区建设科学城。",
    ]
    qas = [
        {"id": "1", "question": "宝山有多少家生物医药企业", "answers": [{"text": "449家", "answer_start": 9}]},
        {"id": "2", "question": "嘉定区打造什么中心", "answers": [{"text": "汽车产业中心", "answer_start": -1}]},
        {"id": "3", "question": "没有答案", "answers": []},
    ]
    paragraphs = [{"context": c, "qas": [q]} for c, q in zip(contexts, qas, strict=True)]
    file = tmp_path / "cmrc.json"
    file.write_text(json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}), encoding="utf-8")
    code, out, err = kewen("eval", "run", "--out", str(tmp_path / "run"), "--squad", str(file), "--json")
    assert code == 0, err
    summary = json.loads(out)
    assert summary["answerable"] == 2
    assert summary["overall"]["Success@1"][0] == 1
    file.write_text("{}", encoding="utf-8")
    assert kewen("eval", "run", "--out", str(tmp_path / "run2"), "--squad", str(file))[0] == 2

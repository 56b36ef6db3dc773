"""`kewen eval run --answers`: what is asked, kept and shown; `kewen eval calibrate`, and the questions it learns from."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest

import eval.calibration
import eval.cli
import service.confidence
from corpus.library import Library, shipped_folder
from eval.answer_runs import read_answers
from eval.calibration import AGAINST, CALIBRATION, _fit, _pipeline
from eval.gold import SHIPPED, load_gold
from eval.runs import read_run
from index.segment import normalise
from service.errors import KewenError


def dev_lines(each: int) -> list[str]:
    """Lines of `dev`, so many of each type; those of `test` stay unread."""
    found: list[str] = []
    counts: dict[str, int] = {}
    for line in SHIPPED.read_text(encoding="utf-8").splitlines():
        if '"split": "dev"' in line:
            kind = json.loads(line)["type"]
            counts[kind] = counts.get(kind, 0) + 1
            found += [line] * (counts[kind] <= each)
    return found


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    (folder / "gold.jsonl").write_text("\n".join(dev_lines(4)) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def arguments(work, shared_home):
    """A run with answers over the small gold file; the folder and other options follow."""
    options = ["--split", "dev", "--gold", str(work / "gold.jsonl"), "--home", str(shared_home)]
    return ["eval", "run", "--answers", *options, "--out"]


@pytest.fixture
def whole(kewen, arguments, work) -> Path:
    """A run with answers, made once a module."""
    if not (work / "whole").exists():
        code, _, err = kewen(*arguments, str(work / "whole"))
        assert code == 0, err
    return work / "whole"


def answers_of(folder: Path) -> list[dict]:
    lines = (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) | {"took_ms": None} for line in lines]


def answer_summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_bytes())["answers"] | {"latency_ms": None}


# -- a run --------------------------------------------------------------------------------------------


def test_a_run_with_answers_measures_them(whole):
    summary = json.loads((whole / "summary.json").read_bytes())["answers"]
    count = len(dev_lines(4))
    assert summary["overall"]["questions"] == count == sum(x["questions"] for x in summary["by_type"].values())
    assert summary["quotes"]["exact"] == summary["quotes"]["total"] > count / 2
    for name in ("evidence", "precision", "facts", "correct", "silent", "abstained"):
        mean, low, high = summary["overall"][name]
        assert 0 <= low <= mean <= high <= 1
    assert summary["overall"]["evidence"][0] > 0.6
    assert summary["abstention"]["auroc"] > 0.6
    assert summary["abstention"]["unanswerable_abstained"]["questions"] == 4
    assert sum(x["count"] for x in summary["calibration"]["bins"]) == count
    assert summary["latency_ms"]["p50"] <= summary["latency_ms"]["p95"]
    scores = json.loads((whole / "answer_scores.json").read_bytes())
    assert scores.keys() == {x["id"] for x in answers_of(whole)}
    assert read_run(whole).manifest["answers"] is True


def test_what_is_kept_is_what_kewen_answers(whole, kewen, shared_home):
    questions = {x["id"]: x["question"] for x in map(json.loads, dev_lines(4))}
    for kept in answers_of(whole)[::7]:
        given = json.loads(kewen("ask", questions[kept["id"]], "--json", "--home", str(shared_home))[1])
        assert (kept["abstained"], kept["confidence"]) == (given["abstained"], given["confidence"])
        assert [x["text"] for x in kept["said"]] == [x["text"] for x in given["sentences"]]
        quotes = {x["number"]: x["quote"] for x in given["citations"]}
        cited = [[quotes[n] for n in x["citations"]] for x in given["sentences"]]
        assert [[c["quote"] for c in x["cited"]] for x in kept["said"]] == cited


def test_a_run_without_answers_has_none(kewen, arguments, whole, tmp_path):
    plain = [x for x in arguments if x != "--answers"]
    code, out, err = kewen(*plain, str(tmp_path / "plain"))
    assert code == 0, err
    assert "\n答案\n" not in out
    assert not (tmp_path / "plain" / "answers.jsonl").exists()
    run = read_run(tmp_path / "plain")
    assert "answers" not in run.manifest
    assert "answers" not in run.summary
    assert run.scores == read_run(whole).scores, "asking for answers changes nothing of the search"
    code, _, err = kewen(*plain, str(whole))
    assert (code, "另一次评测" in err) == (2, True)


@pytest.mark.parametrize("at", ["between", "within a line", "before the summary", "in the search"])
def test_an_interrupted_run_goes_on_and_ends_the_same(kewen, arguments, whole, tmp_path, at):
    half = tmp_path / "half"
    half.mkdir()
    results = (whole / "results.jsonl").read_bytes().splitlines(keepends=True)
    lines = (whole / "answers.jsonl").read_bytes().splitlines(keepends=True)
    early = lines[:-3]
    kept = {"between": early, "within a line": [*early, lines[-3][:30]], "before the summary": lines}.get(at)
    (half / "manifest.json").write_bytes((whole / "manifest.json").read_bytes())
    (half / "results.jsonl").write_bytes(b"".join(results if kept else results[:5]))
    if kept:
        (half / "answers.jsonl").write_bytes(b"".join(kept))
    with pytest.raises(KewenError, match="中断"):
        read_run(half)
    assert kewen(*arguments, str(half))[0] == 0
    assert answers_of(half) == answers_of(whole)
    assert answer_summary(half) == answer_summary(whole)
    if kept:  # what was there was not asked again: its time is the old one
        first = (half / "answers.jsonl").read_bytes().splitlines(keepends=True)[: len(early)]
        assert first == early


def test_a_killed_run_leaves_whole_lines(kewen, arguments, monkeypatch, tmp_path, whole):
    from eval.systems import LocalSystem

    asked, ask = [], LocalSystem.ask

    def dying(self, question):
        asked.append(question)
        if len(asked) == 6:
            raise KeyboardInterrupt
        return ask(self, question)

    monkeypatch.setattr(LocalSystem, "ask", dying)
    assert kewen(*arguments, str(tmp_path / "half"))[0] == 130
    assert len(read_answers(tmp_path / "half")) == 5
    assert kewen(*arguments, str(tmp_path / "half"))[0] == 0
    assert len(asked) == 6 + len(dev_lines(4)) - 5
    assert answer_summary(tmp_path / "half") == answer_summary(whole)


def test_an_endpoint_answers_as_the_same_system_in_process(kewen, arguments, whole, endpoint, tmp_path):
    code, _, err = kewen(*arguments, str(tmp_path / "e"), "--endpoint", endpoint)
    assert code == 0, err
    assert answers_of(tmp_path / "e") == answers_of(whole)
    assert answer_summary(tmp_path / "e") == answer_summary(whole)
    assert read_run(tmp_path / "e").manifest["system"] == "endpoint"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        {"abstained": False, "confidence": 1, "sentences": [{"text": "x", "citations": [9]}], "citations": []},
        {"abstained": False, "confidence": "sure", "sentences": [], "citations": []},
        {"abstained": False, "confidence": 1, "sentences": None, "citations": []},
    ],
)
def test_an_endpoint_that_answers_otherwise_is_named(kewen, arguments, tmp_path, answer):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"hits": []} if self.path == "/v1/search" else answer).encode())

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        code, _, err = kewen(*arguments, str(tmp_path / "x"), "--endpoint", url)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert (code, "/v1/ask 的响应不合格式" in err) == (2, True)


def test_a_trec_run_has_no_answers(kewen, arguments, whole, tmp_path):
    code, _, err = kewen(*arguments, str(tmp_path / "x"), "--run", str(whole / "run.trec"))
    assert (code, "--answers" in err) == (2, True)
    assert not (tmp_path / "x").exists()


# -- what is shown ------------------------------------------------------------------------------------


def test_the_summary_names_what_the_answers_are_worth(kewen, arguments, whole):
    code, out, _ = kewen(*arguments, str(whole))
    assert code == 0
    summary = json.loads((whole / "summary.json").read_bytes())["answers"]
    *_, text = out.partition("\n答案\n")
    for name, title in (("evidence", "答案含依据"), ("precision", "所引切题"), ("silent", "误作不知")):
        mean, low, high = summary["overall"][name]
        assert re.search(rf"^  {title} +{mean:.3f}   \[{low:.3f}, {high:.3f}\]$", text, re.MULTILINE)
    abstained = summary["abstention"]["unanswerable_abstained"]
    assert f"报告未载的 4 题中，{abstained['count']} 题没有作答" in text
    assert f"引文逐字一致 {summary['quotes']['exact']}/{summary['quotes']['total']}" in text
    assert f"事实题答案长度中位数 {summary['by_type']['fact']['length_median']:g} 字" in text


def test_the_page_shows_answers_calibration_and_what_went_wrong(kewen, whole, shared_home, tmp_path):
    page = tmp_path / "report.html"
    assert kewen("eval", "report", str(whole), "--out", str(page), "--home", str(shared_home))[0] == 0
    html = page.read_text(encoding="utf-8")
    assert not re.search(r"<script|src=|url\(|@import|https?://", html)
    summary = json.loads((whole / "summary.json").read_bytes())["answers"]
    assert f"{100 * summary['overall']['evidence'][0]:.1f}%</b>答案含依据" in html
    assert f"引文逐字一致 {summary['quotes']['exact']}/{summary['quotes']['total']}" in html
    section = html.partition("<h2>把握可靠吗</h2>")[2].partition("<h2>")[0]
    bins = summary["calibration"]["bins"]
    assert section.count('class="tick"') == len(bins) > 3
    assert f"Brier {summary['calibration']['brier']:.3f}" in section
    for x in bins:
        assert f"{x['low']:.2f} 至 {x['high']:.2f}" in section
    scores = json.loads((whole / "answer_scores.json").read_bytes())
    wrong = {
        "有答案而没有作答": [name for name, x in scores.items() if x.get("silent") == 1],
        "报告未载而作了答": [name for name, x in scores.items() if x.get("abstained") == 0],
    }
    for title, names in wrong.items():
        found = re.search(rf"<h2>{title}的 (\d+) 题</h2>(.*?)<h2>", html, re.DOTALL)
        assert (int(found[1]) if found else 0) == len(names)
        assert all(name in found[2] for name in names)


def test_what_a_system_says_is_escaped_on_the_page(kewen, whole, shared_home, tmp_path):
    folder = tmp_path / "evil"
    folder.mkdir()
    for path in whole.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    records = answers_of(whole)
    for record in records:
        record |= {"abstained": False, "said": [{"text": "<script>alert(1)</script>", "cited": []}]}
    text = "".join(json.dumps(x) + "\n" for x in records)
    (folder / "answers.jsonl").write_text(text, encoding="utf-8")
    assert kewen("eval", "report", str(folder), "--home", str(shared_home))[0] == 0
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 4, "one for each unanswerable question"


def test_a_page_without_answers_has_no_section_of_them(kewen, arguments, shared_home, tmp_path):
    plain = [x for x in arguments if x != "--answers"]
    kewen(*plain, str(tmp_path / "plain"))
    assert kewen("eval", "report", str(tmp_path / "plain"), "--home", str(shared_home))[0] == 0
    html = (tmp_path / "plain" / "report.html").read_text(encoding="utf-8")
    assert "<h2>答案</h2>" not in html
    assert "把握可靠吗" not in html


def test_a_damaged_file_of_answers_is_named(kewen, whole, shared_home, tmp_path):
    for broken in (b"5\n", b"{}\n", b"{\n", b"\xff\n"):
        (tmp_path / "answers.jsonl").write_bytes(broken)
        with pytest.raises(KewenError, match="已损坏"):
            read_answers(tmp_path)


def test_expectations_of_answers(kewen, arguments, whole, tmp_path):
    reached = json.loads((whole / "summary.json").read_bytes())["answers"]["overall"]["evidence"][0]
    expected = tmp_path / "expected.toml"
    run = [*arguments, str(whole), "--expect", str(expected)]

    def expect(name: str, value: float) -> tuple[int, str]:
        text = f'split = "dev"\n[measures."{name}"]\nvalue = {value}\ntolerance = 0.01\n'
        expected.write_text(text, encoding="utf-8")
        code, _, err = kewen(*run)
        return code, err

    assert expect("answers.evidence", reached + 0.005) == (0, "")
    code, err = expect("answers.evidence", reached + 0.02)
    assert (code, f"answers.evidence 为 {reached:.3f}，低于期望 {reached + 0.02:.3f}" in err) == (1, True)
    assert expect("answers.colour", 0)[0] == 2
    assert expect("answers.length_median", 0)[0] == 2
    run = [x for x in run if x != "--answers"]
    run[run.index(str(whole))] = str(tmp_path / "plain")
    code, err = expect("answers.evidence", 0)
    assert (code, "期望文件" in err) == (2, True)


# -- calibration --------------------------------------------------------------------------------------


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


SHIPPED_CONFIDENCE = Path(service.confidence.__file__).parent / service.confidence.LEARNT


@pytest.fixture
def calibrate(kewen, monkeypatch, shared_home, tmp_path):
    """The command over small files, writing into a folder of the test's own: what it printed, and the file."""

    monkeypatch.setattr(eval.calibration, "_SHUFFLES", 2)  # three more say nothing new of so few questions

    def run(gold: list[str], calibration: list[str], *options: str) -> tuple[dict, Path]:
        for name, lines in (("SHIPPED", gold), ("CALIBRATION", calibration)):
            path = tmp_path / f"{name}.jsonl"
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
            monkeypatch.setattr(eval.cli, name, path)
        monkeypatch.setattr(eval.cli, "files", lambda package: tmp_path)
        before = digest(SHIPPED_CONFIDENCE)
        code, out, err = kewen("eval", "calibrate", *options, "--home", str(shared_home))
        assert (code, err) == (0, "")
        assert digest(SHIPPED_CONFIDENCE) == before, "the shipped file is not a test's to change"
        return json.loads(out), tmp_path / service.confidence.LEARNT

    return run


SOME = [x for n, x in enumerate(CALIBRATION.read_text(encoding="utf-8").splitlines()) if n % 18 == 0]


@pytest.fixture
def learnt_once(calibrate, work) -> tuple[dict, bytes]:
    """What was printed and the file, learnt once a module."""
    kept = work / "learnt"
    if not kept.exists():
        printed, path = calibrate(dev_lines(2), SOME, "--json")
        kept.mkdir()
        (kept / "printed").write_text(json.dumps(printed), encoding="utf-8")
        (kept / "file").write_bytes(path.read_bytes())
        path.unlink()
    return json.loads((kept / "printed").read_bytes()), (kept / "file").read_bytes()


def test_what_is_learnt_can_be_loaded_and_tells_apart(learnt_once, monkeypatch, tmp_path, assistant):
    printed, file = learnt_once
    path = tmp_path / service.confidence.LEARNT
    path.write_bytes(file)
    assert set(printed) == {"threshold", "expanded", "plain"}
    assert printed["expanded"]["calibration"]["auroc"] > 0.6
    assert printed["expanded"]["dev"]["unanswerable"] == 2
    assert printed["expanded"]["dev"]["answerable"] + 2 == len(dev_lines(2))
    monkeypatch.setattr(service.confidence, "files", lambda package: tmp_path)
    learnt = service.confidence.learnt.__wrapped__()
    assert 0 < learnt.threshold == printed["threshold"] < 1
    assert set(learnt.models) == {"expanded", "plain"}
    found = assistant.answerer().signals("宝山区有多少家生物医药企业？")
    poor = assistant.answerer().signals("宝山区区长是谁？")
    for model in learnt.models.values():
        assert model.weights.keys() <= found.keys()
        assert all((weight <= 0) == (name in AGAINST) or weight == 0 for name, weight in model.weights.items())
        assert 0 <= model.chance(poor) < model.chance(found) <= 1
    assert "cross_validation" not in json.loads(path.read_bytes())


def test_learning_twice_gives_the_same_file_and_test_is_never_learnt_from(calibrate, learnt_once):
    gold = dev_lines(2)
    _, first = learnt_once
    fields = {"type": "unanswerable", "difficulty": "easy", "evidence": [], "need": "any", "answer": "无"}
    unseen = [{"id": f"t{n}", "split": "test", "question": f"第{n}个问题", **fields} for n in range(40)]
    _, path = calibrate([*gold, *(json.dumps(x) for x in unseen)], SOME)
    assert path.read_bytes() == first


def test_the_file_says_what_scikit_learn_says(monkeypatch, tmp_path):
    random = np.random.default_rng(0)
    signals = random.random((80, 4)) * [1, 9, 0.1, 0]  # the last never changes
    answerable = signals[:, 0] + signals[:, 1] / 9 + random.normal(0, 0.2, 80) > 1.2
    model = _fit(list("abcd"), signals, answerable)
    record = {"threshold": 0.5, "models": {"expanded": model, "plain": model}}
    (tmp_path / service.confidence.LEARNT).write_text(json.dumps(record), encoding="utf-8")
    monkeypatch.setattr(service.confidence, "files", lambda package: tmp_path)
    loaded = service.confidence.learnt.__wrapped__().models["plain"]
    kept = ["abcd".index(name) for name in model["weights"]]
    assert {0, 1} <= set(kept)
    theirs = _pipeline().fit(signals[:, kept], answerable).predict_proba(signals[:, kept])[:, 1]
    ours = [loaded.chance(dict(zip("abcd", row, strict=True))) for row in signals]
    assert ours == pytest.approx(theirs, abs=1e-3)


# -- the calibration questions ------------------------------------------------------------------------


def records(path: Path, *fields: str) -> list[tuple[str, ...]]:
    """Those fields alone of each line: the rest of gold questions stays unread."""
    return [tuple(json.loads(x)[y] for y in fields) for x in path.read_text(encoding="utf-8").splitlines()]


def test_the_calibration_questions_are_sound():
    library = Library(shipped_folder())
    questions = load_gold(CALIBRATION.read_bytes(), {x.id: library.read(x).text for x in library})
    assert {q.split for q in questions} == {"dev"}
    without = sum(not q.answerable for q in questions)
    assert without > 100
    assert len(questions) - without > 100


def folded(question: str) -> str:
    return re.sub(r"\W", "", normalise(question))


def test_the_calibration_questions_are_no_gold_questions():
    ours, gold = records(CALIBRATION, "id", "question"), records(SHIPPED, "id", "question")
    assert not {x for x, _ in ours} & {x for x, _ in gold}
    assert not {folded(x) for _, x in ours} & {folded(x) for _, x in gold}


def test_no_calibration_question_is_asked_twice():
    questions = [folded(x) for (x,) in records(CALIBRATION, "question")]
    assert len(set(questions)) == len(questions)

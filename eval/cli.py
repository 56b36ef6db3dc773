"""`kewen eval`: check gold questions, run systems on them, compare runs, and look at one."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from corpus.library import Library
from corpus.storage import storage_errors, write_synced
from eval import baselines as tables
from eval import columns as side_by_side
from eval.calibration import CALIBRATION, learn
from eval.compare import compare_runs, comparison_text
from eval.gold import SHIPPED, GoldFaults, load_gold
from eval.measures import MEASURES
from eval.report import figures, questions_file, render_report
from eval.runs import QUESTIONS, Run, read_run, run_system
from eval.squad import read_squad, write_library
from eval.summary import summary_text
from eval.systems import EndpointSystem, LocalSystem, TrecRunSystem
from eval.types import SPLITS, AnsweringSystem, Question, System
from service import evaluations
from service.assistant import Assistant
from service.commands import ChineseGroup, common_options, notify
from service.confidence import LEARNT
from service.errors import NOTHING, OK, USAGE, KewenError, user_errors
from service.progress import progress_bar
from service.settings import Settings, load_settings


@click.group(name="eval", cls=ChineseGroup, help="评测：用标准问题衡量检索。")
def commands() -> None:
    pass


@commands.command(help="检查一份标准问题：逐行指出错误之处。")
@click.argument("file", metavar="文件", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def check(file: Path, as_json: bool, **given: Any) -> int:
    texts, _ = _library(load_settings(given))
    faults: Sequence[Any] = ()
    questions: list[Question] = []
    try:
        questions = load_gold(_read(file), texts)
    except GoldFaults as error:
        faults = error.faults
    if as_json:
        listed = [{"line": x.line, "field": x.field, "message": x.message} for x in faults]
        click.echo(json.dumps({"questions": len(questions), "faults": listed}, ensure_ascii=False))
    elif faults:
        for fault in faults:
            click.echo(str(fault))
        click.echo(f"共 {len(faults)} 处错误。", err=True)
    else:
        counts = {split: sum(q.split == split for q in questions) for split in SPLITS}
        click.echo(f"{len(questions)} 道题，没有错误（{'，'.join(f'{k} {v}' for k, v in counts.items())}）。")
    return USAGE if faults else OK


@commands.command(help="评测一个系统：科问自己、别的 HTTP 服务，或别处做成的 TREC 结果。")
@click.option("--out", required=True, metavar="文件夹", type=click.Path(path_type=Path), help="结果写到这里。")
@click.option("--gold", metavar="文件", type=click.Path(path_type=Path), help="标准问题，默认为随附的 252 题。")
@click.option("--squad", metavar="文件", type=click.Path(path_type=Path), help="SQuAD 格式的问答集，代替 --gold。")
@click.option("--split", metavar="dev|test", type=click.Choice(SPLITS), help="只用这一半，默认全部。")
@click.option("--mode", metavar="方式", default="hybrid", help="hybrid（默认）、dense 或 lexical。")
@click.option("--no-expansion", is_flag=True, help="不用段落的扩展问法（只对科问自己）。")
@click.option("--literal", is_flag=True, help="按字面检索，不理解年份、地点等（只对科问自己）。")
@click.option("--answers", is_flag=True, help="也评测答案：依据、出处、要点、长短、该不该答。")
@click.option("-k", "--top-k", type=click.IntRange(1, 100), default=10, metavar="数目", help="每题取几条，默认 10。")
@click.option("--endpoint", metavar="地址", help="评测这个应答 /v1/search 的服务。")
@click.option("--run", "run_file", metavar="文件", type=click.Path(path_type=Path), help="评测这份 TREC 结果。")
@click.option("--expect", metavar="文件", type=click.Path(path_type=Path), help="低于这里的期望时以 1 退出。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON：summary.json 的内容。")
@common_options
def run(out: Path, expect: Path | None, as_json: bool, **options: Any) -> int:
    _require("ir_measures")
    with user_errors():
        done = _run(out, **options)
    if as_json:
        click.echo(json.dumps(done.summary, ensure_ascii=False))
    else:
        click.echo(summary_text(done.summary))
    return _check_expectation(done, expect) if expect else OK


def _run(
    out: Path,
    gold: Path | None,
    squad: Path | None,
    split: str | None,
    mode: str,
    no_expansion: bool,
    literal: bool,
    answers: bool,
    top_k: int,
    endpoint: str | None,
    run_file: Path | None,
    **given: Any,
) -> Run:
    if sum(x is not None for x in (endpoint, run_file)) > 1 or (gold and squad):
        raise KewenError("invalid_request", "--endpoint 与 --run、--gold 与 --squad 各只能用一个。")
    settings = load_settings(given)
    if given.get("encoder") or squad:
        settings = replace(settings, home=(out.parent / f"{out.name}.home").absolute())
    if squad:
        public = read_squad(squad)
        settings = replace(settings, reports=settings.home / "reports")
        write_library(public, settings.reports)
        texts, questions, data = dict(public.texts), list(public.questions), _read(squad)
    else:
        texts, _ = _library(settings)
        data = _read(gold or SHIPPED)
        questions = _gold(data, texts)
    chosen = [q for q in questions if split in (None, q.split)]
    if not chosen:
        raise KewenError("invalid_request", f"没有 split 为 {split} 的问题。")
    system: System
    answering: AnsweringSystem | None = None
    if answers and run_file:
        raise KewenError("invalid_request", "TREC 结果里没有答案：--answers 不能与 --run 同用。")
    if endpoint:
        system = answering = EndpointSystem(endpoint, mode, settings.api_key)
    else:
        assistant = Assistant(settings, lambda line: click.echo(line, err=True))
        if squad:
            assistant.build()
        system = answering = LocalSystem(assistant, mode, not no_expansion, literal)
        if run_file:
            system = TrecRunSystem(run_file, {q.question: q.id for q in chosen}, system.units())
    manifest = {"gold_sha256": hashlib.sha256(data).hexdigest(), "split": split}
    with storage_errors("写入评测结果"):
        progress = progress_bar("评测", "题")
        done = run_system(system, chosen, texts, out, manifest, top_k, progress, answering if answers else None)
        if not squad:
            write_synced(out / QUESTIONS, questions_file(chosen))
    return done


@commands.command(help="比较两次评测：差多少，分得出高下吗，哪些题变了。")
@click.argument("a", metavar="文件夹A", type=click.Path(path_type=Path))
@click.argument("b", metavar="文件夹B", type=click.Path(path_type=Path))
@click.option(
    "--by", metavar="指标", default="nDCG@10", type=click.Choice(MEASURES), help="逐题看的指标，默认 nDCG@10。"
)
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
def compare(a: Path, b: Path, by: str, as_json: bool) -> int:
    first, second = read_run(a), read_run(b)
    comparison = compare_runs(first, second, by)
    if as_json:
        differences = [
            {
                "measure": x.measure,
                "a": x.a,
                "b": x.b,
                "difference": x.difference,
                "interval": [x.low, x.high],
                "p": x.p,
                "p_holm": x.corrected,
                "distinguishable": x.distinguishable,
            }
            for x in comparison.differences
        ]
        flips = {"wins": comparison.wins, "losses": comparison.losses, "ties": comparison.ties}
        click.echo(json.dumps({"differences": differences, "by": by, **flips}, ensure_ascii=False))
    else:
        click.echo(comparison_text(first, second, comparison, _question_texts(first)))
    return OK


@commands.command(help="把一次评测做成一页可离线打开的网页，科问网页的“评测”一栏也显示它。")
@click.argument("folder", metavar="文件夹", type=click.Path(path_type=Path))
@click.option("--out", metavar="文件", type=click.Path(path_type=Path), help="写到这里，默认为文件夹中的 report.html。")
@common_options
def report(folder: Path, out: Path | None, **given: Any) -> int:
    _require("jinja2")
    done = read_run(folder)
    if not (folder / QUESTIONS).is_file():
        raise KewenError("invalid_request", "公开问答集的评测没有网页；请看 summary.json。")
    settings = load_settings(given)
    texts, titles = _library(settings)
    try:
        page = render_report(done, texts, titles)
    except GoldFaults as error:
        raise KewenError("invalid_request", f"评测所用的报告与现在的不同：{error}。") from error
    path = out or folder / "report.html"
    data = page.encode("utf-8")
    with user_errors(), storage_errors("写网页"):
        path.write_bytes(data)
        try:
            evaluations.keep(settings.home, data, figures(done))
        except ValueError as error:
            raise KewenError("invalid_request", f"{folder} 中的成绩不是评测所得，网页没有收下。") from error
    click.echo(f"已写好 {path}；网页的“评测”一栏也改为显示这一次。")
    return OK


@commands.command(help="评测各年对照：问题所需的依据，有多少列在对的年份；与检索、作答相比。")
@click.option("--split", metavar="dev|test", type=click.Choice(SPLITS), default="dev", help="用哪一半，默认 dev。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def columns(split: str, as_json: bool, **given: Any) -> int:
    settings = load_settings(given)
    texts, _ = _library(settings)
    asked = [q for q in _gold(_read(SHIPPED), texts) if q.split == split and q.type in side_by_side.TYPES]
    measured = side_by_side.measure(Assistant(settings, notify), asked)
    click.echo(json.dumps(measured, ensure_ascii=False) if as_json else side_by_side.table(split, measured))
    return OK


@commands.command(help="重算 eval/README.md 中的基线成绩表。")
@click.option("--check", "check_only", is_flag=True, help="只核对，过时则以 1 退出。")
@common_options
def baselines(check_only: bool, **given: Any) -> int:
    _require("ir_measures")
    settings = load_settings(given)
    texts, _ = _library(settings)
    table = tables.baselines_table(Assistant(settings), _gold(_read(SHIPPED), texts))
    text = tables.README.read_text(encoding="utf-8")
    if tables.current_table(text) == table:
        click.echo("成绩表没有变化。")
        return OK
    if check_only:
        click.echo(f"成绩表已过时，请运行 kewen eval baselines。现在应为：\n{table}", err=True)
        return NOTHING
    tables.README.write_text(tables.with_table(text, table), encoding="utf-8")
    click.echo(table)
    return OK


@commands.command(help="重新学习作答的把握与界限，写入 service/confidence.json（只用 dev 与校准题）。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON：交叉验证的结果。")
@common_options
def calibrate(as_json: bool, **given: Any) -> int:
    _require("sklearn")
    settings = load_settings(given)
    texts, _ = _library(settings)
    dev = [q for q in _gold(_read(SHIPPED), texts) if q.split == "dev"]
    record = learn(Assistant(settings, notify), dev, _gold(_read(CALIBRATION), texts))
    with user_errors(), storage_errors("写 confidence.json"):
        lines = json.dumps({k: v for k, v in record.items() if k != "cross_validation"}, ensure_ascii=False, indent=1)
        write_synced(Path(str(files("service"))) / LEARNT, (lines + "\n").encode("utf-8"))
    checked = {"threshold": record["threshold"], **record["cross_validation"]}
    click.echo(json.dumps(checked, ensure_ascii=False, indent=None if as_json else 1))
    return OK


def _require(library: str) -> None:
    if importlib.util.find_spec(library) is None:
        raise KewenError("invalid_setting", '评测另需几个程序包。请运行：python -m pip install "kewen[eval]"')


def _library(settings: Settings) -> tuple[dict[str, str], dict[str, str]]:
    """Texts and titles of the library's documents by id."""
    with user_errors():
        documents = [(entry, Library(settings.reports).read(entry)) for entry in Library(settings.reports)]
    return {x.id: document.text for x, document in documents}, {
        x.id: f"《{x.title}》（{x.year}）" for x, _ in documents
    }


def _gold(data: bytes, texts: Mapping[str, str]) -> list[Question]:
    try:
        return load_gold(data, texts)
    except GoldFaults as error:
        shown = "；".join(str(x) for x in error.faults[:5])
        raise KewenError(
            "invalid_request", f"标准问题有 {len(error.faults)} 处错误：{shown} 全部见 kewen eval check。"
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KewenError("invalid_request", f"读不了 {path}（{error.strerror}）。") from error


def _question_texts(done: Run) -> dict[str, str]:
    path = done.folder / QUESTIONS
    records = [json.loads(line) for line in path.read_bytes().splitlines()] if path.is_file() else []
    return {record["id"]: record["question"] for record in records}


def _reached(summary: Mapping[str, Any], name: str) -> float:
    """A measure of the summary; `answers.evidence` is one of the answers."""
    of_answers = name.startswith("answers.")
    part = summary["answers"]["overall"] if of_answers else summary["overall"]
    return float(part[name.removeprefix("answers.")][0])


def _check_expectation(done: Run, path: Path) -> int:
    """0 where every measure of the file is reached, less its tolerance; 1 where one is not."""
    try:
        expected = tomllib.loads(path.read_text(encoding="utf-8"))
        wanted = {name: (float(x["value"]), float(x["tolerance"])) for name, x in expected["measures"].items()}
        split = str(expected["split"])
        reached = {name: _reached(done.summary, name) for name in wanted}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise KewenError("invalid_request", f"期望文件 {path} 读不了或不合格式（{error}）。") from error
    if done.manifest.get("split") != split:
        raise KewenError("invalid_request", f"期望文件 {path} 是为 --split {split} 写的。")
    code = OK
    for name, (value, tolerance) in wanted.items():
        if reached[name] < value - tolerance:
            click.echo(f"{name} 为 {reached[name]:.3f}，低于期望 {value:.3f}（容差 {tolerance:.3f}）。", err=True)
            code = NOTHING
    return code

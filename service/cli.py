"""The `kewen` command: parse, call, render."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import click

from index.types import Filters
from service import render
from service.assistant import Assistant, SearchResult
from service.batch import answer_lines
from service.commands import ChineseGroup, common_options, usage_message
from service.errors import DEFECT, NOTHING, OK, PARTIAL, STORAGE, USAGE, KewenError
from service.progress import progress_bar
from service.settings import Settings, load_settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: runs a command and exits with its code; every error is one Chinese line on stderr."""
    _utf8_streams()
    try:
        code = kewen.main(args=arguments, prog_name="kewen", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else OK)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        click.echo("已中断。", err=True)
        sys.exit(130)
    except click.ClickException as error:
        click.echo(f"用法有误：{usage_message(error)}", err=True)
        sys.exit(USAGE)
    except KewenError as error:
        click.echo(f"错误（{error.code}）：{error.message}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OK)
    except OSError as error:
        click.echo(f"错误（storage_error）：读写失败：{error.strerror or error}。", err=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(STORAGE)
    except Exception as error:  # a defect of ours; whoever looks for it sets KEWEN_DEBUG
        if os.environ.get("KEWEN_DEBUG"):
            raise
        click.echo(f"内部错误（{type(error).__name__}）。请设 KEWEN_DEBUG=1 重试，并把所见告诉维护者。", err=True)
        sys.exit(DEFECT)


class _Root(ChineseGroup):
    """`eval` stands beside the product: it is imported only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), "eval"])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name == "eval":
            from eval.cli import commands

            return commands
        return super().get_command(ctx, cmd_name)


@click.group(cls=_Root, help="科问：在科技创新报告中找到原文，并给出逐字可查的出处。")
@click.version_option(package_name="kewen", prog_name="kewen", help="显示版本。")
def kewen() -> None:
    pass


def _search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option("-k", "--top-k", type=int, metavar="数目", help="返回几个段落（1 到 100，默认 5）。"),
        click.option("--mode", default="hybrid", metavar="方式", help="检索方式：hybrid（默认）、dense 或 lexical。"),
        click.option("--year", "years", metavar="年[-年]", help="只查某年或某几年的报告，如 2025 或 2022-2025。"),
        click.option("--document", "documents", multiple=True, metavar="编号", help="只查这份报告，可重复。"),
        click.option("--series", multiple=True, metavar="系列", help="只查这个系列，可重复。"),
        click.option(
            "--batch", type=click.File("rb"), metavar="文件", help="逐行读 JSON：{id, question}；- 为标准输入。"
        ),
        click.option("--json", "as_json", is_flag=True, help="输出 JSON。"),
    ]
    for option in reversed(options):
        command = option(command)
    return common_options(command)


@kewen.command(help="提问：返回最相关的段落与出处，标出最能回答问题的句子。")
@click.argument("question", required=False, metavar="问题")
@_search_options
def ask(question: str | None, **options: Any) -> int:
    return _search("question", question, **options)


@kewen.command(help="检索：返回最相关的段落与出处。")
@click.argument("query", required=False, metavar="问题")
@_search_options
def search(query: str | None, **options: Any) -> int:
    return _search("query", query, **options)


def _search(
    key: str,
    query: str | None,
    top_k: int | None,
    mode: str,
    years: str | None,
    documents: tuple[str, ...],
    series: tuple[str, ...],
    batch: IO[bytes] | None,
    as_json: bool,
    **given: Any,
) -> int:
    if (query is None) == (batch is None):
        raise KewenError("invalid_request", "请给出一个问题，或用 --batch 给出一个文件（二者取一）。")
    filters = Filters(document_ids=frozenset(documents) or None, years=_years(years), series=frozenset(series) or None)
    assistant = _assistant(given)

    def run(question: str) -> SearchResult:
        return assistant.search(question, top_k, mode, filters)

    if batch is not None:
        failed = False
        for line in answer_lines(batch, run, key):
            failed |= "error" in line
            _print_json(line)
        return USAGE if failed else OK
    result = run(query or "")
    if as_json:
        _print_json(render.result_json(result, key))
    else:
        click.echo(render.result_text(result, _mark()))
    return OK if result.hits else NOTHING


@kewen.group(cls=ChineseGroup, help="索引：建立、查看、校验。")
def index() -> None:
    pass


@index.command(help="为全部报告重建索引；没有改动的段落不再编码。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def build(as_json: bool, **given: Any) -> int:
    report = _assistant(given).build()
    if as_json:
        documents = [
            {"id": x.id, "status": x.status, "passages": x.passages, "code": x.code, "message": x.message}
            for x in report.documents
        ]
        _print_json(
            {
                "generation": report.generation,
                "documents": documents,
                "embedded": report.embedded,
                "reused": report.reused,
                "seconds": round(report.seconds, 3),
            }
        )
    else:
        for x in report.documents:
            state = {"ok": f"{x.passages} 段", "kept": "未能重读，沿用原有版本", "failed": "未编入"}[x.status]
            click.echo(f"{x.id}：{state}" + (f"。{x.message}" if x.message else ""))
        click.echo(
            f"已建成 {report.generation}：新编码 {report.embedded} 段，沿用 {report.reused} 段，"
            f"用时 {report.seconds:.2f} 秒。"
        )
    return OK if report.complete else PARTIAL


@index.command(help="查看现用的索引。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def status(as_json: bool, **given: Any) -> int:
    described = _assistant(given).status()
    if as_json:
        _print_json(described)
    else:
        encoder = described["encoder"]
        click.echo(f"现用：{described['generation']}（{described['created']} 建成）")
        click.echo(f"报告 {described['documents']} 份，段落 {described['passages']} 段")
        click.echo(f"编码器：{encoder['name']}（{encoder['dim']} 维）")
        click.echo(f"盘上各代：{'、'.join(described['generations'])}")
        for problem in described["problems"]:
            click.echo(f"警告：{problem}")
    return OK


@index.command(help="校验索引：逐个文件核对 sha256，逐条核对段落与原文。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def verify(as_json: bool, **given: Any) -> int:
    checked = _assistant(given).verify()
    if as_json:
        _print_json(checked)
    else:
        click.echo(
            f"{checked['generation']} 完好：{checked['files']} 个文件的 sha256 相符，"
            f"{checked['citations']} 条出处逐字与原文一致。"
        )
    return OK


@kewen.group(cls=ChineseGroup, help="报告：列出、查看。")
def docs() -> None:
    pass


@docs.command("list", help="列出已编入索引的报告。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def list_documents(as_json: bool, **given: Any) -> int:
    documents = _assistant(given).documents()
    if as_json:
        _print_json({"documents": [render.document_json(document, count) for document, count in documents]})
    else:
        click.echo(render.documents_text(documents))
    return OK


@docs.command(help="查看一份报告的章节与段落。")
@click.argument("document_id", metavar="编号")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON：document、sections、passages。")
@common_options
def show(document_id: str, as_json: bool, **given: Any) -> int:
    document, passages, snapshot = _assistant(given).document(document_id)
    if as_json:
        _print_json(render.outline_json(document, passages, snapshot))
    else:
        click.echo(render.outline_text(document, passages))
    return OK


@kewen.command(help="启动 HTTP 服务（默认只在本机 127.0.0.1:8765）。")
@click.option("--host", metavar="地址", help="监听的地址；本机以外须先设 KEWEN_API_KEY。")
@click.option("--port", type=int, metavar="端口", help="监听的端口（默认 8765）。")
@common_options
def serve(**given: Any) -> int:
    settings = load_settings(given)
    from service.server import run

    return run(settings, _notify)


@kewen.command(help="自检：环境、编码器、报告、索引是否完好。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def doctor(as_json: bool, **given: Any) -> int:
    from service.doctor import examine

    checks = examine(load_settings(given))
    if as_json:
        _print_json({"checks": [{"name": x.name, "ok": x.ok, "message": x.message} for x in checks]})
    else:
        for x in checks:
            click.echo(f"{'✓' if x.ok else '✗'} {x.name}：{x.message}")
    return next((x.exit_code for x in checks if not x.ok), OK)


def _assistant(given: dict[str, Any]) -> Assistant:
    settings: Settings = load_settings(given)
    return Assistant(settings, _notify, progress_bar("编码段落", "段"))


def _notify(line: str) -> None:
    click.echo(line, err=True)


def _mark() -> render.Mark:
    return render.colour if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else render.bracket


def _years(given: str | None) -> tuple[int, int] | None:
    if given is None:
        return None
    match = re.fullmatch(r"(\d{4})(?:[-–](\d{4}))?", given.strip(), re.ASCII)
    if match is None:
        raise KewenError("unknown_year", "--year 应写作一个年份或一段年份，如 2025 或 2022-2025。")
    years = int(match.group(1)), int(match.group(2) or match.group(1))
    if years[0] > years[1]:
        raise KewenError("unknown_year", "--year 的起始年份晚于结束年份。")
    return years


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False))


def _utf8_streams() -> None:
    """Chinese goes out as UTF-8 whatever the locale says; what can't be encoded is replaced, not raised."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for the life of the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")


if __name__ == "__main__":
    main()

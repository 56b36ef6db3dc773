"""The `kewen` command: parse, call, render."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar

import click

from index.types import Filters
from service import render
from service.answer_render import answer_json, answer_text
from service.answers import Answer
from service.assistant import Assistant, SearchResult
from service.batch import answer_lines
from service.cli_bot import bot
from service.cli_compare import compare
from service.cli_docs import docs
from service.cli_index import index
from service.cli_keys import keys
from service.cli_mcp import mcp
from service.commands import (
    ChineseGroup,
    assistant_of,
    backend_options,
    common_options,
    mark,
    notify,
    print_json,
    usage_message,
    years_of,
)
from service.errors import DEFECT, NOTHING, OK, STORAGE, USAGE, KewenError
from service.links import Link, Links
from service.settings import load_settings


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point: runs a command and exits with its code; every error is one Chinese line on stderr."""
    _utf8_streams()
    try:
        code = kewen.main(args=arguments, prog_name="kewen", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else OK)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.Abort:
        _end(130, "已中断。")
    except click.ClickException as error:
        _end(USAGE, f"用法有误：{usage_message(error)}")
    except KewenError as error:
        _end(error.exit_code, f"错误（{error.code}）：{error.message}")
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OK)
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _end(STORAGE, f"错误（storage_error）：读写失败：{error.strerror or error}。")
    except Exception as error:  # a defect of ours; whoever looks for it sets KEWEN_DEBUG
        if os.environ.get("KEWEN_DEBUG"):
            raise
        _end(DEFECT, f"内部错误（{type(error).__name__}）。请设 KEWEN_DEBUG=1 重试，并把所见告诉维护者。")


def _end(code: int, line: str) -> NoReturn:
    """End with a line on stderr, and with the code even where that can't be written."""
    with suppress(OSError):
        click.echo(line, err=True)
    sys.exit(code)


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


kewen.add_command(compare)
kewen.add_command(index)
kewen.add_command(docs)
kewen.add_command(keys)
kewen.add_command(mcp)
kewen.add_command(bot)


def _retrieval_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option("-k", "--top-k", type=int, metavar="数目", help="返回几个段落（1 到 100，默认 5）。"),
        click.option("--year", "years", metavar="年[-年]", help="只查某年或某几年的报告，如 2025 或 2022-2025。"),
        click.option("--document", "documents", multiple=True, metavar="编号", help="只查这份报告，可重复。"),
        click.option("--series", multiple=True, metavar="系列", help="只查这个系列，可重复。"),
        click.option("--no-expansion", is_flag=True, help="只按原文检索，不用段落的扩展问法。"),
        click.option("--literal", is_flag=True, help="按字面检索，不理解年份、地点、拼音等。"),
        click.option(
            "--ignore",
            "ignored",
            multiple=True,
            metavar="词",
            help="不要这样理解的词，如 宝山、2022年；split 则不分开问。可重复。",
        ),
        click.option(
            "--batch", type=click.File("rb"), metavar="文件", help="逐行读 JSON：{id, question}；- 为标准输入。"
        ),
        click.option("--json", "as_json", is_flag=True, help="输出 JSON。"),
    ]
    for option in reversed(options):
        command = option(command)
    return backend_options(common_options(command))


@kewen.command(help="提问：先给答案，再给依据；报告中没有的，就说没有。")
@click.argument("question", required=False, metavar="问题")
@click.option("--mode", metavar="方式", help="extractive 摘录原文（默认）、generative 大语言模型、passages 只给段落。")
@click.option("--after", "history", multiple=True, metavar="上一问", help="追问时给出此前的问题，可重复，先问的在前。")
@_retrieval_options
def ask(question: str | None, mode: str | None, history: tuple[str, ...], **options: Any) -> int:
    def answer(assistant: Assistant, question: str, top_k: int | None, filters: Filters, **how: Any) -> Answer:
        return assistant.ask(question, top_k, mode, filters, history, **how)

    return _answer(question, answer, answer_json, lambda x: answer_text(x, mark()), **options)


@kewen.command(help="检索：返回最相关的段落与出处，标出最能回答问题的句子。")
@click.argument("query", required=False, metavar="问题")
@click.option("--mode", default="hybrid", metavar="方式", help="检索方式：hybrid（默认）、dense 或 lexical。")
@click.option("--explain", is_flag=True, help="说明每段为何找到：哪些字词相同，哪些意思相近。")
@_retrieval_options
def search(query: str | None, mode: str, explain: bool, **options: Any) -> int:
    def find(assistant: Assistant, query: str, top_k: int | None, filters: Filters, **how: Any) -> SearchResult:
        return assistant.search(query, top_k, mode, filters, explain=explain, **how)

    return _answer(query, find, render.result_json, lambda x: render.result_text(x, mark()), **options)


_Result = TypeVar("_Result", Answer, SearchResult)


def _answer(
    question: str | None,
    run: Callable[..., _Result],
    as_record: Callable[[_Result, Link], dict[str, Any]],
    as_text: Callable[[_Result], str],
    top_k: int | None,
    years: str | None,
    documents: tuple[str, ...],
    series: tuple[str, ...],
    no_expansion: bool,
    literal: bool,
    ignored: tuple[str, ...],
    batch: IO[bytes] | None,
    as_json: bool,
    **given: Any,
) -> int:
    if (question is None) == (batch is None):
        raise KewenError("invalid_request", "请给出一个问题，或用 --batch 给出一个文件（二者取一）。")
    filters = Filters(
        document_ids=frozenset(documents) or None, years=years_of(years), series=frozenset(series) or None
    )
    assistant = assistant_of(given)
    link = Links(assistant.settings).url

    def one(question: str) -> _Result:
        how = {"expansions": not no_expansion, "literal": literal, "ignored": ignored}
        return run(assistant, question, top_k, filters, **how)

    if batch is not None:
        failed = False
        for line in answer_lines(batch, lambda question: as_record(one(question), link)):
            failed |= "error" in line
            print_json(line)
        return USAGE if failed else OK
    result = one(question or "")
    if as_json:
        print_json(as_record(result, link))
    else:
        click.echo(as_text(result))
    is_answered = not result.abstained if isinstance(result, Answer) else True
    return OK if result.hits and is_answered else NOTHING


@kewen.command(help="启动 HTTP 服务（默认只在本机 127.0.0.1:8765）。")
@click.option(
    "--host", metavar="地址", help="监听的地址；本机以外须先有密钥（kewen keys add）并设 KEWEN_ALLOWED_HOSTS。"
)
@click.option("--port", type=int, metavar="端口", help="监听的端口（默认 8765）。")
@click.option("--workers", type=int, metavar="数目", help="用几个进程（默认 1）。Windows 上只能为 1。")
@common_options
@backend_options
def serve(**given: Any) -> int:
    settings = load_settings(given)
    from service.server import run

    return run(settings, notify)


@kewen.command(help="自检：环境、编码器、报告、索引是否完好。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def doctor(as_json: bool, **given: Any) -> int:
    from service.doctor import examine

    checks = examine(load_settings(given))
    if as_json:
        print_json({"checks": [{"name": x.name, "ok": x.ok, "message": x.message} for x in checks]})
    else:
        for x in checks:
            click.echo(f"{'✓' if x.ok else '✗'} {x.name}：{x.message}")
    return next((x.exit_code for x in checks if not x.ok), OK)


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

"""`kewen docs …`: the library."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from service import render
from service.commands import ChineseGroup, assistant_of, common_options, notify, print_json
from service.errors import DAMAGED, OK, PARTIAL, KewenError, user_errors
from service.links import Links
from service.progress import progress_bar
from service.settings import load_settings

if TYPE_CHECKING:
    from corpus.intake import About
    from service.librarian import Librarian, LibraryReport


@click.group(cls=ChineseGroup, help="资料：加入、列出、查看、更正、移除。")
def docs() -> None:
    pass


def _about_options(command: Any) -> Any:  # noqa: ANN401
    for option in (
        click.option("--issuer", metavar="机构", help="发布机构。"),
        click.option("--kind", metavar="类别", help="如 年度报告、规划。"),
        click.option("--series", metavar="系列", help="各年同名的报告属于一个系列。"),
        click.option("--year", type=int, metavar="年", help="所述年份；规划则为其编制之年。"),
        click.option("--title", metavar="题名", help="题名。"),
    ):
        command = option(command)
    return command


def _about(given: dict[str, Any]) -> About:
    from corpus.intake import About

    return About(**{name: given.pop(name) for name in ("title", "year", "series", "kind", "issuer")})


@docs.command(help="加入文件、文件夹或通配符所指的文件：PDF、DOCX、HTML、Markdown、纯文本。题名与年份会猜，也可写明。")
@click.argument("files", nargs=-1, required=True, metavar="文件…")
@click.option("--id", "document_id", metavar="编号", help="资料的编号；已有该编号时成为它的新版。")
@_about_options
@click.option("--reread", is_flag=True, help="已有的也重新读取，如装上文字识别之后。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def add(files: tuple[str, ...], document_id: str | None, reread: bool, as_json: bool, **given: Any) -> int:
    from corpus.intake import check_about, find_files

    about = replace(_about(given), id=document_id)
    try:
        found = find_files(files, check_about(about))
    except ValueError as error:
        raise click.UsageError(f"{error}") from error
    if not found:
        raise KewenError("invalid_request", "这里没有可加入的文件。可读 PDF、DOCX、HTML、Markdown 与纯文本。")
    if len(found) > 1 and (about.id or about.title):
        raise click.UsageError("--id 与 --title 只能用于一份文件")
    step = progress_bar("读取", "份" if len(found) > 1 else "页")
    return _report(_librarian(given).add(found, reread, step), as_json)


@docs.command("set", help="更正一份自有资料的题名、年份、系列、类别或发布机构。")
@click.argument("document_id", metavar="编号")
@_about_options
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def change(document_id: str, as_json: bool, **given: Any) -> int:
    about = _about(given)
    return _report(_librarian(given).change(document_id, about), as_json)


@docs.command(help="移除资料：自有的连同文件与旧版；报告文件夹中的只是不再检索。")
@click.argument("names", nargs=-1, required=True, metavar="编号…")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def remove(names: tuple[str, ...], as_json: bool, **given: Any) -> int:
    return _report(_librarian(given).remove(names), as_json)


@docs.command(help="照看一个文件夹：新文件加入，改动的更新，删去的移除。按 Ctrl-C 结束。")
@click.argument("folder", metavar="文件夹")
@click.option("--every", type=click.IntRange(1, 86_400), default=10, metavar="秒", help="多久看一次，默认 10 秒。")
@common_options
def watch(folder: str, every: int, **given: Any) -> int:
    from service.watch import Watch

    watching = Watch(_librarian(given), folder, notify)
    watching.run(every)
    return OK


@docs.command("list", help="列出已编入索引的资料。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def list_documents(as_json: bool, **given: Any) -> int:
    assistant = assistant_of(given)
    documents = assistant.documents()
    if as_json:
        own = assistant.own_documents()
        print_json({"documents": [render.document_json(x, count, x.id in own) for x, count in documents]})
    else:
        click.echo(render.documents_text(documents))
    return OK


@docs.command(help="查看一份资料：怎样读的、略去了什么，及其章节与段落。")
@click.argument("document_id", metavar="编号")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON：document、sections、passages、record。")
@common_options
def show(document_id: str, as_json: bool, **given: Any) -> int:
    assistant = assistant_of(given)
    document, passages, snapshot = assistant.document(document_id)
    with user_errors():
        record = assistant.library().catalogue.documents.get(document_id)
    if as_json:
        outline = render.outline_json(document, passages, snapshot, Links(assistant.settings).url, record is not None)
        print_json({**outline, "record": asdict(record) if record else None})
    else:
        click.echo(render.outline_text(document, passages, record))
    return OK


@docs.command(help="校验自有资料：原文件、文字与旧版是否完好。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def verify(as_json: bool, **given: Any) -> int:
    count, faults = _librarian(given).verify()
    if as_json:
        print_json({"documents": count, "faults": faults})
    else:
        for fault in faults:
            click.echo(f"{fault}。")
        click.echo(
            f"自有资料 {count} 份，{f'{len(faults)} 处损坏。请运行 kewen index repair' if faults else '全部完好'}。"
        )
    return DAMAGED if faults else OK


@docs.command(help="用大语言模型为各段写扩展问法，存在报告旁，只用于检索；已有的不重写。")
@click.option("--document", "documents", multiple=True, metavar="编号", help="只做这份报告，可重复；默认全部。")
@click.option("--llm-url", metavar="地址", help="OpenAI 兼容的地址；也可设 KEWEN_LLM_URL。")
@click.option("--llm-model", metavar="模型", help="模型名；也可设 KEWEN_LLM_MODEL。密钥用 KEWEN_LLM_KEY。")
@common_options
def enrich(documents: tuple[str, ...], **given: Any) -> int:
    from service.enrich import enrich
    from service.llm import ChatModel

    settings = load_settings(given)
    model = ChatModel(settings.llm_url, settings.llm_model, settings.llm_key)
    with user_errors():
        library = assistant_of(given).library()
    failed = 0
    for done in enrich(library, model, documents, progress_bar("撰写扩展问法", "段")):
        failed += done.failed
        lacking = f"，{done.failed} 段未写成" if done.failed else ""
        click.echo(f"{done.document_id}：写成 {done.written} 段，原有 {done.kept} 段{lacking}")
    click.echo("请运行 kewen index build，扩展问法即可用于检索。")
    return PARTIAL if failed else OK


def _librarian(given: dict[str, Any]) -> Librarian:
    from service.librarian import Librarian  # asking a question needs none of it

    return Librarian(assistant_of(given))


def _report(report: LibraryReport, as_json: bool) -> int:
    from service.library_render import library_report_json, library_report_text

    if as_json:
        print_json(library_report_json(report))
    else:
        click.echo(library_report_text(report))
    return OK if report.complete else PARTIAL

"""`kewen index …` and `kewen docs …`: what is done with the library and its index."""

from __future__ import annotations

from typing import Any

import click

from corpus.library import Library
from service import render
from service.commands import ChineseGroup, assistant_of, common_options, print_json
from service.errors import OK, PARTIAL, user_errors
from service.links import Links
from service.progress import progress_bar
from service.settings import load_settings


@click.group(cls=ChineseGroup, help="索引：建立、查看、校验。")
def index() -> None:
    pass


@index.command(help="为全部报告重建索引；没有改动的段落不再编码。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def build(as_json: bool, **given: Any) -> int:
    report = assistant_of(given).build()
    if as_json:
        documents = [
            {"id": x.id, "status": x.status, "passages": x.passages, "code": x.code, "message": x.message}
            for x in report.documents
        ]
        print_json(
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
            f"已建成 {report.generation}：新编码 {report.embedded} 条，沿用 {report.reused} 条，"
            f"用时 {report.seconds:.2f} 秒。"
        )
    return OK if report.complete else PARTIAL


@index.command(help="查看现用的索引。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def status(as_json: bool, **given: Any) -> int:
    described = assistant_of(given).status()
    if as_json:
        print_json(described)
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
    checked = assistant_of(given).verify()
    if as_json:
        print_json(checked)
    else:
        click.echo(
            f"{checked['generation']} 完好：{checked['files']} 个文件的 sha256 相符，"
            f"{checked['citations']} 条出处逐字与原文一致。"
        )
    return OK


@click.group(cls=ChineseGroup, help="报告：列出、查看。")
def docs() -> None:
    pass


@docs.command("list", help="列出已编入索引的报告。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def list_documents(as_json: bool, **given: Any) -> int:
    documents = assistant_of(given).documents()
    if as_json:
        print_json({"documents": [render.document_json(document, count) for document, count in documents]})
    else:
        click.echo(render.documents_text(documents))
    return OK


@docs.command(help="查看一份报告的章节与段落。")
@click.argument("document_id", metavar="编号")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON：document、sections、passages。")
@common_options
def show(document_id: str, as_json: bool, **given: Any) -> int:
    assistant = assistant_of(given)
    document, passages, snapshot = assistant.document(document_id)
    if as_json:
        print_json(render.outline_json(document, passages, snapshot, Links(assistant.settings).url))
    else:
        click.echo(render.outline_text(document, passages))
    return OK


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
        library = Library(settings.reports)
    failed = 0
    for done in enrich(library, model, documents, progress_bar("撰写扩展问法", "段")):
        failed += done.failed
        lacking = f"，{done.failed} 段未写成" if done.failed else ""
        click.echo(f"{done.document_id}：写成 {done.written} 段，原有 {done.kept} 段{lacking}")
    click.echo("请运行 kewen index build，扩展问法即可用于检索。")
    return PARTIAL if failed else OK

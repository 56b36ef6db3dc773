"""`kewen index …`: what is done with the index."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from service.commands import ChineseGroup, assistant_of, backend_options, common_options, print_json
from service.errors import DAMAGED, OK, PARTIAL
from service.progress import progress_bar


@click.group(cls=ChineseGroup, help="索引：建立、查看、校验。")
def index() -> None:
    pass


@index.command(help="为全部报告重建索引；没有改动的段落不再编码。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@click.option(
    "--vectors", metavar="文件或文件夹", type=click.Path(path_type=Path), help="已在别处算好的向量，不再编码。"
)
@common_options
@backend_options
def build(as_json: bool, vectors: Path | None, **given: Any) -> int:
    assistant = assistant_of(given)
    report = assistant.build(vectors)
    published = None
    if assistant.settings.backend == "milvus":
        published = assistant.publish(progress_bar("写入 Milvus", "行"))
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
                **({"milvus": asdict(published)} if published else {}),
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
        if published:
            click.echo(
                f"已发布到 Milvus：集合 {published.collection}，共 {published.rows} 行，新写 {published.sent} 行。"
            )
    return OK if report.complete else PARTIAL


@index.command(help="查看现用的索引。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
@backend_options
def status(as_json: bool, **given: Any) -> int:
    assistant = assistant_of(given)
    described, settings = assistant.status(), assistant.settings
    if as_json:
        print_json(described)
    else:
        encoder = described["encoder"]
        click.echo(f"现用：{described['generation']}（{described['created']} 建成）")
        click.echo(f"报告 {described['documents']} 份，段落 {described['passages']} 段")
        click.echo(f"编码器：{encoder['name']}（{encoder['dim']} 维）")
        where = "Milvus 中" if settings.backend == "milvus" else "盘上"
        click.echo(f"{where}各代：{'、'.join(described['generations'])}")
        for problem in described["problems"]:
            click.echo(f"警告：{problem}")
    return OK


@index.command(help="修复：依资料找回损坏的部分，并重建索引。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def repair(as_json: bool, **given: Any) -> int:
    from service.repair import repair

    report = repair(assistant_of(given))
    generation = report.built.generation if report.built else None
    failed = [x.message for x in report.built.documents if x.status != "ok"] if report.built else []
    if as_json:
        print_json({"generation": generation, "mended": report.mended, "lost": [*report.lost, *failed]})
    else:
        for line in report.mended:
            click.echo(f"{line}。")
        for line in [*report.lost, *failed]:
            click.echo(f"未能恢复：{line}。")
        click.echo(f"已重建索引 {generation}。" + ("" if report.complete else "请重新加入上列文件。"))
    return OK if report.complete else PARTIAL


@index.command(help="校验索引与自有资料：逐个文件核对 sha256，逐条核对段落与原文。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def verify(as_json: bool, **given: Any) -> int:
    assistant = assistant_of(given)
    checked = assistant.verify()
    checked["faults"] += assistant.library_faults()
    if as_json:
        print_json(checked)
    else:
        click.echo(
            f"{checked['generation']} 完好：{checked['files']} 个文件的 sha256 相符，"
            f"{checked['citations']} 条出处逐字与原文一致。"
        )
        for fault in checked["faults"]:
            click.echo(f"{fault}。")
        if checked["faults"]:
            click.echo("请运行 kewen index repair。")
    return DAMAGED if checked["faults"] else OK

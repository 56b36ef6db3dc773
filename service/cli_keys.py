"""`kewen keys …`: who may use the service from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from service.commands import ChineseGroup, common_options, notify, print_json
from service.errors import OK
from service.keys import SCOPES, KeyRing, Scope
from service.settings import load_settings

_SCOPE_NAMES: Mapping[Scope, str] = {"full": "全部接口", "read": "只读", "widget": "网页问答框"}


@click.group(cls=ChineseGroup, help="密钥：添加、列出、撤销。服务在运行时也即时生效。")
def keys() -> None:
    pass


@keys.command(help="生成一个密钥；只显示这一次，存盘的是它的 sha256。")
@click.argument("name", metavar="名称")
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    help="full 全部接口（默认）；read 只读：不能加入、更正、移除资料；widget 只供网页中的问答框。",
)
@click.option(
    "--widget",
    is_flag=True,
    help="即 --scope widget：仅能从 allowed_origins 所列的网页提问，可以写在网页里。",
)
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def add(name: str, scope: Scope | None, widget: bool, as_json: bool, **given: Any) -> int:
    if widget and scope not in (None, "widget"):
        raise click.UsageError("--widget 就是 --scope widget，不能与别的 --scope 同用")
    chosen: Scope = "widget" if widget else scope or "full"
    settings = load_settings(given)
    key = KeyRing(settings).add(name, chosen)
    if as_json:
        print_json({"name": name, "scope": chosen, "key": key})
    else:
        click.echo(key)
        notify("请妥善保存：以后不能再看到它。使用时放在请求头 Authorization: Bearer 密钥。")
    if chosen == "widget" and not settings.allowed_origins:
        notify("提醒：还没有设 KEWEN_ALLOWED_ORIGINS，别的网页还不能用这个密钥提问。")
    return OK


@keys.command("list", help="列出密钥的名称、用途与生成时间。")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@common_options
def list_keys(as_json: bool, **given: Any) -> int:
    kept = KeyRing(load_settings(given)).listed()
    if as_json:
        print_json({"keys": [{"name": x.name, "scope": x.scope, "created": x.created} for x in kept]})
    else:
        lines = [f"{x.name}　{_SCOPE_NAMES[x.scope]}　{x.created}" for x in kept]
        click.echo("\n".join(lines or ["还没有密钥；只监听本机时不需要。"]))
    return OK


@keys.command(help="撤销一个密钥：下一个请求起即不再有效。")
@click.argument("name", metavar="名称")
@common_options
def revoke(name: str, **given: Any) -> int:
    settings = load_settings(given)
    ring = KeyRing(settings)
    ring.revoke(name)
    click.echo(f"已撤销密钥 {name}。")
    if not ring.listed() and not settings.is_exposed:
        notify("提醒：现在没有密钥了，发往本机的请求不再需要密钥。")
    return OK

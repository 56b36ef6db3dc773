"""`kewen bot …`: kewen as a robot in Feishu, DingTalk or WeCom. A platform is imported only when it is run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import click

from service.commands import ChineseGroup, assistant_of, common_options, notify
from service.errors import OK
from service.settings import LOOPBACK_NAMES


@click.group(cls=ChineseGroup, help="聊天机器人：飞书、钉钉、企业微信。在群里 @ 它，或单独问它。")
def bot() -> None:
    pass


def _bot_options(address_help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    options = [
        click.option(
            "--webhook", is_flag=True, help="由平台回调（须有公网 HTTPS 地址）；默认用长连接，不需要公网地址。"
        ),
        click.option("--host", default="127.0.0.1", metavar="地址", help="回调监听的地址，只能是本机。"),
        click.option(
            "--port", default=8766, type=click.IntRange(0, 65535), metavar="端口", help="回调监听的端口（默认 8766）。"
        ),
        click.option("--address", default="", metavar="网址", help=address_help),
        click.option(
            "--per-minute",
            default=10,
            type=click.IntRange(0, 1000),
            metavar="数目",
            help="每人每分钟最多几个问题（默认 10，0 为不限）。",
        ),
    ]

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return common_options(command)

    return add


@bot.command(help="飞书或 Lark 机器人。\n\n密钥：KEWEN_FEISHU_APP_ID、KEWEN_FEISHU_APP_SECRET。")
@_bot_options("开放平台的地址：feishu（默认）、lark，或私有部署的 https 网址。")
def feishu(**given: Any) -> int:
    return _run("feishu", **given)


@bot.command(help="钉钉机器人。\n\n密钥：KEWEN_DINGTALK_CLIENT_ID、KEWEN_DINGTALK_CLIENT_SECRET。")
@_bot_options("开放平台的地址，默认 https://api.dingtalk.com。")
def dingtalk(**given: Any) -> int:
    return _run("dingtalk", **given)


@bot.command(
    help="企业微信智能机器人。\n\n密钥：KEWEN_WECOM_BOT_ID、KEWEN_WECOM_SECRET；用 --webhook 则为 KEWEN_WECOM_TOKEN、KEWEN_WECOM_ENCODING_AES_KEY。"
)
@_bot_options("长连接的地址，默认 wss://openws.work.weixin.qq.com。")
def wecom(**given: Any) -> int:
    return _run("wecom", **given)


def _run(platform: str, webhook: bool, host: str, port: int, address: str, per_minute: int, **given: Any) -> int:
    from service.bots.core import BotOptions

    # A bot runs for weeks: its log says when.
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    assistant = assistant_of(given)
    options = BotOptions(webhook, host, port, address, per_minute)
    run = import_module(f"service.bots.{platform}").run
    if urlsplit(assistant.settings.base_url).hostname in LOOPBACK_NAMES:
        notify("提醒：没有设 KEWEN_PUBLIC_URL，回答只写明出处，不带可点开的链接。")
    run(assistant, options, notify)
    return OK

"""`kewen mcp`: the tools for an assistant on this machine, over standard input and output."""

from __future__ import annotations

import sys
from typing import Any

import click

from service.commands import ChineseCommand, assistant_of, backend_options, common_options, notify
from service.errors import OK, KewenError
from service.links import Links


@click.command(
    cls=ChineseCommand,
    help="MCP 服务：供本机的智能助手经标准输入输出调用 search、fetch、ask。出处的链接由 kewen serve 打开。",
)
@common_options
@backend_options
def mcp(**given: Any) -> int:
    assistant = assistant_of(given)
    try:
        from service.mcp_server import run_stdio
    except ImportError as error:
        raise KewenError(
            "missing_extra", 'MCP 服务需要另装的组件。请运行：python -m pip install "kewen[mcp]"。'
        ) from error
    if sys.stdin is not None and sys.stdin.isatty():
        notify("MCP 服务在标准输入输出上等候客户端（请在智能助手的 MCP 设置中填写命令 kewen mcp；按 Ctrl+C 停止）。")
    run_stdio(assistant, Links(assistant.settings))
    return OK

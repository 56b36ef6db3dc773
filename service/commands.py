"""What commands share: help pages in Chinese, what is wrong with a command line, the assistant they ask."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from typing import Any

import click

from service.assistant import Assistant
from service.errors import KewenError, echo
from service.progress import progress_bar
from service.render import Mark, bracket, colour
from service.settings import load_settings

_OBEYED = re.compile("[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class ChineseCommand(click.Command):
    """A command whose help page has Chinese headings."""

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        pieces = " ".join(self.collect_usage_pieces(ctx))
        pieces = pieces.replace("[OPTIONS]", "[选项]").replace("COMMAND [ARGS]...", "命令 [参数]")
        formatter.write_usage(ctx.command_path, pieces, "用法：")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = [x for x in self.get_params(ctx) if isinstance(x, click.Option)]
        records = [record for x in options if (record := x.get_help_record(ctx))]
        if records:
            with formatter.section("选项"):
                formatter.write_dl(records)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option:
            option.help = "显示本帮助。"
        return option


class ChineseGroup(ChineseCommand, click.Group):
    """A group whose commands are Chinese too."""

    command_class = ChineseCommand

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(60)) for name, command in commands if command]
        if rows:
            with formatter.section("命令"):
                formatter.write_dl(rows)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The settings that every command takes."""
    for option in (
        click.option("--encoder", metavar="编码器", help="bundled，或 sentence-transformers 模型的名称或路径。"),
        click.option("--reports", metavar="文件夹", help="报告文件夹（含 reports.toml），默认为随附的五份报告。"),
        click.option("--home", metavar="文件夹", help="数据目录；也可设环境变量 KEWEN_HOME。"),
    ):
        command = option(command)
    return command


def backend_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The settings of commands that use the index, wherever it is; the token is no option, because others see those."""
    for option in (
        click.option("--uri", "milvus_uri", metavar="地址", help="Milvus 的地址；令牌由 KEWEN_MILVUS_TOKEN 给出。"),
        click.option("--backend", metavar="后端", help="索引在哪里：local 本机（默认）或 milvus。"),
    ):
        command = option(command)
    return command


def usage_message(error: click.ClickException) -> str:
    """What is wrong with the command line, in Chinese, and where to look."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "kewen"
    return f"{_reason(error)}。用法见 {path} --help。"


def _reason(error: click.ClickException) -> str:
    match error:
        case click.NoSuchOption():
            near = f"，是否想用 {'、'.join(error.possibilities)}" if error.possibilities else ""
            return f"没有选项 {echo(error.option_name)}{near}"
        case click.MissingParameter():
            return f"缺少 {error.param.human_readable_name if error.param else '参数'}"
        case click.BadParameter() if isinstance(error.param and error.param.type, click.File):
            return f"打不开 {error.param.opts[0] if error.param else '文件'} 所指的文件"
        case click.BadParameter():
            name = error.param.opts[0] if error.param else "参数"
            return f"{name} 的值不可用"
        case click.BadOptionUsage():
            return f"选项 {echo(error.option_name)} 缺少值或用法不对"
        case click.FileError():
            return f"打不开文件 {echo(error.ui_filename)}"
        case click.exceptions.NoArgsIsHelpError():
            return "缺少命令"
        case click.UsageError() if "No such command" in error.message:
            return f"没有命令 {echo(error.message.split(chr(39))[1])}"
        case click.UsageError() if "unexpected extra argument" in error.message:
            return "参数过多；问题中若有空格，请用引号括起"
        case _:
            return echo(error.format_message())


def assistant_of(given: dict[str, Any]) -> Assistant:
    """The assistant of the settings that were given."""
    return Assistant(load_settings(given), notify, progress_bar("建索引", "B", writing=("写入索引", "份")))


def notify(line: str) -> None:
    """Tell the user a line that is no result."""
    click.echo(line, err=True)


def print_json(value: object) -> None:
    """One line of JSON; control and direction marks are escaped, because a terminal may obey them."""
    line = json.dumps(value, ensure_ascii=False)
    click.echo(_OBEYED.sub(lambda m: f"\\u{ord(m.group()):04x}", line))


def mark() -> Mark:
    """How the words that answer stand out: in colour on a terminal that wants it."""
    return colour if sys.stdout.isatty() and not os.environ.get("NO_COLOR") else bracket


def years_of(given: str | None) -> tuple[int, int] | None:
    """The first and the last year of the option `--year`: `2022-2025`, or `2025`.

    Raises:
        KewenError: `unknown_year`.
    """
    if given is None:
        return None
    match = re.fullmatch(r"(\d{4})(?:[-–](\d{4}))?", given.strip(), re.ASCII)
    if match is None:
        raise KewenError("unknown_year", "--year 应写作一个年份或一段年份，如 2025 或 2022-2025。")
    years = int(match.group(1)), int(match.group(2) or match.group(1))
    if years[0] > years[1]:
        raise KewenError("unknown_year", "--year 的起始年份晚于结束年份。")
    return years

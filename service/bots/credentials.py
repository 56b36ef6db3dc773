"""A bot's credentials: from the environment (`KEWEN_FEISHU_APP_ID`), else the platform's table in `home/config.toml`."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from service.errors import KewenError
from service.settings import CONFIG


@dataclass(frozen=True, slots=True)
class Credential:
    """One value that a platform's console gives; `where` says in Chinese where it stands there."""

    name: str
    where: str


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of one platform; what is secret about them never stands in a text of theirs."""

    platform: str
    _values: Mapping[str, str] = field(repr=False)

    def __getitem__(self, name: str) -> str:
        return self._values[name]


def variable(platform: str, name: str) -> str:
    """The environment variable of a credential: `KEWEN_FEISHU_APP_ID`."""
    return f"KEWEN_{platform.upper()}_{name.upper()}"


def load_credentials(
    platform: str, wanted: tuple[Credential, ...], home: Path, environment: Mapping[str, str] | None = None
) -> Credentials:
    """What is `wanted` of a platform, one of `settings.PLATFORMS`; the environment comes before the file.

    Raises:
        KewenError: `invalid_setting`, naming each variable that is missing and where its value is found.
    """
    environment = os.environ if environment is None else environment
    table = _table(platform, home)
    values = {x.name: environment.get(variable(platform, x.name), "").strip() or table.get(x.name, "") for x in wanted}
    missing = [x for x in wanted if not values[x.name]]
    if missing:
        named = "；".join(f"{variable(platform, x.name)}（{x.where}）" for x in missing)
        raise KewenError(
            "invalid_setting",
            f'缺少 {named}。请设为环境变量，或写入数据目录中 {CONFIG} 的 [{platform}] 表，如 {missing[0].name} = "…"。',
        )
    odd = [variable(platform, name) for name, value in values.items() if not (value.isascii() and value.isprintable())]
    if odd:
        raise KewenError("invalid_setting", f"{'、'.join(odd)} 含有不该有的字符，请从平台后台重新复制。")
    return Credentials(platform, values)


def _table(platform: str, home: Path) -> Mapping[str, str]:
    """The platform's table, its values as they stand; none where there is no file or table."""
    try:
        table = tomllib.loads((home / CONFIG).read_text(encoding="utf-8-sig")).get(platform, {})
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        # What is wrong in the file may be a secret: it is not repeated.
        raise KewenError("invalid_setting", f"数据目录中的配置文件 {CONFIG} 读不了。") from error
    if not isinstance(table, dict) or not all(isinstance(x, str) for x in table.values()):
        raise KewenError("invalid_setting", f'{CONFIG} 的 [{platform}] 应为一张表，其中每一项都是文字，如 名称 = "…"。')
    return {name: value.strip() for name, value in table.items()}

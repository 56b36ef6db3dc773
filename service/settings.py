"""Settings: one table, read from the command line, the environment (`KEWEN_…`) and `home/config.toml`."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from platformdirs import user_data_path

from corpus.library import shipped_folder
from index.encoders import BUNDLED
from service.answers import ANSWER_MODES
from service.confidence import learnt
from service.errors import KewenError, echo

CONFIG = "config.toml"
PLATFORMS = ("feishu", "dingtalk", "wecom")
"""Tables of the configuration file that belong to the chat bots; `service/bots/credentials.py` reads them."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names by which a machine speaks to itself, as a Host header has them."""
LOOPBACK_NAMES = ("127.0.0.1", "::1", "localhost")
"""The same, as an address to listen on or the host of a URL has them."""
BACKENDS = ("local", "milvus")
MCP_MODES = ("auto", "on", "off")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `read` takes the given value and raises ValueError where it won't do."""

    name: str
    default: Callable[[], Any]
    read: Callable[[Any], Any]
    help: str

    @property
    def variable(self) -> str:
        return f"KEWEN_{self.name.upper()}"


def _whole(first: int, last: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:  # noqa: ANN401 - a string from the environment, or TOML's own type
        try:
            number = int(str(value))
        except ValueError as error:
            raise ValueError("应为整数") from error
        if not first <= number <= last:
            raise ValueError(f"应为 {first} 到 {last} 的整数")
        return number

    return read


def _one_of(choices: Sequence[str]) -> Callable[[Any], str]:
    def read(value: Any) -> str:  # noqa: ANN401
        if str(value).strip() not in choices:
            raise ValueError(f"应为 {'、'.join(choices)} 之一")
        return str(value).strip()

    return read


def _share(value: Any) -> float:  # noqa: ANN401
    try:
        share = float(str(value))
    except ValueError as error:
        raise ValueError("应为 0 到 1 的数") from error
    if not 0 <= share <= 1:
        raise ValueError("应为 0 到 1 的数")
    return share


def _folder(value: Any) -> Path:  # noqa: ANN401
    if not str(value).strip() or "\0" in str(value):
        raise ValueError("应为一个文件夹")
    try:
        return Path(str(value)).expanduser().absolute()
    except RuntimeError as error:
        raise ValueError("没有这个用户") from error


def _text(value: Any) -> str:  # noqa: ANN401
    if not str(value).strip():
        raise ValueError("不能为空")
    return str(value).strip()


def _several(read: Callable[[str], str]) -> Callable[[Any], tuple[str, ...]]:
    """A list, in TOML's own form or with commas between."""

    def several(value: Any) -> tuple[str, ...]:  # noqa: ANN401
        items = value if isinstance(value, list | tuple) else str(value).split(",")
        return tuple(dict.fromkeys(read(str(x).strip()) for x in items if str(x).strip()))

    return several


def _host_name(name: str) -> str:
    """A name as a Host header has it, without port: `kewen.lan`, `10.0.0.5`, `[fd00::1]`."""
    name = name.lower().removesuffix(".")
    if not re.fullmatch(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]", name):
        raise ValueError(f"{echo(name, 60)} 应为不带端口的主机名，如 kewen.lan")
    return name


def _origin(text: str) -> str:
    """An origin as a browser sends it (RFC 6454): `https://portal.example.cn`, or a desktop application's own scheme."""
    origin = text.rstrip("/").lower() if text != "file://" else text
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[a-z0-9_.:\[\]-]+|file://", origin):
        raise ValueError(f"{echo(text, 60)} 应只到主机与端口，如 https://portal.example.cn")
    return re.sub(r"^(http://.*):80$|^(https://.*):443$", r"\1\2", origin)  # browsers leave these out


def _base_url(value: Any) -> str:  # noqa: ANN401
    text = str(value).strip()
    if text:
        _address(text)
    return text.rstrip("/")


def _address(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"{echo(text, 60)} 不是网址") from error
    extra = parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in ("http", "https") or not parts.hostname or extra or not text.isascii():
        raise ValueError(f"{echo(text, 60)} 应为 http 或 https 地址，如 https://kewen.example.cn")
    return parts


def _milvus_uri(value: Any) -> str:  # noqa: ANN401
    text = str(value).strip()
    if text.endswith(".db"):
        return str(_folder(text))
    if text:
        _address(text)
    return text.rstrip("/")


def _collection(value: Any) -> str:  # noqa: ANN401
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", str(value)):
        raise ValueError("应以字母或下划线开头，只含字母、数字和下划线，至多 100 个字符")
    return str(value)


SETTINGS: tuple[Setting, ...] = (
    Setting("home", lambda: user_data_path("kewen", appauthor=False), _folder, "数据目录：索引与配置都在其中"),
    Setting("reports", shipped_folder, _folder, "报告文件夹：含清单 reports.toml；默认为随附的五份报告"),
    Setting("encoder", lambda: BUNDLED, _text, "编码器：bundled，或 sentence-transformers 模型的名称或路径"),
    Setting("backend", lambda: "local", _one_of(BACKENDS), "索引在哪里：local 本机、milvus 一个 Milvus 服务"),
    Setting(
        "milvus_uri", lambda: "", _milvus_uri, "Milvus 的地址，如 https://milvus.example.cn:19530；试用可写 .db 文件"
    ),
    Setting("milvus_token", lambda: "", str, "Milvus 的令牌：用户名:密码；只从环境变量或配置文件读"),
    Setting("milvus_collection", lambda: "kewen", _collection, "Milvus 中的别名，各代集合名为它加 _编号"),
    Setting("top_k", lambda: 5, _whole(1, 100), "返回几个段落"),
    Setting("host", lambda: "127.0.0.1", _text, "服务监听的地址；本机以外须先有密钥与 allowed_hosts"),
    Setting("port", lambda: 8765, _whole(0, 65535), "服务监听的端口"),
    Setting("api_key", lambda: "", str, "服务的密钥；设了之后，每个请求都须带 Authorization: Bearer 密钥"),
    Setting("public_url", lambda: "", _base_url, "读者的浏览器打开本服务的网址，出处的链接由它生成"),
    Setting("allowed_hosts", tuple, _several(_host_name), "本机名以外，服务还应答哪些主机名，逗号分隔"),
    Setting("allowed_origins", tuple, _several(_origin), "允许哪些网页跨源调用，如 https://portal.example.cn"),
    Setting("rate_limit", lambda: 600, _whole(0, 1_000_000), "每个密钥每分钟的请求数，0 为不限"),
    Setting("concurrency", lambda: 0, _whole(0, 256), "同时检索或作答几个问题；0 为每个进程两个"),
    Setting("queue", lambda: 64, _whole(0, 512), "此外至多有几个问题等候；再多的立即答复 503，请其稍后再试"),
    Setting("workers", lambda: 1, _whole(1, 64), "服务用几个进程；上面两项与 rate_limit 由各进程均分"),
    Setting("mcp", lambda: "auto", _one_of(MCP_MODES), "/mcp 是否开放：auto 只在本机、on、off"),
    Setting(
        "answer_mode",
        lambda: "extractive",
        _one_of(ANSWER_MODES),
        "作答方式：extractive 摘录原文、generative 大语言模型、passages 只给段落",
    ),
    Setting("min_confidence", lambda: learnt().threshold, _share, "把握低于它就不作答，0 到 1"),
    Setting("llm_url", lambda: "", str, "大语言模型的地址（OpenAI 兼容），如 http://127.0.0.1:11434/v1"),
    Setting("llm_model", lambda: "", str, "大语言模型的名称"),
    Setting("llm_key", lambda: "", str, "大语言模型的密钥，可不设"),
    Setting("llm_timeout", lambda: 30, _whole(1, 3600), "等大语言模型作答的秒数"),
    Setting("max_question", lambda: 2000, _whole(1, 100_000), "问题的最大字数"),
    Setting("max_body", lambda: 1_048_576, _whole(1024, 1 << 30), "请求体的最大字节数"),
    Setting("max_upload", lambda: 104_857_600, _whole(1024, 1 << 30), "上传的一份文件的最大字节数；一次共计至多五倍"),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run; what each means stands in `SETTINGS`."""

    home: Path
    reports: Path
    encoder: str
    backend: str
    milvus_uri: str
    milvus_token: str
    milvus_collection: str
    top_k: int
    host: str
    port: int
    api_key: str
    public_url: str
    allowed_hosts: tuple[str, ...]
    allowed_origins: tuple[str, ...]
    rate_limit: int
    concurrency: int
    queue: int
    workers: int
    mcp: str
    answer_mode: str
    min_confidence: float
    llm_url: str
    llm_model: str
    llm_key: str
    llm_timeout: int
    max_question: int
    max_body: int
    max_upload: int
    max_top_k: int = 100

    def __repr__(self) -> str:
        return f"Settings(home={self.home}, reports={self.reports}, encoder={self.encoder})"

    @property
    def is_local(self) -> bool:
        """Nothing beyond this machine can reach the service."""
        return self.host in LOOPBACK_NAMES

    @property
    def base_url(self) -> str:
        """`public_url`, else the address at which a reader is likeliest to reach the service."""
        if self.public_url:
            return self.public_url
        own = "[::1]" if self.host == "::1" else "127.0.0.1"
        name = own if self.is_local or not self.allowed_hosts else self.allowed_hosts[0]
        return f"http://{name}:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """Every name that a Host header may have, without port."""
        public = urlsplit(self.public_url).netloc.rpartition("@")[2]
        return frozenset([*LOOPBACK, *self.allowed_hosts, *([host_of(public)] if public else [])])

    @property
    def is_exposed(self) -> bool:
        """Others can reach the service: it listens elsewhere, or a proxy stands before it."""
        return not self.is_local or not self.hosts <= set(LOOPBACK)

    @property
    def serves_mcp(self) -> bool:
        return self.mcp == "on" or (self.mcp == "auto" and not self.is_exposed)


def host_of(header: str) -> str:
    """The host of a Host header, or of an origin's authority, without its port (RFC 9110, 7.2)."""
    host, colon, port = header.rpartition(":")
    return (host if colon and (port.isdigit() or not port) else header).lower().removesuffix(".")


def load_settings(given: Mapping[str, Any] | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """Settings by precedence: `given` (None means: not given), environment, `home/config.toml`, default.

    Raises:
        KewenError: `invalid_setting`, naming the setting, where it comes from and what would do.
    """
    given = {name: value for name, value in (given or {}).items() if value is not None}
    environment = os.environ if environment is None else environment
    values: dict[str, Any] = {}
    file: Mapping[str, Any] = {}
    for setting in SETTINGS:
        if setting.name in given:
            source, value = f"--{setting.name.replace('_', '-')}", given[setting.name]
        elif environment.get(setting.variable):
            source, value = setting.variable, environment[setting.variable]
        elif setting.name in file:
            source, value = CONFIG, file[setting.name]
        else:
            source, value = "默认值", setting.default()
        try:
            values[setting.name] = setting.read(value)
        except ValueError as error:
            raise KewenError(
                "invalid_setting", f"设置 {setting.name}（来自 {source}）的值 {echo(str(value))!r} 不可用：{error}。"
            ) from error
        if setting.name == "home":
            file = _read_config(values["home"])
    return Settings(**values)


def _read_config(home: Path) -> Mapping[str, Any]:
    path = home / CONFIG
    try:
        config = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KewenError("invalid_setting", f"配置文件 {path} 读不了：{error}。") from error
    unknown = sorted(set(config) - {setting.name for setting in SETTINGS if setting.name != "home"} - set(PLATFORMS))
    if unknown:
        raise KewenError("invalid_setting", f"配置文件 {path} 中有不认识的设置：{'、'.join(map(echo, unknown))}。")
    return config

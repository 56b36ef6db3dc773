"""API keys: several at once, named, kept as hashes, revocable while the service runs."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from filelock import FileLock

from corpus.storage import storage_errors, sync_folder, write_synced
from service.errors import KewenError, echo, user_errors
from service.settings import Settings

FILE = "keys.json"
_WAIT_SECONDS = 10.0
SHORTEST = 32
"""A key of at least so many characters is demanded where others can reach the service."""
CONFIGURED = "api_key"
"""The name of the key that the settings hold."""

Scope = Literal["full", "read", "widget"]
SCOPES: tuple[Scope, ...] = get_args(Scope)


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept. Its 256 random bits need no slow hash: there is nothing to guess.

    A key of the scope `read` opens everything but what changes the library. One of the scope `widget` stands in a page
    that anyone can read: it opens `POST /v1/ask` alone, from the pages of `allowed_origins`.
    """

    name: str
    scope: Scope
    created: str
    sha256: str


class KeyRing:
    """The keys of one home, read again when their file changes, and the key of the settings."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.home / FILE
        self._exposed = settings.is_exposed
        self._configured = [_key(CONFIGURED, "full", settings.api_key)] if settings.api_key else []
        self._kept: Sequence[Key] = ()
        self._version: tuple[int, int, int] | None = None

    def listed(self) -> list[Key]:
        """All keys, the settings' own first.

        Raises:
            KewenError: `invalid_setting`, where their file can't be read: nobody is let in then.
        """
        try:
            state = self._path.stat()
        except FileNotFoundError as error:
            if self._version:  # the last key that is revoked leaves an empty list: this is something else
                raise _unreadable() from error
        except OSError as error:
            raise _unreadable() from error
        else:
            version = state.st_mtime_ns, state.st_size, state.st_ino
            if version != self._version:
                self._version, self._kept = version, self._read()
        return [*self._configured, *self._kept]

    @property
    def is_required(self) -> bool:
        """Requests must bear a key: there is one, or others can reach the service."""
        return self._exposed or bool(self.listed())

    def find(self, given: str) -> Key | None:
        """The key that was given, compared in constant time."""
        digest = _digest(given)
        found = [key for key in self.listed() if hmac.compare_digest(key.sha256, digest)]
        return found[0] if found else None

    def add(self, name: str, scope: Scope) -> str:
        """Make a key and return it; it can't be read again.

        Raises:
            KewenError: `invalid_request`, where the name is taken or won't do; `storage_error`.
        """
        if not name.strip() or not name.isprintable() or len(name) > 60:
            raise KewenError("invalid_request", "密钥的名称应为 1 到 60 个可见字符。")
        made = f"kw-{secrets.token_urlsafe(32)}"
        with self._alone():
            if name == CONFIGURED or any(key.name == name for key in self.listed()):
                raise KewenError(
                    "invalid_request", f"已有名为 {echo(name)} 的密钥，请换个名称，或先 kewen keys revoke。"
                )
            self._write([*self._kept, _key(name, scope, made)])
        return made

    def revoke(self, name: str) -> None:
        """Remove a key: the running service refuses it from the next request on.

        Raises:
            KewenError: `not_found`, or `invalid_request` for the settings' own; `storage_error`.
        """
        if name == CONFIGURED and self._configured:
            raise KewenError("invalid_request", "这个密钥来自设置 api_key，请从环境变量或 config.toml 中删去。")
        with self._alone():
            if not any(key.name == name for key in self.listed()):
                raise KewenError("not_found", f"没有名为 {echo(name)} 的密钥。现有的见 kewen keys list。")
            self._write([key for key in self._kept if key.name != name])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Reading and writing are one: of two that add a key at once, neither is lost."""
        lock = FileLock(self._path.with_suffix(".lock"), timeout=_WAIT_SECONDS, mode=0o600)
        with user_errors(), storage_errors("保存密钥"):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def _read(self) -> list[Key]:
        try:
            kept = json.loads(self._path.read_bytes())["keys"]
            if not isinstance(kept, list):
                raise TypeError("keys should be a list")
            keys = [Key(**x) for x in kept]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise _unreadable() from error
        if not all(isinstance(y, str) and y for x in keys for y in (x.name, x.scope, x.created, x.sha256)):
            raise _unreadable()
        if not all(x.sha256.isascii() and x.scope in SCOPES for x in keys):
            raise _unreadable()
        return keys

    def _write(self, keys: Sequence[Key]) -> None:
        """Replace the file at once, so that a reader finds the old keys or the new."""
        data = json.dumps({"keys": [asdict(x) for x in keys]}, ensure_ascii=False, indent=1).encode()
        new = self._path.with_suffix(".new")
        with user_errors(), storage_errors("保存密钥"):
            write_synced(new, data)
            os.replace(new, self._path)  # noqa: PTH105 - Path.replace says nothing more
            sync_folder(self._path.parent)


def check_exposure(settings: Settings, keys: Sequence[Key]) -> None:
    """Refuse to serve others without a good key and the names that the service answers to.

    Raises:
        KewenError: `unsafe_configuration`.
    """
    if not settings.is_exposed:
        return
    where = f"监听 {settings.host} " if not settings.is_local else "allowed_hosts 或 public_url 含本机以外的主机名，"
    if not any(key.scope != "widget" for key in keys):
        raise KewenError(
            "unsafe_configuration",
            f"{where}会让本机以外的人访问，须先有密钥。请运行 kewen keys add 名称，或只监听 127.0.0.1。",
        )
    if 0 < len(settings.api_key) < SHORTEST:
        raise KewenError(
            "unsafe_configuration",
            f"密钥 KEWEN_API_KEY 至少要 {SHORTEST} 个字符，现在是 {len(settings.api_key)} 个。"
            "请改用 kewen keys add 名称 生成的密钥。",
        )
    if not settings.is_local and not settings.allowed_hosts:
        raise KewenError(
            "unsafe_configuration",
            "监听本机以外的地址时，须用 KEWEN_ALLOWED_HOSTS 列出客户端所用的主机名，如 kewen.example.cn,10.0.0.5。",
        )


def _key(name: str, scope: Scope, key: str) -> Key:
    return Key(name, scope, datetime.now(UTC).isoformat(timespec="seconds"), _digest(key))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _unreadable() -> KewenError:
    return KewenError("invalid_setting", f"数据目录中的密钥文件 {FILE} 读不了。请修复，或删去后重新 kewen keys add。")

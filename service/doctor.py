"""Self-examination: is everything here that kewen needs, and is it sound?"""

from __future__ import annotations

import importlib.util
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from corpus.library import Library, LibraryError
from index.encoders import BUNDLED, damaged_files
from service.assistant import Assistant
from service.errors import DAMAGED, MODEL, OK, PARTIAL, STORAGE, KewenError
from service.keys import KeyRing, check_exposure
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at. `exit_code` is what the command exits with where this is the first fault."""

    name: str
    ok: bool
    message: str
    exit_code: int = OK


def examine(settings: Settings) -> list[Check]:
    """All checks, in the order in which a person would mend what they find. Changes nothing."""
    looks: list[Callable[[Settings], Check]] = [
        *(_python, _segmenter, _home, _keys),
        *(_reports, _library, _bundled, _encoder, _index),
    ]
    return [look(settings) for look in looks]


def _python(settings: Settings) -> Check:
    return Check("Python", True, f"{platform.python_version()}（{platform.system()} {platform.machine()}）")


def _segmenter(settings: Settings) -> Check:
    fast = importlib.util.find_spec("rjieba") is not None
    return Check("分词", True, "rjieba" if fast else "jieba（装上 rjieba 后分词快十倍，结果相同）")


def _home(settings: Settings) -> Check:
    folder = settings.home
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check(
            "数据目录", False, f"{settings.home} 不可写（{error.strerror}）。请改权限，或用 --home 另指一处。", STORAGE
        )
    return Check("数据目录", True, f"{settings.home} 可写")


def _keys(settings: Settings) -> Check:
    try:
        keys = KeyRing(settings).listed()
        check_exposure(settings, keys)
    except KewenError as error:
        return Check("密钥", False, error.message, error.exit_code)
    return Check("密钥", True, f"{len(keys)} 个" if keys else "没有，服务只应答本机")


def _reports(settings: Settings) -> Check:
    try:
        library = Library(settings.reports)
        problems = []
        for entry in library:
            try:
                library.read(entry)
            except LibraryError as error:
                problems.append(error.message)
    except LibraryError as error:
        return Check("报告", False, error.message, PARTIAL)
    if problems:
        return Check("报告", False, "；".join(problems), PARTIAL)
    return Check("报告", True, f"{len(library.entries)} 份，内容与清单的 sha256 相符")


def _library(settings: Settings) -> Check:
    assistant = Assistant(settings)
    faults = assistant.library_faults()
    if faults:
        return Check("自有资料", False, f"{'；'.join(faults[:5])}。请运行 kewen index repair。", DAMAGED)
    return Check("自有资料", True, f"{len(assistant.documents_store.catalogue()[0].documents)} 份，文件与文字完好")


def _bundled(settings: Settings) -> Check:
    folder = Path(str(files("index"))) / "bundled"
    try:
        damaged = damaged_files(folder)
    except (OSError, ValueError) as error:
        return Check("随附的编码器", False, f"缺失或损坏（{type(error).__name__}）。请重新获取 index/bundled/。", MODEL)
    if damaged:
        return Check("随附的编码器", False, f"文件损坏：{'、'.join(damaged)}。请重新获取 index/bundled/。", MODEL)
    return Check("随附的编码器", True, "文件完好")


def _encoder(settings: Settings) -> Check:
    try:
        encoder = Assistant(settings).encoder()
    except KewenError as error:
        return Check("现用的编码器", False, error.message, error.exit_code)
    note = "" if settings.encoder == BUNDLED else "（sentence-transformers）"
    return Check("现用的编码器", True, f"{encoder.name}{note}，{encoder.dim} 维")


def _index(settings: Settings) -> Check:
    assistant = Assistant(settings)
    if settings.backend == "milvus":
        return _in_milvus(assistant)
    if not assistant.store.names():
        return Check("索引", True, "尚未建立，首次提问时自动建立")
    try:
        checked = assistant.verify()
    except KewenError as error:
        return Check("索引", False, error.message, error.exit_code or DAMAGED)
    if checked["faults"]:
        return Check("索引", False, f"{'；'.join(checked['faults'][:5])}。请运行 kewen index repair。", DAMAGED)
    return Check("索引", True, f"{checked['generation']} 完好，{checked['citations']} 条出处逐字与原文一致")


def _in_milvus(assistant: Assistant) -> Check:
    try:
        found = assistant.retriever().snapshot
    except KewenError as error:
        return Check("索引", False, error.message, error.exit_code)
    return Check("索引", True, f"Milvus 中的 {found.name}，{len(found.rows)} 段，与编码器相符")

"""The index in Milvus as it is used: connected, checked against the encoder, renewed when another one is published."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from index.build import index_fingerprint
from index.milvus import Milvus
from index.milvus_arms import MilvusArms
from index.milvus_build import Progress, Published, publish
from index.milvus_schema import check_schema, generations
from index.milvus_source import MilvusSource
from index.search import HybridRetriever
from index.snapshot import Snapshot
from index.types import Encoder
from service.errors import INDEX_CODES, KewenError, echo
from service.settings import LOOPBACK_NAMES, Settings

_BUILD = "请运行 kewen index build --backend milvus。"
_LOOK_SECONDS = 5.0
"""So often a service looks whether another generation was published."""


class Cluster:
    """Keeps the generation open that the alias stands for. Connects when it is first used."""

    def __init__(self, settings: Settings, notify: Callable[[str], None]) -> None:
        """`notify` is called with one Chinese line that the user should see."""
        self._settings = settings
        self._notify = notify
        self._milvus: Milvus | None = None
        self._retriever: HybridRetriever | None = None
        self._looked = 0.0
        self._lock = threading.Lock()

    def retriever(self, encoder: Encoder) -> HybridRetriever:
        """The retriever of the published generation. One that is in use stays as it is.

        Raises:
            KewenError: `index_unavailable`, `model_mismatch`, `backend_unavailable`, `backend_denied`,
                `backend_incompatible`, `missing_extra` or `invalid_setting`.
        """
        with self._lock:
            if self._retriever is None or time.monotonic() - self._looked > _LOOK_SECONDS:
                self._renew(encoder)
        if self._retriever is None:
            raise KewenError("index_unavailable", _BUILD)
        return self._retriever

    def publish(self, snapshot: Snapshot, progress: Progress) -> Published:
        """Bring a generation of this machine to Milvus, and have readers use it.

        Raises:
            KewenError: as `retriever`, and `insufficient_storage`; readers use what they used.
        """
        return publish(snapshot, self._connected(), self._settings.milvus_collection, progress)

    def status(self) -> dict[str, Any]:
        """What is in Milvus: as the status of the index on this machine.

        Raises:
            KewenError: as `retriever`.
        """
        milvus = self._connected()
        alias = self._settings.milvus_collection
        source = MilvusSource(milvus, self._aim(milvus))
        described = {key: source.description[key] for key in ("created", "encoder")}
        counted = {"documents": len(source.documents), "passages": source.size}
        others = list(generations(milvus, alias).values())
        return {"generation": source.name, **described, **counted, "generations": others, "problems": []}

    def _renew(self, encoder: Encoder) -> None:
        """Open what the alias stands for. Where that fails, what was open goes on serving, and `notify` hears why."""
        try:
            milvus = self._connected()
            name = self._aim(milvus)
            if self._retriever is None or self._retriever.snapshot.name != name:
                self._retriever = self._opened(milvus, name, encoder)
        except KewenError as error:
            if self._retriever is None:
                raise
            self._notify(f"警告：新的索引用不了，继续用 {self._retriever.snapshot.name}。{error.message}")
        self._looked = time.monotonic()

    def _opened(self, milvus: Milvus, name: str, encoder: Encoder) -> HybridRetriever:
        source = MilvusSource(milvus, name)
        check_fit(source.description, encoder, _BUILD)
        check_schema(milvus, name, encoder.dim)
        return HybridRetriever(source, encoder, MilvusArms(source, encoder))

    def _aim(self, milvus: Milvus) -> str:
        alias = self._settings.milvus_collection
        name = milvus.aim(alias)
        if name is None:
            raise KewenError("index_unavailable", f"Milvus（{milvus.place}）上还没有索引：没有别名 {alias}。{_BUILD}")
        return name

    def _connected(self) -> Milvus:
        settings = self._settings
        if self._milvus is None:
            if not settings.milvus_uri:
                raise KewenError("invalid_setting", "用 Milvus 须给出它的地址：--uri，或设置 milvus_uri。")
            self._warn(settings.milvus_uri, bool(settings.milvus_token))
            self._milvus = Milvus(settings.milvus_uri, settings.milvus_token, _problem)
        return self._milvus

    def _warn(self, uri: str, has_token: bool) -> None:
        if uri.endswith(".db"):
            self._notify("注意：.db 文件由 Milvus Lite 打开，只供试用：它慢，没有鉴权，也不校验数据。")
        elif has_token and uri.startswith("http://") and urlsplit(uri).hostname not in LOOPBACK_NAMES:
            self._notify("警告：地址不是 https，令牌与资料将以明文传送。")


def check_fit(description: Mapping[str, Any], encoder: Encoder, rebuild: str) -> None:
    """Whether an index, by its manifest, can be searched with an encoder; `rebuild` is the advice where it can't.

    Raises:
        KewenError: `model_mismatch` or `index_unavailable`.
    """
    built = description.get("encoder", {})
    if built.get("fingerprint") != encoder.fingerprint:
        other = echo(str(built.get("name")))
        now = "现在的版本" if other == encoder.name else f"现在的 {encoder.name} "
        raise KewenError(
            "model_mismatch",
            f"索引由编码器 {other} 建立，与{now}不同。{rebuild.removesuffix('。')}，或用 --encoder 指定原来的编码器。",
        )
    if description.get("terms") != index_fingerprint(encoder)["terms"]:
        raise KewenError("index_unavailable", f"索引所用的词表与本程序不同。{rebuild}")


def _problem(code: str, message: str) -> KewenError:
    return KewenError(INDEX_CODES.get(code, code), message)

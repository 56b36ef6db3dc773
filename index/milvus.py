"""A Milvus server as kewen speaks to it: every call has a time limit, and every failure is told in Chinese.

pymilvus is imported by the first connection alone. What it would write to the log, a traceback for each failed call, is
left out.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from index.milvus_failures import failure_of
from index.storage import IndexProblem

Problem = Callable[[str, str], Exception]
"""A code and a Chinese message → what is raised."""
Record = dict[str, Any]

MOST_ROWS = 16_384
"""So many rows a server gives at once, at most."""
FLOORS = ((2, 5, 27), (2, 6, 10))
"""The first releases of their lines in which nobody can go round the authentication (CVE-2026-26190)."""
_SECONDS = 10.0
# What changes much may take as long; a server that is away is tried as long, too.
_LONG = 120.0
_PAUSE = 0.2
_LITE = 300.0
_TRIES = 3


class Milvus:
    """One connection. Calls may come from several threads."""

    def __init__(self, uri: str, token: str = "", problem: Problem = IndexProblem, seconds: float = _SECONDS) -> None:
        """`uri`: `http://…`, `https://…`, or a path that ends in `.db` for Milvus Lite; `seconds`: the limit of a call.

        Raises what `problem` makes of `missing_extra`, `backend_unavailable`, `backend_denied` or `backend_incompatible`.
        """
        self.problem = problem
        self.is_lite = uri.endswith(".db")
        # It runs in this process, in Python, and prepares what is searched at the first search.
        self._seconds = max(seconds, _LITE) if self.is_lite else seconds
        self.place = uri if self.is_lite else urlsplit(uri).netloc.rpartition("@")[2]
        client = _client(problem)  # without the library its errors can't be told apart either
        with self._told("连接"):
            self._client = client(uri, token=token, timeout=self._seconds)
        self._check_version()

    def close(self) -> None:
        """Let go of the connection."""
        with suppress(Exception):
            self._client.close()

    # -- collections ------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """The collections of the database."""
        with self._told("查看集合"):
            return list(self._client.list_collections(timeout=self._seconds))

    def aim(self, alias: str) -> str | None:
        """The collection that an alias stands for; None where there is no such alias."""
        try:
            with self._told("查看别名", missing=True):
                return str(self._client.describe_alias(alias, timeout=self._seconds)["collection_name"])
        except _MissingError:
            return None

    def point(self, alias: str, name: str) -> None:
        """Let an alias stand for a collection: from here on readers see it, all at once."""
        exists = self.aim(alias) is not None
        with self._told("发布"):
            turn = self._client.alter_alias if exists else self._client.create_alias
            turn(name, alias, timeout=self._seconds)

    def create(self, name: str, fields: Sequence[Mapping[str, Any]], partitions: Sequence[str] = ()) -> None:
        """A collection of fields, each as pymilvus' `add_field` takes it, its `datatype` by name; one that is there stays."""
        from pymilvus import DataType, MilvusClient

        schema = MilvusClient.create_schema(auto_id=False, enable_dynamic_field=False)
        with self._told("建立集合"):
            for given in fields:
                types = {x: DataType[given[x]] for x in ("datatype", "element_type") if x in given}
                schema.add_field(**{**given, **types})
            if not self._client.has_collection(name, timeout=self._seconds):
                self._client.create_collection(name, schema=schema, timeout=_LONG, consistency_level="Bounded")
            there = self._client.list_partitions(name, timeout=self._seconds)
            for partition in partitions:
                if partition not in there:
                    self._client.create_partition(name, partition, timeout=self._seconds)

    def fields(self, name: str) -> dict[str, Record]:
        """The fields of a collection by name: `type` as pymilvus names it, `params`."""
        with self._told("查看集合"):
            found = self._client.describe_collection(name, timeout=self._seconds)["fields"]
            return {x["name"]: {"type": x["type"].name, "params": dict(x["params"])} for x in found}

    def open(self, name: str, indexes: Sequence[Mapping[str, Any]]) -> None:
        """Index a collection, each index as pymilvus' `add_index` takes it, and load it; waits until it can be searched."""
        with self._told("建立向量索引"):
            there = set(self._client.list_indexes(name, timeout=self._seconds))
            wanted = self._client.prepare_index_params()
            for index in indexes:
                if index["field_name"] not in there:
                    wanted.add_index(**index, index_name=index["field_name"])
            if len(wanted):
                self._client.create_index(name, wanted, timeout=self._seconds, sync=False)
            for index in indexes:
                while not self._is_built(name, index["field_name"]):
                    time.sleep(_PAUSE)
        self.load(name)

    def load(self, name: str) -> None:
        """Have a collection ready to be searched."""
        with self._told("载入集合"):
            self._client.load_collection(name, timeout=self._seconds, _async=True)
            # However long it takes, a server that goes away meanwhile is noticed.
            while self._client.get_load_state(name, timeout=self._seconds)["state"].name != "Loaded":
                time.sleep(_PAUSE)

    def _is_built(self, name: str, index: str) -> bool:
        found = self._client.describe_index(name, index, timeout=self._seconds) or {}
        if found.get("state") == "Failed":
            raise self.problem("backend_incompatible", f"Milvus（{self.place}）没能为 {name} 建立索引 {index}。")
        return found.get("state") == "Finished"

    def settle(self, name: str) -> None:
        """Have all rows that were sent in sealed segments, which are indexed."""
        with self._told("落盘"):
            self._client.flush(name, timeout=_LONG)

    def drop(self, name: str) -> None:
        """Remove a collection, if it is there."""
        with self._told("删除集合"):
            self._client.drop_collection(name, timeout=_LONG)

    # -- rows -------------------------------------------------------------------------------------

    def upsert(self, name: str, rows: Sequence[Record], partition: str = "") -> None:
        """Write rows; those of the same primary key are replaced. Tried again where the server is away or too busy."""
        for attempt in range(1, _TRIES + 1):
            try:
                with self._told("写入", busy=True):
                    self._client.upsert(name, list(rows), timeout=_LONG, partition_name=partition)
                    return
            except _BusyError as error:
                if attempt == _TRIES:
                    raise self.problem("backend_unavailable", str(error)) from error
                time.sleep(attempt)

    def count(self, name: str) -> int:
        """How many rows a collection has, all that were written before counted."""
        with self._told("清点"):
            found = self._client.query(name, output_fields=["count(*)"], timeout=_LONG, consistency_level="Strong")
            return int(found[0]["count(*)"])

    def query(
        self,
        name: str,
        where: str,
        output: Sequence[str],
        partitions: Sequence[str] = (),
        limit: int | None = None,
        strong: bool = False,
    ) -> list[Record]:
        """The rows that a filter holds for; `strong`: all that were written before this call are seen."""
        more = {"limit": limit} if limit else {}
        with self._told("查询"):
            found = self._client.query(
                name,
                filter=where,
                output_fields=list(output),
                timeout=self._seconds,
                partition_names=list(partitions) or None,
                consistency_level="Strong" if strong else "Bounded",
                **more,
            )
            return [dict(x) for x in found]

    def search(
        self,
        name: str,
        field: str,
        vector: Any,  # noqa: ANN401 - float32 `[dim]`, or weights by dimension
        limit: int,
        output: Sequence[str],
        where: str = "",
        partitions: Sequence[str] = (),
    ) -> list[tuple[Record, float]]:
        """The rows of largest inner product and that product."""
        return self.searches(name, field, [vector], limit, output, where, partitions)[0]

    def searches(
        self,
        name: str,
        field: str,
        vectors: Sequence[Any],
        limit: int,
        output: Sequence[str],
        where: str = "",
        partitions: Sequence[str] = (),
    ) -> list[list[tuple[Record, float]]]:
        """As `search`, of several vectors."""
        limit = min(limit, MOST_ROWS)
        params = {"ef": max(2 * limit, 64)} if field == "dense" else {}
        with self._told("检索"):
            found = self._client.search(
                name,
                data=list(vectors),
                anns_field=field,
                limit=limit,
                filter=where,
                output_fields=list(output),
                partition_names=list(partitions) or None,
                search_params={"metric_type": "IP", "params": params},
                timeout=self._seconds,
                consistency_level="Bounded",
            )
            return [[(dict(x["entity"]), float(x["distance"])) for x in hits] for hits in found]

    # -- failures ---------------------------------------------------------------------------------

    def _check_version(self) -> None:
        with self._told("查看版本"):
            version = str(self._client.get_server_version(timeout=self._seconds))
        self.is_lite = self.is_lite or version.startswith("milvus_lite")  # it can be served, too
        if self.is_lite or "zilliz" in self.place:
            return
        match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", version)
        numbers = tuple(map(int, match.groups())) if match else (0, 0, 0)
        if not any(numbers[:2] == floor[:2] and numbers >= floor for floor in FLOORS) and numbers[:2] < (2, 7):
            floors = " 或 ".join(".".join(map(str, x)) for x in FLOORS)
            raise self.problem(
                "backend_incompatible",
                f"Milvus（{self.place}）的版本是 {version[:40]}，须为 {floors} 以上：更早的版本可绕过鉴权（CVE-2026-26190）。",
            )

    @contextmanager
    def _told(self, doing: str, missing: bool = False, busy: bool = False) -> Iterator[None]:
        """What pymilvus and gRPC raise, as a problem; `missing` and `busy` are told apart where the caller can help."""
        try:
            yield
        except Exception as error:
            failure = failure_of(error, self.place, doing)
            if failure is None:
                raise
            if missing and failure.code == "index_missing":
                raise _MissingError from error
            if busy and failure.code == "backend_unavailable":
                raise _BusyError(failure.message) from error
            raise self.problem(failure.code, failure.message) from error


class _MissingError(Exception):
    pass


class _BusyError(Exception):
    pass


def _client(problem: Problem) -> Any:  # noqa: ANN401 - pymilvus is imported late
    """The class of pymilvus that connects."""
    try:
        from pymilvus import MilvusClient
    except ImportError as error:
        raise problem(
            "missing_extra", 'Milvus 后端需要另装的组件。请运行：python -m pip install "kewen[milvus]"。'
        ) from error
    for name in ("pymilvus", "pymilvus.milvus_client", "milvus_lite"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # after its own set-up, which lowers it
    return MilvusClient

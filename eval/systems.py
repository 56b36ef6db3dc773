"""What can be evaluated: kewen in any mode, single views of BM25, an HTTP service, a TREC run."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from corpus.citations import citation_label
from eval.answer_runs import of_record
from eval.types import Answered, Found, Outcome, Unit
from index.lexical import VIEWS
from service.answer_render import answer_json
from service.assistant import Assistant
from service.errors import KewenError, echo
from service.links import Links

_TIMEOUT = 60


class LocalSystem:
    """kewen itself, in this process, in one of its modes; with the expansions of passages or without."""

    def __init__(self, assistant: Assistant, mode: str, expansions: bool = True, literal: bool = False) -> None:
        self._assistant = assistant
        self._mode = mode
        self._expansions = expansions
        self._literal = literal

    def describe(self) -> dict[str, Any]:
        description = self._assistant.retriever().snapshot.description
        encoder = description["encoder"]
        return {
            "system": "kewen",
            "mode": self._mode,
            "expansions": self._expansions,
            "literal": self._literal,
            "encoder": encoder["name"],
            "fingerprint": encoder["fingerprint"],
        }

    def units(self) -> list[Unit]:
        rows = self._assistant.retriever().snapshot.rows
        return [Unit(row.passage.id, row.passage.document_id, row.passage.spans) for row in rows]

    def search(self, question: str, top_k: int) -> Outcome:
        result = self._assistant.search(question, top_k, self._mode, expansions=self._expansions, literal=self._literal)
        found = [
            Found(
                Unit(hit.passage.id, hit.passage.document_id, hit.passage.spans),
                hit.score,
                hit.passage.text,
                citation_label(hit.citation),
            )
            for hit in result.hits
        ]
        return Outcome("", tuple(found), result.took_ms)

    def ask(self, question: str) -> Answered:
        """In the mode of the setting `answer_mode`."""
        answer = self._assistant.ask(question, expansions=self._expansions, literal=self._literal)
        return of_record(answer_json(answer, Links(self._assistant.settings).url))


class Bm25System:
    """BM25 over one view of the index alone: `words` (jieba) or `characters` (unigrams and bigrams)."""

    def __init__(self, assistant: Assistant, view: str) -> None:
        self._snapshot = assistant.snapshot()
        self._view = view

    def describe(self) -> dict[str, Any]:
        return {"system": "bm25", "view": self._view}

    def units(self) -> list[Unit]:
        return [Unit(row.passage.id, row.passage.document_id, row.passage.spans) for row in self._snapshot.rows]

    def search(self, question: str, top_k: int) -> Outcome:
        started = time.perf_counter()
        scores = self._snapshot.plain.lexical.views[self._view].scores(VIEWS[self._view](question))
        rows = np.flatnonzero(scores > 0)
        rows = rows[np.lexsort((rows, -scores[rows]))[:top_k]]
        found = []
        for row in rows:
            passage = self._snapshot.rows[int(row)].passage
            unit = Unit(passage.id, passage.document_id, passage.spans)
            label = citation_label(self._snapshot.citation(passage))
            found.append(Found(unit, float(scores[row]), passage.text, label))
        return Outcome("", tuple(found), round((time.perf_counter() - started) * 1000, 2))


class EndpointSystem:
    """Any HTTP service that answers `POST /v1/search` as kewen does."""

    def __init__(self, url: str, mode: str | None = None, key: str = "") -> None:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise KewenError("invalid_request", f"--endpoint 应为 http 或 https 地址：{echo(url)}。")
        self._url = url.rstrip("/")
        self._mode = mode
        self._key = key

    def describe(self) -> dict[str, Any]:
        return {"system": "endpoint", "url": self._url, "mode": self._mode}

    def units(self) -> Sequence[Unit] | None:
        return None

    def search(self, question: str, top_k: int) -> Outcome:
        body = {"query": question, "top_k": top_k} | ({"mode": self._mode} if self._mode else {})
        started = time.perf_counter()
        answer = self._post("/v1/search", body)
        took = round((time.perf_counter() - started) * 1000, 2)
        try:
            return Outcome("", tuple(_found(hit) for hit in answer["hits"]), took)
        except (KeyError, TypeError, ValueError) as error:
            raise KewenError(
                "invalid_request", f"{self._url}/v1/search 的响应不合格式（{type(error).__name__}）。"
            ) from error

    def ask(self, question: str) -> Answered:
        try:
            return of_record(self._post("/v1/ask", {"question": question}))
        except (KeyError, TypeError, ValueError) as error:
            raise KewenError(
                "invalid_request", f"{self._url}/v1/ask 的响应不合格式（{type(error).__name__}）。"
            ) from error

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        request = urllib.request.Request(self._url + path, json.dumps(body).encode("utf-8"), headers)  # noqa: S310 - checked
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310 - checked
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise KewenError(
                "invalid_request", f"{self._url}{path} 应答 {error.code}：{echo(_reason(error))}"
            ) from error
        except (OSError, ValueError) as error:
            raise KewenError(
                "invalid_request", f"连不上 {self._url}{path}，或它的应答不是 JSON（{error}）。"
            ) from error


class TrecRunSystem:
    """A TREC run made elsewhere over the exported passages: `qid Q0 docid rank score tag` a line."""

    def __init__(self, path: Path, questions: Mapping[str, str], units: Sequence[Unit]) -> None:
        """`questions`: text → id, because a run knows questions by their ids."""
        self._path = path
        self._ids = questions
        self._units = {unit.id: unit for unit in units}
        self._run = _read_run(path, self._units)

    def describe(self) -> dict[str, Any]:
        return {"system": "run", "file": self._path.name}

    def units(self) -> list[Unit]:
        return list(self._units.values())

    def search(self, question: str, top_k: int) -> Outcome:
        lines = self._run.get(self._ids[question], [])
        # Tools sort a run by score and, at equal scores, by id from behind, whatever its ranks say.
        lines = sorted(lines, key=lambda x: (x[1], x[0]), reverse=True)[:top_k]
        return Outcome("", tuple(Found(self._units[unit], score, "") for unit, score in lines))


def _read_run(path: Path, units: Mapping[str, Unit]) -> dict[str, list[tuple[str, float]]]:
    run: dict[str, list[tuple[str, float]]] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise KewenError("invalid_request", f"读不了 {echo(str(path))}：{error}。") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        parts = line.split()
        try:
            question_id, _, unit, _, score, _ = parts
            run.setdefault(question_id, []).append((unit, float(score)))
        except ValueError as error:
            raise KewenError(
                "invalid_request", f"{path.name} 第 {number} 行不是「qid Q0 docid rank score tag」。"
            ) from error
        if unit not in units:
            raise KewenError("invalid_request", f"{path.name} 第 {number} 行的段落 {echo(unit)} 不在导出的语料中。")
    return run


def _found(hit: Mapping[str, Any]) -> Found:
    citation = hit["citation"]
    spans = tuple((int(start), int(end)) for start, end in citation["spans"])
    unit = Unit(str(hit["passage_id"]), str(citation["document_id"]), spans)
    return Found(unit, float(hit["score"]), str(hit["text"]), str(citation.get("label", "")))


def _reason(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(error)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return str(error.reason)

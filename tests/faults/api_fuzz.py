"""The HTTP API under fire, in this process, over a fresh temporary home.

    python -m tests.faults.api_fuzz direct --minutes 5
    python -m tests.faults.api_fuzz schema --examples 200

`direct` sends random and mutated requests straight into the application; whatever is no answer below 500 is a failure.
`schema` has schemathesis make valid and invalid requests from the API's own description and checks every answer against
it. Both print what was counted, and exit with 1 where anything failed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from corpus.intake import About, Found
from corpus.library import shipped_folder
from service import evaluations
from service.app import create_app
from service.assistant import Assistant
from service.comparisons import MOST_PER_YEAR
from service.librarian import Librarian
from service.settings import Settings, load_settings

KEY = "k" * 40
REPORT = "shanghai-2022-districts"
PAGED = "paged"
"""A PDF of four pages."""
_KNOWN_KNOCKS = "宝山区有多少家生物医药企业？"
_PDF = Path(__file__).parents[1] / "files" / "pdf" / "sample.pdf"
_FIGURES = {
    "made": "2026-11-21T12:42:23+00:00", "system": "kewen", "split": None, "questions": 2, "answerable": 1,
    "measures": {"Success@5": [0.5, 0.1, 0.9]}, "answers": {}, "by_type": {},
}  # fmt: skip
_SHOWN = 20
_LONGEST_ERROR, _LONGEST_ANSWER = 4_000, 16 << 20
"""Bytes. What is wrong is told in a few words; the longest right answer is that of a model's embeddings."""
_CODES = ("code", "error_code")
_AT_ONCE = 16


def prepare(folder: Path) -> tuple[Settings, Assistant]:
    """A home with one of the shipped reports in its index."""
    reports = folder / "reports"
    reports.mkdir()
    for path in shipped_folder().glob(f"{REPORT}*"):
        (reports / path.name).write_bytes(path.read_bytes())
    manifest = (shipped_folder() / "reports.toml").read_text(encoding="utf-8").split("[[document]]")
    kept = [x for x in manifest if f'"{REPORT}"' in x]
    (reports / "reports.toml").write_text("[[document]]" + kept[0], encoding="utf-8")
    settings = load_settings({"home": folder / "home", "reports": reports, "rate_limit": 0}, {})
    assistant = Assistant(settings)
    assistant.build()
    Librarian(assistant).add([Found(_PDF.name, data=_PDF.read_bytes(), about=About(id=PAGED))])
    evaluations.keep(settings.home, b"<!doctype html>", _FIGURES)
    assistant.answerer()
    return settings, assistant


# -- direct -------------------------------------------------------------------------------------------

NASTY: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 101, 2**31, 2**63, 10**30, 10**4000, 0.5, -0.0, 1e308, float("nan"), float("inf"),
    "", " ", "\0", "\ud800", "\udfff\ud800", "\u202e", "\ufeff", "\n", "'", '"', "../../etc/passwd", "{}", "null", "kewen",
    "𠮷" * 5, "长" * 2001, "a" * 20_000, "１２３", "２０２２年", "近三年", "去年和前年", "从2015年到2022年", "baoshan he minhang",
    "它呢？", "请问", "？", "%s%n", "$(id)", "<script>", "[1]", "﷽" * 9, "e\u0301" * 9, "ﬁ", "㈠第１章①", "百分之二点五",
    [], {}, [[]], [None], {"": None}, [1] * 3000, ["问"] * 300, "hybrid", "generative", "text/html", REPORT, [2022, 2022],
)  # fmt: skip
QUESTIONS = (
    _KNOWN_KNOCKS,
    "2022年各区的重点任务",
    "徐汇和长宁有什么不同？",
    "那2025年呢？",
    "xuhui",
    "企业",
    "How many parks?",
)
BODIES: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/v1/search", {"query": "?", "top_k": 5, "mode": "hybrid", "filters": {"document_ids": [REPORT], "years": [2020, 2024], "series": "x"}, "expansion": True, "literal": False, "ignore": ["year:2022年", "split"], "explain": True}),
    ("POST", "/v1/ask", {"question": "?", "top_k": 3, "mode": "extractive", "filters": {"years": [2020, 2024]}, "history": ["?"], "stream": True, "ignore": ["place:徐汇"]}),
    ("POST", "/v1/compare", {"subject": "?", "aspect": "企业", "filters": {"document_ids": [REPORT], "years": [2020, 2024]}, "per_year": 20, "expansion": True}),
    ("POST", f"/v1/documents/{REPORT}/restore", {}),
    ("POST", "/v1/documents/none/restore", {}),
    ("POST", "/v1/chat/completions", {"model": "kewen", "messages": [{"role": "user", "content": [{"type": "text", "text": "?"}]}], "stream": True, "stream_options": {"include_usage": True}, "kewen": {"top_k": 3, "sources": True}}),
    ("POST", "/v1/embeddings", {"model": "kewen-embedding-query", "input": ["?"], "dimensions": 64, "encoding_format": "base64"}),
    ("POST", "/v1/rerank", {"model": "kewen-rerank", "query": "?", "documents": ["a", {"text": "b"}], "top_n": 1, "return_documents": True}),
    ("POST", "/dify/retrieval", {"knowledge_id": "kewen", "query": "?", "retrieval_setting": {"top_k": 3, "score_threshold": 0.1}, "metadata_condition": {"logical_operator": "and", "conditions": [{"name": "year", "comparison_operator": ">", "value": "2020"}]}}),
    ("POST", "/retrieval", {"knowledge_id": REPORT, "query": "?"}),
    ("POST", "/tools/search", {"query": "?", "top_k": 3}),
    ("POST", "/tools/ask", {"question": "?"}),
    ("POST", "/tools/fetch", {"id": f"{REPORT}:0-100"}),
    ("POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "search", "arguments": {"query": "?"}}}),
    ("PATCH", f"/v1/documents/{REPORT}", {"title": "题", "year": 2022, "series": "s", "kind": "k", "issuer": "i"}),
    ("PATCH", "/v1/documents/none", {"title": "题", "year": 2022}),
)  # fmt: skip
PLAIN: tuple[tuple[str, str], ...] = (
    ("GET", "/v1/documents"), ("GET", f"/v1/documents/{REPORT}"), ("GET", f"/v1/documents/{REPORT}/text?start=5&end=60"),
    ("GET", f"/v1/documents/{REPORT}/file"), ("GET", f"/v1/passages/{REPORT}:0-10"), ("GET", f"/d/{REPORT}?at=5-60,70-80&h=00000000"),
    ("GET", f"/d/{REPORT}?at=5-60&h=00000000&until=9999999999&sign=abc"), ("GET", "/web/source.css"), ("GET", "/widget.js"),
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/v1/models"), ("GET", "/v1/models/kewen"), ("GET", "/openapi.json"),
    ("GET", "/docs"), ("GET", "/static-offline-docs/swagger-ui.css"), ("DELETE", "/v1/documents/none"), ("GET", "/"),
    ("GET", "/tools/openapi.json"), ("OPTIONS", "/v1/ask"), ("TRACE", "/"), ("GET", "/mcp"), ("GET", "/v1/subjects"),
    ("GET", f"/v1/documents/{REPORT}/citation?at=5-60,70-80&h=00000000"), ("GET", f"/v1/documents/{REPORT}?passages=false"),
    ("GET", f"/v1/documents/{PAGED}/citation?at=5-60"), ("GET", f"/v1/documents/{PAGED}/text?start=5&end=900"),
    ("GET", f"/v1/documents/{PAGED}/pages/1?at=5-60&h="), ("GET", f"/v1/documents/{PAGED}/pages/2/image?width=200"),
    ("GET", f"/v1/documents/{REPORT}/pages/1"), ("GET", "/v1/evaluation"), ("GET", "/evaluation"), ("HEAD", "/"),
    ("GET", "/evaluation?until=9999999999&sign=abc"), ("GET", "/web/main.js"), ("GET", "/web/vendor/lit-html/lit-html.js"),
)  # fmt: skip
HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"origin", b"null"), (b"origin", b"http://127.0.0.1:8765"), (b"origin", b"https://evil.example"), (b"origin", b"http://["),
    (b"origin", b"\xff"), (b"authorization", b"Bearer " + b"x" * 5000), (b"authorization", b"Bearer \xff\xfe"),
    (b"authorization", b"Basic eDp5"), (b"authorization", b"Bearer " + KEY.encode()), (b"host", b"evil.example"), (b"host", b"\xff"),
    (b"content-type", b"text/plain"), (b"content-type", b"application/json; charset=utf-16"), (b"content-type", b"\xff"),
    (b"content-type", b"multipart/form-data"), (b"content-type", b"multipart/form-data; boundary=\xff"), (b"content-length", b"-1"),
    (b"content-length", b"9" * 5000), (b"content-length", "５".encode()), (b"range", b"bytes=" + b"0-1," * 1000 + b"0-1"),
    (b"range", b"bytes=9-1"), (b"accept", b"text/event-stream"), (b"accept", b"application/json, text/event-stream"),
    (b"mcp-protocol-version", b"2025-06-18"), (b"sec-fetch-site", b"cross-site"), (b"transfer-encoding", b"gzip"),
    (b"access-control-request-method", b"DELETE"), (b"if-none-match", b"*"), (b"if-modified-since", b"yesterday"),
    (b"x-forwarded-host", b"evil.example"), (b"x" * 3000, b"y" * 30_000), (b"cookie", b"a=b" * 1000), (b"accept-encoding", b"gzip, \xff"),
)  # fmt: skip
TEXTS = ("一、基础\n\n火星区有企业777家。", "# 题\n\n2024年，园区5个。", "")
_PART = b'Content-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'


class Maker:
    """Requests from one seed: `(method, path, query, headers, body)`, each about as often valid as not."""

    def __init__(self, seed: int, changes: float) -> None:
        self.random = random.Random(seed)  # noqa: S311 - it must be repeatable
        self.changes = changes
        """The share of uploads whose content may be new: each is read in a process of its own and published."""

    def one(self) -> tuple[str, str, bytes, list[tuple[bytes, bytes]], bytes]:
        roll = self.random.random()
        if roll < 0.15:
            method, target = self.random.choice(PLAIN)
            request = method, target, b"", b""
        elif roll < 0.30:
            request = "POST", "/v1/documents", *self.form()
        else:
            method, target, body = self.random.choice(BODIES)
            request = method, target, b"application/json", self.json(body)
        method, target, media_type, body = request
        if self.random.random() < 0.1:
            method = self.random.choice(
                ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "ＧＥＴ")
            )
        path, _, query = target.partition("?")
        if self.random.random() < 0.25:
            path = self.mutated_text(path)
        if self.random.random() < 0.3:
            query = self.mutated_text(query)
        headers = [(b"host", b"127.0.0.1:8765"), (b"content-type", media_type)]
        while self.random.random() < 0.25:
            headers.append(self.random.choice(HEADERS))
        return method, path, quote(query, safe="=&,-%+").encode(), headers, body

    def json(self, body: Any) -> bytes:
        body = self.filled(body)
        while self.random.random() < 0.45:
            body = self.changed(body)
        try:
            data = json.dumps(body, ensure_ascii=self.random.random() < 0.5).encode("utf-8", "surrogatepass")
        except ValueError:
            data = b"[" * 50_000
        return self.mutated(data) if self.random.random() < 0.25 else data

    def filled(self, body: Any) -> Any:
        if body == "?":
            return self.random.choice(QUESTIONS)
        if isinstance(body, dict):
            return {
                k: self.filled(v)
                for k, v in body.items()
                if k in ("query", "question", "subject", "model", "messages", "input") or self.random.random() < 0.8
            }
        return [self.filled(x) for x in body] if isinstance(body, list) else body

    def changed(self, body: Any) -> Any:
        """With a value somewhere within replaced, a name added or one taken away."""
        if isinstance(body, dict) and body and self.random.random() < 0.85:
            name = self.random.choice(list(body))
            roll = self.random.random()
            if roll < 0.1:
                return {k: v for k, v in body.items() if k != name}
            if roll < 0.2:
                return {**body, str(self.random.choice(NASTY))[:50]: self.random.choice(NASTY)}
            return {**body, name: self.changed(body[name])}
        if isinstance(body, list) and body and self.random.random() < 0.7:
            n = self.random.randrange(len(body))
            return [*body[:n], self.changed(body[n]), *body[n + self.random.randrange(2) :]]
        return self.random.choice(NASTY)

    def form(self) -> tuple[bytes, bytes]:
        """A multipart body, and its type."""
        boundary = self.random.choice((b"b", b"----x'()+_,./:=?", b"b" * 70, b"b" * 71, b"\xff", b" "))
        parts = []
        for _ in range(self.random.choice((1, 1, 1, 2, 3, 60))):
            name = self.random.choice((b"file",) * 8 + (b"files", b"", b"\xff", b'a"b'))
            file = self.random.choice(FILE_NAMES)
            content = self.random.choice(TEXTS).encode()
            if self.random.random() < self.changes:
                content += str(self.random.random()).encode()
            parts.append(_PART % (name, b'; filename="%s"' % file if self.random.random() < 0.95 else b"", content))
        while self.random.random() < 0.3:
            name = self.random.choice((b"title", b"year", b"id", b"reread", b"series", b"nonsense"))
            value = str(self.random.choice(NASTY)).encode("utf-8", "surrogatepass")
            parts.append(_PART % (name, b"", b"2024" if name == b"year" and self.random.random() < 0.5 else value))
        body = b"".join(b"--" + boundary + b"\r\n" + part for part in parts) + b"--" + boundary + b"--\r\n"
        if self.random.random() < 0.6:
            body = self.mutated(body)
        charset = self.random.choice((b"",) * 6 + (b"; charset=punycode", b"; charset=zlib", b"; charset=undefined"))
        return b'multipart/form-data; boundary="' + boundary + b'"' + charset, body

    def mutated(self, data: bytes) -> bytes:
        for _ in range(self.random.choice((1, 1, 2, 5))):
            at, end = sorted((self.random.randrange(len(data) + 1), self.random.randrange(len(data) + 1)))
            end = min(end, at + self.random.choice((0, 1, 2, 8, 64, 10_000)))
            new = self.random.choice(
                (b"", b"\0", b"\xff", b"\r\n", b'"', b"{", b"--", self.random.randbytes(4), data[at:end] * 2)
            )
            data = data[:at] + new + data[end:]
        return data

    def mutated_text(self, text: str) -> str:
        at = self.random.randrange(len(text) + 1)
        new = self.random.choice(
            (
                "",
                "/",
                "//",
                "..",
                "/../",
                "%2e",
                "\0",
                "\n",
                "中",
                "\ufffd",
                "&at=0-5",
                "?",
                "#",
                "x" * 3000,
                "0",
                "-",
                ",",
            )
        )
        return text[:at] + new + text[at + self.random.choice((0, 0, 1, 5)) :]


FILE_NAMES = (
    b"a.txt", b"a.txt", "报告.md".encode(), "报告.txt".encode("gbk"), b"", b"..", b"../../etc/passwd", b"..\\..\\x.txt", b"C:\\x.txt",
    b"/abs.txt", b"nul\0.txt", b"CON", b"a" * 300 + b".txt", "\u202etxt.exe".encode(), b"%2e%2e%2fx.txt", b"%E6%8A%A5.txt", b".hidden",
    "长".encode() * 300, b"x.pdf", b"x.docx", b"x.html", b"\xff\xfe", "／etc／passwd".encode(), b"a;b.txt", b"a\\\"b.txt",
)  # fmt: skip


class Direct:
    """Sends requests into applications and counts what comes of them."""

    def __init__(self, apps: list[FastAPI], maker: Maker) -> None:
        self.apps, self.maker = apps, maker
        self.statuses: Counter[int] = Counter()
        self.failures: list[str] = []

    async def run(self, is_over: Callable[[int], bool]) -> int:
        """Send until it is over; how many were sent."""
        count = 0
        async with (
            self.apps[0].router.lifespan_context(self.apps[0]),
            self.apps[1].router.lifespan_context(self.apps[1]),
        ):
            while not is_over(count):
                # Some at once, so that they meet: readers of an index that changes, writers that wait for each other.
                sent = [self.send(self.apps[0 if self.maker.random.random() < 0.85 else 1]) for _ in range(_AT_ONCE)]
                await asyncio.gather(*sent)
                count += _AT_ONCE
        return count

    async def send(self, app: FastAPI) -> None:
        method, path, query, headers, body = self.maker.one()
        started: list[Any] = []
        said = bytearray()
        over = asyncio.Event()
        leaves = self.maker.random.random() < 0.02

        async def answered(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.append(message)
                return
            said.extend(message.get("body", b""))
            if not message.get("more_body"):
                over.set()

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": path, "raw_path": quote(path).encode(), "query_string": query, "root_path": "", "headers": headers,
            "client": ("127.0.0.1", 5), "server": ("127.0.0.1", 8765), "state": {},
        }  # fmt: skip
        try:
            await app(scope, self.body(body, leaves, over), answered)
        except Exception as error:
            self.fail(f"{type(error).__name__}: {error}", scope, body)
            return
        statuses = [x["status"] for x in started]
        fault = fault_of(started[0], bytes(said), method) if len(started) == 1 and not leaves else ""
        if len(started) > 1 or max(statuses, default=0) >= 500 or not (started or leaves) or fault:
            self.fail(f"answered {statuses} {fault}", scope, body)
        self.statuses[statuses[0] if statuses else 0] += 1

    def body(self, data: bytes, leaves: bool, over: asyncio.Event) -> Callable[[], Any]:
        """A `receive` that gives the body in pieces; the client `leaves` before its end, or stays until all is over."""
        size = max(self.maker.random.choice((1 << 20, 1 << 20, 1000, 7)), len(data) // 200 + 1)
        places = range(0, max(len(data), 1), size)
        pieces = iter(places[: len(places) // 2] if leaves else places)

        async def receive() -> dict[str, Any]:
            at = next(pieces, None)
            if at is not None:
                return {"type": "http.request", "body": data[at : at + size], "more_body": at + size < len(data)}
            if not leaves:
                await over.wait()
            return {"type": "http.disconnect"}

        return receive

    def fail(self, what: str, scope: dict[str, Any], body: bytes) -> None:
        self.failures.append(what)
        if len(self.failures) <= _SHOWN:
            request = {k: scope[k] for k in ("method", "path", "query_string", "headers")}
            print(f"FAILED {what}\n  {str(request)[:1500]}\n  {body[:600]!r}", flush=True)  # noqa: T201


def fault_of(start: Any, said: bytes, method: str) -> str:
    """What is wrong with an answer: a refusal without a code, or too long; a comparison of more than was asked for."""
    if len(said) > (_LONGEST_ANSWER if start["status"] < 400 else _LONGEST_ERROR):
        return f"with {len(said)} bytes"
    kind = dict(start["headers"]).get(b"content-type", b"").partition(b";")[0]
    if kind != b"application/json":
        # A page says in words what is wrong; with a range that makes no sense Starlette has done so itself.
        is_told = start["status"] < 400 or not said or kind == b"text/html" or b"range" in said.lower()
        return "" if is_told else f"as {kind!r}"
    known = json.loads(said) if said else {}
    if start["status"] >= 400 and method != "HEAD":
        error = known.get("error", known)
        return "" if any(error.get(name) for name in _CODES) else f"without a code: {said[:200]!r}"
    columns = known.get("columns", ()) if isinstance(known, dict) else ()
    return "with too many sentences" if any(len(x["cells"]) > MOST_PER_YEAR for x in columns) else ""


def direct(minutes: float, cases: int, seed: int, changes: float) -> int:
    """Random and mutated requests, for so long or so many; the number of failures."""
    with tempfile.TemporaryDirectory() as folder:
        settings, assistant = prepare(Path(folder))
        apps = [create_app(assistant, settings), create_app(assistant, replace(settings, api_key=KEY))]
        sender = Direct(apps, Maker(seed, changes))
        started = time.monotonic()
        end = started + 60 * minutes
        count = asyncio.run(sender.run(lambda n: n >= cases if cases else time.monotonic() > end))
        seconds = time.monotonic() - started
    said = ", ".join(f"{status}: {n}" for status, n in sorted(sender.statuses.items()))
    print(f"{count} requests in {seconds:.0f} s ({count / seconds:.0f} a second), seed {seed}. {said}")  # noqa: T201
    print(f"{len(sender.failures)} failures")  # noqa: T201
    return len(sender.failures)


# -- schemathesis -------------------------------------------------------------------------------------


class Described:
    """Makes requests from the API's description and checks every answer against it."""

    def __init__(self, app: FastAPI, known: dict[str, str], examples: int, seed: int, end: float) -> None:
        self.app, self.known, self.examples, self.seed, self.end = app, known, examples, seed, end
        self.counts: Counter[str] = Counter()
        self.accepted: Counter[str] = Counter()
        self.failures: set[str] = set()

    def run(self) -> None:
        import schemathesis
        from schemathesis.generation import GenerationMode

        described = schemathesis.openapi.from_asgi("/openapi.json", self.named)
        for result in described.get_all_operations():
            operation = result.ok()
            places = [x for x in self.known if f"{{{x}}}" in operation.path and operation.method != "delete"]
            for mode in GenerationMode:
                self.turn(operation, mode, {})
                if places:
                    self.turn(operation, mode, {x: self.known[x] for x in places})

    async def named(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application under a name that it answers to; schemathesis has one of its own."""
        headers = [(k, v) for k, v in scope.get("headers", []) if k != b"host"]
        await self.app({**scope, "headers": [*headers, (b"host", b"127.0.0.1")]}, receive, send)

    def turn(self, operation: Any, mode: Any, known: dict[str, str]) -> None:
        """Requests to one operation, all valid or all not; of a document that is there, where it is `known`."""
        import hypothesis

        if time.monotonic() >= self.end:
            return
        name = f"{operation.label} {mode.value}{' known' if known else ''}"
        self.counts[name] += 0

        @hypothesis.seed(self.seed)
        @hypothesis.settings(
            max_examples=self.examples,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
            phases=[hypothesis.Phase.generate],
        )
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode, path_parameters=known or None))
        def check(case: Any) -> None:
            if time.monotonic() < self.end:
                self.counts[name] += 1
                self.ask(name, case)

        with suppress(hypothesis.errors.Unsatisfiable):  # there is no invalid request to an operation without input
            check()

    def ask(self, name: str, case: Any) -> None:
        from schemathesis.core.failures import FailureGroup
        from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

        response = case.call()
        self.accepted[name] += response.status_code < 400
        try:
            # A valid request may name a report or a year that isn't there, or send what is no document; and a form has
            # no types: what should be a text and is null arrives as the text "null".
            is_form = case.media_type == "multipart/form-data"
            excluded = [positive_data_acceptance, *([negative_data_rejection] if is_form else [])]
            case.validate_response(response, excluded_checks=excluded)
        except FailureGroup as group:
            for failure in group.exceptions:
                what = f"{name}: {type(failure).__name__} {response.status_code}"
                if what not in self.failures:
                    self.failures.add(what)
                    print(f"FAILED {what}\n{failure}\n{case.as_curl_command()[:800]}\n", flush=True)  # noqa: T201


def schema(examples: int, minutes: float, seed: int) -> int:
    """Requests made from the API's description; the number of kinds of failure."""
    with tempfile.TemporaryDirectory() as folder:
        settings, assistant = prepare(Path(folder))
        end = time.monotonic() + 60 * minutes if minutes else float("inf")
        Librarian(assistant).add([Found("own.md", data=TEXTS[1].encode())])
        _, passages, _ = assistant.document("own")
        known = {"document_id": "own", "passage_id": passages[0].id, "model": "kewen"}
        asking = Described(create_app(assistant, settings), known, examples, seed, end)
        asking.run()
    for name, count in asking.counts.items():
        print(f"{count:7} {name}, {asking.accepted[name]} accepted")  # noqa: T201
    print(f"{sum(asking.counts.values())} requests, {len(asking.failures)} kinds of failure")  # noqa: T201
    return len(asking.failures)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.api_fuzz")
    parser.add_argument("mode", choices=("direct", "schema"))
    parser.add_argument("--minutes", type=float, default=0, help="at most so long; direct: so long, 1 if not given")
    parser.add_argument("--cases", type=int, default=0, help="direct: so many requests instead")
    parser.add_argument(
        "--examples", type=int, default=100, help="schema: so many requests an operation, valid and not"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--changes", type=float, default=0.002, help="direct: the share of sent files that are new")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if given.mode == "schema":
        return 1 if schema(given.examples, given.minutes, given.seed) else 0
    return 1 if direct(given.minutes or 1, given.cases, given.seed, given.changes) else 0


if __name__ == "__main__":
    sys.exit(main())

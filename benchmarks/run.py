"""Speed and memory, as ratios against a reference in the same run: `python benchmarks/run.py`.

Cold start is compared with importing a transformer library, queries with bm25s over the same terms.
Medians over the given number of runs; needs `pip install -e ".[test]"`.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import bm25s
import httpx
import numpy as np

from corpus.library import Library, shipped_folder
from index.build import build_index
from index.context import passage_text
from index.encoders import BundledEncoder
from index.generations import GenerationStore
from index.interaction import Bag, share
from index.search import HybridRetriever
from index.segment import characters, words
from index.snapshot import Snapshot
from service.answering import POOL
from service.assistant import Assistant
from service.settings import load_settings

QUESTIONS = (
    "宝山区有多少家生物医药企业？",
    "which park works on medical robots?",
    "先投后股是什么意思",
    "漕河泾园的先导产业",
    "2030年技术合同成交额年均增长多少",
    "科普活动一年办多少场",
)


LAUNCHER = """
import os, subprocess, sys, time
started = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(time.perf_counter() - started, usage.ru_maxrss, os.waitstatus_to_exitcode(status))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        report("index build of the five reports, s", [build_seconds(home / str(n)) for n in range(runs)])
        cold_start(home / "0", runs)
        queries(home / "0", runs)
        answers(home / "0", runs)
        encoding(home / "0", runs)
        served(home / "0", runs)


def build_seconds(home: Path) -> float:
    return timed(lambda: build_index(Library(shipped_folder()), GenerationStore(home / "index"), BundledEncoder()))


def cold_start(home: Path, runs: int) -> None:
    """Whole processes, in turn, so that a change of the machine's speed hits both alike."""
    ask = [sys.executable, "-m", "service.cli", "ask", QUESTIONS[0], "--home", str(home)]
    library = [sys.executable, "-c", "import sentence_transformers"]
    pairs = [(process(ask), process(library)) for _ in range(runs + 1)][1:]
    report("kewen ask, cold process, s", [a[0] for a, _ in pairs])
    report("kewen ask, peak memory, MB", [a[1] for a, _ in pairs])
    report("import sentence_transformers alone, s", [b[0] for _, b in pairs])
    report("ratio of the two times", [a[0] / b[0] for a, b in pairs])


def queries(home: Path, runs: int) -> None:
    snapshot = Snapshot.load(GenerationStore(home / "index").open()[0])
    retriever = HybridRetriever(snapshot, BundledEncoder())
    texts = []
    for row in snapshot.rows:
        document = snapshot.documents[row.passage.document_id]
        texts.append(passage_text(document.title, document.year, row.passage))
    reference = bm25s.BM25(method="lucene")
    reference.index([characters(text) + words(text) for text in texts], show_progress=False)
    ours, theirs = [], []
    for _ in range(runs * 20):
        for question in QUESTIONS:
            ours.append(timed(lambda q=question: retriever.search(retriever.understand(q))) * 1000)
            terms = [x for x in characters(question) + words(question) if x in reference.vocab_dict]
            theirs.append(
                timed(lambda t=terms: reference.retrieve([t or [texts[0][0]]], k=5, show_progress=False)) * 1000
            )
    report("hybrid query, ms", ours)
    report("bm25s query over the same terms, ms", theirs)
    report("ratio of the two times", [a / b for a, b in zip(ours, theirs, strict=True)])


def answers(home: Path, runs: int) -> None:
    """The extractive answer beside the search that it rests on, in one process."""
    assistant = Assistant(load_settings({"home": home}))
    answerer = assistant.answerer()
    searched, added = [], []
    for _ in range(runs * 20):
        for question in QUESTIONS:
            query = answerer.retriever.understand(question)
            search = timed(lambda q=query: answerer.retriever.search(q, POOL)) * 1000
            whole = timed(lambda q=question: assistant.ask(q)) * 1000
            searched.append(search)
            added.append(whole - search)
    report("search of the pool of an answer, ms", searched)
    report("what the extractive answer adds, ms", added)
    report("what it adds, as a share of the search", [a / b for a, b in zip(added, searched, strict=True)])


def encoding(home: Path, runs: int) -> None:
    """The bundled encoder alone, and late interaction over 200 candidates beside BM25 over all passages."""
    encoder = BundledEncoder()
    snapshot = Snapshot.load(GenerationStore(home / "index").open()[0])
    texts = [row.passage.text for row in snapshot.rows]
    report(
        "passages encoded, a second", [len(texts) / timed(lambda: encoder.encode_passages(texts)) for _ in range(runs)]
    )
    report("question encoded, ms", [timed(partial(encoder.encode_queries, [q])) * 1000 for q in QUESTIONS * runs])
    rows = np.arange(min(200, len(texts)))
    words_of = [view.words for view in (snapshot.plain, snapshot.expanded) if view.words]

    def interact(question: str) -> None:
        bag = Bag.of(encoder, question)
        share(np.maximum.reduce([words.matches(bag, rows) for words in words_of]), bag.weights)

    report("late interaction, 200 candidates, ms", [timed(partial(interact, q)) * 1000 for q in QUESTIONS * runs])
    lexical = snapshot.expanded.lexical
    every = np.arange(lexical.size)

    def score(question: str) -> None:
        lexical.shares(lexical.prepare(question), every)

    report("BM25 of one view, all passages, ms", [timed(partial(score, q)) * 1000 for q in QUESTIONS * runs])


def served(home: Path, runs: int) -> None:
    """One client over HTTP, its connection kept open; then fifty at once."""
    command = [sys.executable, "-m", "service.cli", "serve", "--port", "0", "--home", str(home)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, encoding="utf-8") as server:  # noqa: S603
        address = re.search(r"http://[\d.:]+", server.stderr.readline() if server.stderr else "")
        if address is None:
            raise SystemExit("the service did not start")
        try:
            one_client(address.group(), runs)
            asyncio.run(many_clients(address.group(), runs))
        finally:
            server.terminate()


def one_client(address: str, runs: int) -> None:
    searched, first, whole = [], [], []
    with httpx.Client(base_url=address) as client:
        for n in range(runs * 20 + 1):
            for question in QUESTIONS:
                search = timed(lambda q=question: client.post("/v1/search", json={"query": q})) * 1000
                started = time.perf_counter()
                with client.stream("POST", "/v1/chat/completions", json=chat(question)) as response:
                    chunks = response.raise_for_status().iter_raw()
                    next(chunks)
                    to_first = (time.perf_counter() - started) * 1000
                    list(chunks)
                if n:  # the first round opens the index's pages
                    searched.append(search)
                    first.append(to_first)
                    whole.append((time.perf_counter() - started) * 1000)
    report("query over HTTP, ms", searched)
    report("chat answer, first streamed byte, ms", first)
    report("chat answer, last streamed byte, ms", whole)
    report("first byte, ratio to the query", [x / y for x, y in zip(first, searched, strict=True)])


async def many_clients(address: str, runs: int) -> None:
    """Fifty streams begun in one moment: how long the last of them takes."""
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:

        async def one(question: str) -> None:
            response = await client.post("/v1/chat/completions", json=chat(question))
            if response.raise_for_status().text.rsplit("\n\n", 2)[1] != "data: [DONE]":
                raise SystemExit("a stream did not end")

        times = []
        for _ in range(runs):
            started = time.perf_counter()
            await asyncio.gather(*(one(QUESTIONS[n % len(QUESTIONS)]) for n in range(50)))
            times.append((time.perf_counter() - started) * 1000)
    report("50 chat streams at once, all done, ms", times)


def chat(question: str) -> dict[str, object]:
    return {"model": "kewen", "stream": True, "messages": [{"role": "user", "content": question}]}


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def process(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak megabytes of one process.

    A small launcher starts it: a child's peak never reads lower than its parent's memory at the fork.
    """
    run = subprocess.run([sys.executable, "-c", LAUNCHER, *command], capture_output=True, text=True, check=True)  # noqa: S603
    seconds, kilobytes, code = (float(x) for x in run.stdout.split())
    if code:
        raise SystemExit(f"{command} exited with {code:.0f}")
    return seconds, kilobytes / 1024


def report(name: str, values: list[float]) -> None:
    low, high = min(values), max(values)
    print(f"{name:<45} median {statistics.median(values):8.3f}   min {low:8.3f}   max {high:8.3f}")  # noqa: T201


if __name__ == "__main__":
    main()

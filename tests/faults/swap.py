"""Sixteen clients ask a service while documents are added, replaced and removed: every answer is of one state.

    python -m tests.faults.swap --seconds 60

Every quote must stand, at its place, in the text that its document had in the generation that the answer names; every
document of an answer must be in it; what was removed is in no answer that begins after the removal was reported.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from typing import Any

from service.assistant import Assistant
from tests.faults.common import QUESTIONS, Bench, State, Tally, bench, in_process, opened
from tests.live import serving

CLIENTS = 16
_QUIET = 0.25
"""The share of the time in which nothing is changed, to compare with."""


@dataclass
class Log:
    """What was published and what was answered; checked when all is over."""

    states: dict[str, State] = field(default_factory=dict)
    removed: dict[str, float] = field(default_factory=dict)
    """Marked words of a removed document → when its removal was reported."""
    answers: list[tuple[float, float, dict[str, Any]]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def ask(url: str, question: str) -> dict[str, Any]:
    body = json.dumps({"query": question, "top_k": 10}).encode()
    request = urllib.request.Request(f"{url}/v1/search", body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own service
        return dict(json.loads(response.read()))


def client(url: str, log: Log, stop: threading.Event, number: int) -> None:
    n = number
    while not stop.is_set():
        began = time.monotonic()
        try:
            found = ask(url, QUESTIONS[n % len(QUESTIONS)])
        except Exception as error:  # whatever it is, it is a miss
            log.errors.append(repr(error))
        else:
            log.answers.append((began, time.monotonic() - began, found))
        n += 1


def change(bench: Bench, writer: Assistant, log: Log, stop: threading.Event, rng: random.Random) -> int:
    """Add, replace and remove documents until told to stop; each text has words that no other has."""
    from corpus.intake import About, find_files
    from service.librarian import Librarian

    librarian, here, changes = Librarian(writer), dict[str, str](), 0
    while not stop.is_set():
        changes += 1
        if len(here) >= 3 or (here and rng.random() < 0.4):
            name = rng.choice(sorted(here))
            report = librarian.remove([name])
            log.removed[here.pop(name)] = time.monotonic()
        else:
            name = rng.choice([f"p{n}" for n in range(4)])
            mark = f"丙区拥有高新技术企业{changes}家"
            path = bench.folder / f"{name}.txt"
            path.write_text(f"丙区报告{name}\n\n一、情况\n\n2025年，{mark}。\n", encoding="utf-8")
            report = librarian.add(find_files([str(path)], About(id=name)))
            if name in here:
                log.removed[here[name]] = time.monotonic()
            here[name] = mark
        log.states[report.generation] = opened(writer)
    return changes


def check(log: Log, tally: Tally) -> None:
    """Every answer against the state that it names, and against what had been removed when it was asked for."""
    for began, _, found in log.answers:
        state = log.states.get(found["generation"])
        if state is None:
            tally.fault(f"an answer of {found['generation']}, which was never reported")
            continue
        for hit in found["hits"]:
            citation = hit["citation"]
            text = state.get(citation["document_id"])
            if text is None:
                tally.fault(f"{citation['document_id']} is not in {found['generation']}")
            elif "".join(text[a:b] for a, b in citation["spans"]) != hit["text"]:
                tally.fault(f"{hit['passage_id']} is not what {found['generation']} holds there")
            gone = [x for x, when in log.removed.items() if when < began and f"{x}。" in hit["text"]]
            if gone:
                tally.fault(f"{gone[0]} was removed before it was asked for")
    for error in log.errors:
        tally.fault(error)


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000


def swaps(bench: Bench, seconds: float, tally: Tally, rng: random.Random, clients: int = CLIENTS) -> None:
    """A quiet stretch, then one with changes; counts and times go into the tally."""
    home = bench.home("home", "b")
    log, stop = Log(), threading.Event()
    writer = bench.assistant(home)
    log.states[writer.retriever().snapshot.name] = opened(writer)
    serves = bench.assistant(home, lambda line: log.errors.append(line) if "警告" in line else None)
    with serving(replaced(serves.settings, rate_limit=0), serves) as url, in_process():
        threads = [threading.Thread(target=client, args=(url, log, stop, n)) for n in range(clients)]
        for thread in threads:
            thread.start()
        time.sleep(seconds * _QUIET)
        began, before = time.monotonic(), len(log.answers)
        changing = threading.Event()
        threading.Timer(seconds * (1 - _QUIET), changing.set).start()
        changes = change(bench, writer, log, changing, rng)
        stop.set()
        for thread in threads:
            thread.join()
    check(log, tally)
    quiet = [took for _, took, _ in log.answers[:before]]
    busy = [took for start, took, _ in log.answers[before:] if start >= began]
    tally.count("changes", changes)
    tally.count("answers while nothing changed", len(quiet))
    tally.count("answers during the changes", len(busy))
    tally.count("generations answered from", len({x["generation"] for *_, x in log.answers}))
    for name, values in (("nothing changed", quiet), ("changes", busy)):
        tally.count(f"p50 in ms, {name}", round(percentile(values, 0.5)))
        tally.count(f"p99 in ms, {name}", round(percentile(values, 0.99)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    started, tally = time.monotonic(), Tally.named("swaps under load")
    with bench() as place:
        swaps(place, given.seconds, tally, random.Random(given.seed))  # noqa: S311
    return tally.close(started)


if __name__ == "__main__":
    sys.exit(main())

"""A process of its own that makes segments for a build: `python -m index.worker`, started by `index.crew`.

It is told on its standard input, a line of JSON each, first where everything is and then which documents to take; it says on
its standard output which documents and which segments are done. It ends with its input, in the middle of its work too: the
build is gone then, however that ended, and another one may be at work by now.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any, TextIO

from corpus.library import Library
from corpus.store import DocumentStore
from index.derive import Vectors
from index.encoders import load_encoder
from index.making import Maker, Read
from index.shelf import Shelf
from index.storage import IndexProblem
from index.unfinished import UnfinishedBuild


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches us too, but it is the build that ends us
    # What a library prints must not stand between our lines.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    told: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(told,), daemon=True).start()
    work(told, answers)


def _listen(told: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        told.put(line)
    os._exit(1)  # not only this thread


def work(told: queue.SimpleQueue[str], answers: TextIO) -> None:
    """Do what is told, one job after the other; ends only where a segment can't be written."""

    def say(**about: Any) -> None:
        answers.write(json.dumps(about) + "\n")
        answers.flush()

    job = json.loads(told.get())
    store = DocumentStore(Path(job["store"])) if job["store"] else None
    library = Library(Path(job["reports"]), store)
    entries = {entry.id: entry for entry in library}
    unfinished = UnfinishedBuild(Path(job["building"]), job["made_by"])
    vectors = Vectors(load_encoder(job["encoder"]), ())

    def keep(shelf: Shelf) -> None:
        say(segment=unfinished.write(shelf))

    def heard(read: Read) -> None:
        say(id=read.id, passages=read.passages, message=read.message, code=read.code)

    while True:
        wanted = [entries[x] for x in json.loads(told.get()) if x in entries]
        maker = Maker(vectors, keep, heard)
        try:
            maker.read(library, wanted)
            maker.end()
        except IndexProblem as problem:
            say(problem=problem.code, message=problem.message)
            return
        say(done=len(wanted), embedded=vectors.embedded)


if __name__ == "__main__":
    main()

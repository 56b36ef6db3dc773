"""A process of its own that makes segments for a build: `python -m index.worker`, started by `index.crew`.

It is told on its standard input, a line of JSON each, first where everything is and then which documents to take; it says on
its standard output which documents and which segments are done. It ends with its input: it never outlives the build.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from corpus.library import Library
from corpus.store import DocumentStore
from index.derive import Vectors
from index.encoders import load_encoder
from index.making import Maker, Read
from index.shelf import Shelf
from index.storage import IndexProblem
from index.unfinished import UnfinishedBuild


def main() -> None:
    job = json.loads(sys.stdin.readline())
    store = DocumentStore(Path(job["store"])) if job["store"] else None
    library = Library(Path(job["reports"]), store)
    entries = {entry.id: entry for entry in library}
    unfinished = UnfinishedBuild(Path(job["building"]), job["made_by"])
    vectors = Vectors(load_encoder(job["encoder"]), ())

    def keep(shelf: Shelf) -> None:
        say(segment=unfinished.write(shelf))

    def heard(read: Read) -> None:
        say(id=read.id, passages=read.passages, message=read.message, code=read.code)

    for line in sys.stdin:
        wanted = [entries[x] for x in json.loads(line) if x in entries]
        maker = Maker(vectors, keep, heard)
        try:
            maker.read(library, wanted)
            maker.end()
        except IndexProblem as problem:
            say(problem=problem.code, message=problem.message)
            return
        say(done=len(wanted), embedded=vectors.embedded)


def say(**about: Any) -> None:
    sys.stdout.write(json.dumps(about) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

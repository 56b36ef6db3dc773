"""Expansions: what people might ask of a passage, written once by a language model, kept beside the document.

Retrieval-only text: it is searched, and shown as why a passage was found; it is never quoted and never cited
(document expansion by query prediction: Nogueira and Lin, "From doc2query to docTTTTTquery", 2019). A question
also names the passage's own words that answer it: those are source text, and used only where they stand in it.

The file `{document id}.expansions.jsonl` holds one passage a line. A line belongs to the passage whose text has
its sha256: where the text has changed since, the line is stale and not used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from corpus.types import Passage

ExpansionKind = Literal["question", "keywords", "names"]
LONGEST = 300
"""Characters of one expansion."""

MOST = 64
"""Expansions of one passage."""

MOST_ANSWERS = 8
"""Pieces of a passage that answer one question."""


@dataclass(frozen=True, slots=True)
class Expansion:
    """One way to ask for a passage. `origin` says who wrote it, and from what.

    `answers` are the words of the passage that answer it, verbatim; none where that is unknown.
    """

    kind: ExpansionKind
    language: str
    text: str
    origin: str
    answers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in get_args(ExpansionKind):
            raise ValueError(f"kind {self.kind!r} is none of {get_args(ExpansionKind)}")
        if self.language not in ("zh", "en"):
            raise ValueError(f"language {self.language!r} is neither zh nor en")
        for text in (self.text, self.origin):
            if not isinstance(text, str) or not text.strip() or len(text) > LONGEST or not text.isprintable():
                raise ValueError(f"text and origin have 1 to {LONGEST} printable characters, on one line")
        if len(self.answers) > MOST_ANSWERS or not all(isinstance(x, str) and x.strip() for x in self.answers):
            raise ValueError(f"answers are at most {MOST_ANSWERS} pieces of text")


def expansions_path(folder: Path, document_id: str) -> Path:
    """Where the expansions of a document stand: beside it."""
    return folder / f"{document_id}.expansions.jsonl"


def passage_key(passage: Passage) -> str:
    """What ties expansions to a passage: the sha256 of its text, so that moving it loses nothing."""
    return hashlib.sha256(passage.text.encode("utf-8")).hexdigest()


def read_expansions(path: Path) -> tuple[dict[str, tuple[Expansion, ...]], list[int]]:
    """Passage key → its expansions, and the numbers of the lines that can't be read; nothing where no file is.

    A broken line costs its passage the expansions and nothing else: a writer that was killed leaves one.

    Raises:
        OSError: the file is there and can't be read.
    """
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except FileNotFoundError:
        return {}, []
    found: dict[str, tuple[Expansion, ...]] = {}
    broken: list[int] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line.decode("utf-8"))
            texts = tuple(_expansion(x, record["origin"]) for x in record["expansions"])
            if len(texts) > MOST:
                raise ValueError(f"more than {MOST} expansions")
            found[str(record["text_sha256"])] = texts
        except (UnicodeDecodeError, ValueError, KeyError, TypeError, RecursionError):
            broken.append(number)
    return found, broken


def expansions_line(passage: Passage, expansions: Sequence[Expansion]) -> bytes:
    """One line of the file; all of a line's expansions have one origin."""
    record = {
        "passage_id": passage.id,
        "text_sha256": passage_key(passage),
        "origin": expansions[0].origin if expansions else "",
        "expansions": [{k: v for k, v in asdict(x).items() if k != "origin" and v != ()} for x in expansions],
    }
    return (json.dumps(record, ensure_ascii=False) + "\n").encode("utf-8")


def match_expansions(
    passages: Iterable[Passage], known: Mapping[str, tuple[Expansion, ...]]
) -> tuple[list[tuple[Expansion, ...]], int]:
    """The expansions of each passage, and how many of the known lines fit no passage: their text has changed.

    An answer that doesn't stand in its passage exactly once is dropped.
    """
    passages = list(passages)
    if not known:
        return [()] * len(passages), 0
    keys = [passage_key(passage) for passage in passages]
    found = [
        tuple(
            replace(x, answers=tuple(a for a in x.answers if stands_once(a, passage.text))) for x in known.get(key, ())
        )
        for passage, key in zip(passages, keys, strict=True)
    ]
    return found, len(known.keys() - set(keys))


def stands_once(piece: str, text: str) -> bool:
    """Whether a piece of text stands in another exactly once, overlaps counted."""
    first = text.find(piece)
    return first >= 0 and text.find(piece, first + 1) < 0


def _expansion(record: Mapping[str, Any], origin: str) -> Expansion:
    return Expansion(**{**record, "origin": origin, "answers": tuple(record.get("answers", ()))})

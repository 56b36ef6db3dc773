"""Encoders: the bundled one, which needs no torch, and any sentence-transformers model."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from collections.abc import Sequence
from importlib.resources import files
from itertools import chain, pairwise
from pathlib import Path

import numpy as np

from corpus.types import Span
from index.groups import Groups
from index.segment import is_han, normalise, runs
from index.transformer import SentenceTransformerEncoder, prompts_of
from index.types import Encoder, EncoderUnavailable, Floats, Ints
from index.vectors import map_tensors, unit_rows

__all__ = [
    "BUNDLED",
    "BundledEncoder",
    "EncoderUnavailable",
    "SentenceTransformerEncoder",
    "damaged_files",
    "load_encoder",
    "prompts_of",
    "read_fingerprint",
    "unit_rows",
]

BUNDLED = "bundled"


def load_encoder(name: str) -> Encoder:
    """`bundled`, or a sentence-transformers model by name or path.

    Raises:
        EncoderUnavailable: there is no such model here and it can't be fetched, or its library is missing.
    """
    return BundledEncoder() if name == BUNDLED else SentenceTransformerEncoder(name)


class BundledEncoder:
    """Vectors of words, Chinese and English in one space, learnt for late interaction; see `bundled/README.md`.

    A text is its distinct words. Words that the vocabulary lacks, numbers above all, get a vector made from a hash
    of their letters: they match themselves and little else.
    """

    def __init__(self, folder: Path | None = None) -> None:
        from tokenizers import Tokenizer

        self.is_shipped = folder is None
        folder = folder or Path(str(files("index"))) / "bundled"
        try:
            self.fingerprint = read_fingerprint(folder)
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            tensors = map_tensors(folder / "model.safetensors")
            self._rows, self._scales, self._weights = (np.asarray(tensors[x]) for x in _TENSORS)
        except Exception as error:  # tokenizers raises bare Exception
            raise EncoderUnavailable(
                f"随附的编码器不完整（{folder.name}：{type(error).__name__}）。请重新获取本项目的 index/bundled/。"
            ) from error
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self.name = BUNDLED
        self.size, self.dim = (int(n) for n in self._rows.shape)

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        """float32 `[len(texts), dim]`, as `Encoder` says: the weighted mean of the words."""
        return self.means(self._bags(texts))

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        """float32 `[len(texts), dim]`, as `Encoder` says: the weighted mean of the words."""
        return self.means(self._bags(texts))

    def units(self, texts: Sequence[str]) -> list[Ints]:
        """The distinct words of each text as ids, int64, rising."""
        bags = self._bags(texts)
        return np.split(bags.values, bags.starts[1:-1]) if bags.size else []

    def line_units(self, han: Sequence[str], latin: Sequence[str], lines: Ints) -> Groups:
        """The words of lines that are cut into runs already, as `LineEncoder` says."""
        encodings = self._tokenizer.encode_batch_fast(han, add_special_tokens=False)
        words = Groups.of([encoding.ids for encoding in encodings])
        is_known = words.values != _UNKNOWN
        named = {run: [unit for unit, _ in self._latin(run)] for run in set(latin)}
        names = Groups.of([named[run] for run in latin])
        owners = np.concatenate([words.owners()[is_known], np.repeat(lines, names.lengths)])
        return Groups.sorted_from(owners, np.concatenate([words.values[is_known], names.values]), len(han))

    def means(self, bags: Groups) -> Floats:
        """float32 `[bags, dim]`: the weighted means of distinct words, as unit vectors."""
        units, places = np.unique(bags.values, return_inverse=True)
        vectors, weights = self.unit_vectors(units), self.unit_weights(units)
        means = np.zeros((bags.size, self.dim), dtype=np.float32)
        # One small product a text: a large one for many texts would mostly multiply zeros, and reduceat is slower.
        for n, (start, end) in enumerate(pairwise(bags.starts.tolist())):
            chosen = places[start:end]
            np.dot(weights[chosen], vectors[chosen], out=means[n])
        return unit_rows(means)

    def _bags(self, texts: Sequence[str]) -> Groups:
        split = [runs(normalise(text)) for text in texts]
        han = [" ".join(run for run in pieces if is_han(run)) for pieces in split]
        latin = [[run for run in pieces if not is_han(run)] for pieces in split]
        lines = np.repeat(np.arange(len(texts)), [len(x) for x in latin])
        return self.line_units(han, list(chain.from_iterable(latin)), lines).distinct()

    def located(self, pieces: Sequence[str]) -> list[list[tuple[int, Span]]]:
        """The words of each run of normalised text, in order: its id as `units` gives it, and where it stands in the run."""
        found: list[list[tuple[int, Span]]] = []
        for run in pieces:
            if is_han(run):
                encoding = self._tokenizer.encode(run, add_special_tokens=False)
                words = zip(encoding.ids, encoding.offsets, strict=True)
                found.append([(unit, span) for unit, span in words if unit != _UNKNOWN])
            else:
                found.append(self._latin(run))
        return found

    def unit_vectors(self, units: Ints) -> Floats:
        """float32 `[len(units), dim]`, rows of length 1."""
        rows = self._row(units)
        vectors: Floats = self._rows[rows].astype(np.float32) * self._scales[rows, None]
        hashed = np.flatnonzero(units >= self.size)
        vectors[hashed] += _signs((units[hashed] - self.size) // 2, self.dim)
        return unit_rows(vectors)

    def unit_weights(self, units: Ints) -> Floats:
        """What each word counts in a question, float32 `[len(units)]`."""
        weights: Floats = np.asarray(self._weights[self._row(units)], dtype=np.float32)
        return weights

    def _row(self, units: Ints) -> Ints:
        """Rows of the table: the shared ones of numbers and names for what is hashed."""
        return np.where(units < self.size, units, np.where((units - self.size) % 2 == 0, _NUMBER, _NAME))

    def _latin(self, run: str) -> list[tuple[int, Span]]:
        """The words of a run of letters and digits, and where they stand: the run itself if it is one, else its parts."""
        known = self._tokenizer.token_to_id(run)
        if known is not None:
            return [(known, (0, len(run)))]
        return [(self._piece(match.group()), match.span()) for match in _PIECES.finditer(run)]

    def _piece(self, piece: str) -> int:
        for ending, instead in _ENDINGS:
            if piece.endswith(ending) and (not ending or len(piece) - len(ending) > 2):
                known = self._tokenizer.token_to_id(piece.removesuffix(ending) + instead)
                if known is not None:
                    return int(known)
        is_name = not piece[0].isdigit()
        return self.size + 2 * (zlib.crc32(piece.encode("utf-8")) % _HASHES) + is_name


_TENSORS = ("embeddings", "scales", "weights")
_UNKNOWN, _NUMBER, _NAME = 0, 1, 2
_HASHES = 2**24
_PIECES = re.compile(r"[^\W\d_]+|\d+(?:\.\d+)?")
# English inflections, the word as it stands first.
_ENDINGS = (("", ""), ("ies", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ed", ""), ("ing", "e"), ("ed", "e"))


def _signs(numbers: Ints, dim: int) -> Floats:
    """±1/√dim, float32 `[len(numbers), dim]`, from hashes: vectors of different words are all but at right angles."""
    digests = [hashlib.blake2b(n.to_bytes(8, "little"), digest_size=dim // 8).digest() for n in numbers.tolist()]
    bits = np.unpackbits(np.frombuffer(b"".join(digests), dtype=np.uint8)).reshape(-1, dim).astype(np.float32)
    signs: Floats = (bits * 2 - 1) / np.float32(np.sqrt(dim))
    return signs


def read_fingerprint(folder: Path) -> str:
    """The fingerprint of an encoder's folder: of the sha256 sums that its `files.json` lists."""
    sums = json.loads((folder / "files.json").read_text(encoding="utf-8"))
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode("utf-8")).hexdigest()


def damaged_files(folder: Path) -> list[str]:
    """The files of an encoder's folder whose bytes are not those that `files.json` lists."""
    sums = json.loads((folder / "files.json").read_text(encoding="utf-8"))
    return [
        name
        for name, sha256 in sums.items()
        if not (folder / name).is_file() or hashlib.sha256((folder / name).read_bytes()).hexdigest() != sha256
    ]

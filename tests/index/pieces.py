"""Libraries of many small documents, cut from the shipped reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from corpus.expansions import Expansion, expansions_line, expansions_path
from corpus.library import Library, shipped_folder
from index.build import document_part

QUESTIONS = (
    "宝山区有多少家生物医药企业？",
    "先投后股",
    "嘉定区汽车产业规模",
    "张江科学城集聚了哪些高新技术企业",
    "2030年的目标是什么",
    "G60科创走廊",
    "How many biomedical companies",
    "有哪些人才政策",
)


def cut(size: int = 900) -> dict[str, str]:
    """Texts by document id, each with a word that is in no other: `独词` and its id."""
    texts = {}
    for path in sorted(shipped_folder().glob("*.txt")):
        lines, piece, n = path.read_text(encoding="utf-8").splitlines(), "", 0
        for line in [*lines, None]:
            if line is not None:
                piece += line + "\n"
            if piece and (line is None or len(piece) >= size):
                name = f"{path.stem[:12]}-{n:02d}"
                texts[name] = f"{name}\n\n{piece}\n独词{name}。\n"
                piece, n = "", n + 1
    return texts


def written(folder: Path, texts: Mapping[str, str], enriched: Iterable[str] = ()) -> Library:
    """A library of these documents, in this order; those that are `enriched` have expansions."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    lines = []
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8", newline="")
        known = {"id": name, "file": f"{name}.txt", "title": f"报告{name}", "series": "系列", "kind": "报告"}
        lines += ["[[document]]", "year = 2024", *(f'{k} = "{v}"' for k, v in known.items())]
    (folder / "reports.toml").write_text("\n".join(lines), encoding="utf-8")
    library = Library(folder)
    for entry in library:
        if entry.id in enriched:
            passages = document_part(library.read(entry))[1]
            asked = [
                [Expansion("question", "zh", f"{''.join(x.text.split())[:12]}有多少，是什么", "测试")] for x in passages
            ]
            lines_of = map(expansions_line, passages, asked)
            expansions_path(folder, entry.id).write_bytes(b"".join(lines_of))
    return library

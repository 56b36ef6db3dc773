"""Libraries of a thousand to a million passages: `python benchmarks/texts.py --passages 100000 --folder FOLDER`.

A library is a folder of reports with `reports.toml`, as kewen reads it. Its first five reports are the shipped ones as
they are, so that questions about them have answers. All others are made of *sources*: the shipped reports, and the
documents of `--training FOLDER` (`docs.jsonl.zst`: laws, manuals, a textbook), packed or cut to about fifty passages.
Report `n` follows from `n` alone, so that a smaller library is the beginning of a larger one:

- One in twenty is of a shipped report, the others are of a training document; without training all are of shipped ones.
- Places change places, and numbers of two digits and more become others of the same length.
- One sentence in four is another from anywhere in the sources, so that copies of a source differ in what they say.
- In each paragraph, and about every eighty characters, a clause names an organisation and the report's own number, so that no two passages
  are equal. Organisations are drawn by Zipf's law over endlessly many made-up names (the distinct ones among N draws
  grow as N to the power `_GROWTH`), for a vocabulary that grows as that of real text does (Heaps, Information
  Retrieval, 1978): copies alone would have none that is new.

What such texts are not: true. Each copy of a passage has a dozen cousins in a million, more than a real library, which
is hard on candidates and kind to compression.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sources import SENTENCE, Source, Sources

from corpus.library import Library, shipped_folder
from corpus.passages import split_passages
from corpus.structure import parse
from corpus.types import Passage

TRAINING = Path(__file__).parents[2] / "shared" / "training"
PLACES = [
    "浦东",
    "黄浦",
    "静安",
    "徐汇",
    "长宁",
    "普陀",
    "虹口",
    "杨浦",
    "闵行",
    "宝山",
    "嘉定",
    "金山",
    "松江",
    "青浦",
    "奉贤",
    "崇明",
]

_VARYING = re.compile("|".join(PLACES) + r"|[1-9]\d+")
# A heading without number, which in another place may count as text.
_SLOGAN = re.compile(r"[^\d\s#（|一二三四五六七八九十第][^#|]{9,30}")
_ENDS = "。！？；”」』）】》"

_MIXED = 0.25
_APART = 80
_GROWTH = 0.7
_SAMPLED = 23

_SYLLABLES = (
    "安邦博昌诚创达德迪鼎东尔飞丰福港高冠光广国海瀚航浩合和恒宏鸿华环汇慧吉济佳嘉建健捷金锦晶精景九聚凯康科可坤蓝乐力立利联"
    "良临灵龙隆鲁路绿茂美盟敏明铭南能宁诺鹏平普奇启千谦乾强青清庆琼全仁融瑞润三森山上申深升生盛实世舒顺思松苏索泰腾天通同图万旺威"
    "维伟卫文沃希熙先贤翔祥欣新信星兴秀旭轩雅亚彦阳伊怡亿义益银英盈永优友宇元远悦云允泽展兆哲正志智中众卓紫宗祖"
)
_KINDS = [
    "科技",
    "生物",
    "智能",
    "研究院",
    "集团",
    "实验室",
    "创新中心",
    "新材料",
    "信息",
    "医药",
    "设计院",
    "检测所",
    "基金会",
    "半导体",
    "能源",
    "大学",
]
_CLAUSES = (
    "（{name}〔{year}〕{n}号）",
    "，{name}{year}年第{n}号简报对此作了说明",
    "，牵头单位为{name}，编号{n}",
    "，{name}的第{n}号项目即为一例",
    "，{name}自{year}年{month}月起承担这项工作，合同编号{n}",
    "，由{name}投入{amount}万元实施（第{n}号）",
    "，见{name}编写的材料之{n}",
    "，{name}和{other}对第{n}号方案有不同意见",
)


def write_library(folder: Path, passages: int, training: Path | None) -> tuple[int, int]:
    """A library of about so many passages; how many reports, and how many characters, it has.

    Passages are counted in the first reports and in one of twenty-three; the rest is estimated by its characters.
    """
    sources = Sources.load(training)
    folder.mkdir(parents=True)
    shipped = shipped_folder()
    for entry in Library(shipped):
        shutil.copy(entry.path, folder / entry.path.name)
    counted = sum(1 for _ in read_passages(shipped))
    counted_characters = characters = sum(len("".join(source.lines)) for source in sources.shipped)
    n = 0
    with (folder / "reports.toml").open("w", encoding="utf-8") as manifest:
        manifest.write((shipped / "reports.toml").read_text(encoding="utf-8"))
        while characters * counted < passages * counted_characters:
            n += 1
            source = sources.of(n)
            text = report_text(source, n, sources.sentences)
            name = f"r{n:06}"
            (folder / f"{name}{source.ending}").write_bytes(text.encode("utf-8"))
            manifest.write(entry_text(name, f"{name}{source.ending}", f"{source.title}之{n}", n, source.series))
            characters += len(text)
            if n <= _SAMPLED or n % _SAMPLED == 0:
                counted += _count(folder, name, source, text)
                counted_characters += len(text)
    return n + len(sources.shipped), characters


def entry_text(name: str, file: str, title: str, n: int, series: str) -> str:
    """The lines of `reports.toml` for a report that was made."""
    about = {"id": name, "file": file, "title": title, "year": 2000 + n % 27, "series": series, "kind": "报告"}
    return "\n[[document]]\n" + "".join(f"{k} = {json.dumps(v, ensure_ascii=False)}\n" for k, v in about.items())


def report_text(source: Source, n: int, sentences: Sequence[str]) -> str:
    """The text of report `n`."""
    chance = random.Random(n)  # noqa: S311 - no secret
    vary = variation(chance)
    lines = []
    used: set[str] = set()
    for line, is_body in zip(source.lines, source.bodies, strict=True):
        if not is_body:
            lines.append(vary(line) + (f"（{n}）" if _SLOGAN.fullmatch(line) else ""))
            continue
        parts: list[str] = []
        apart = _APART
        for own in SENTENCE.findall(line):
            sentence = own
            # What numbers or marks an item stands in a paragraph's first sentence, which therefore stays.
            while sentence in used or (parts and sentence is own and chance.random() < _MIXED):
                sentence = sentences[int(chance.random() * len(sentences))]
            used.add(sentence)
            # A sentence that opens in bold becomes a passage of its own.
            apart += _APART if sentence.startswith("**") else len(sentence)
            parts.append(_marked(vary(sentence), n, chance) if apart >= _APART else vary(sentence))
            apart %= _APART
        lines.append("".join(parts))
    return "\n".join(lines) + "\n"


def varied(text: str, seed: int) -> str:
    """The text with other places and other numbers, the same for the same seed."""
    return variation(random.Random(seed))(text)  # noqa: S311 - no secret


def variation(chance: random.Random) -> Callable[[str], str]:
    """What gives places and numbers of two digits and more others."""
    others = dict(zip(PLACES, chance.sample(PLACES, len(PLACES)), strict=True))

    def other(match: re.Match[str]) -> str:
        found = match.group()
        return others.get(found) or str(int(chance.random() * (10 ** len(found) - 10)) + 10)

    return lambda text: _VARYING.sub(other, text)


def organisation(chance: random.Random) -> str:
    """A made-up name, by Zipf's law: the first of them are everywhere, new ones never end."""
    rank = int((1 - chance.random()) ** (-1 / _GROWTH))
    base = len(_SYLLABLES)
    number = rank * 7_368_787 % base**3
    syllables = [_SYLLABLES[number // base**power % base] for power in range(2 if rank < base else 3)]
    return "".join(syllables) + _KINDS[rank % len(_KINDS)]


def _marked(sentence: str, n: int, chance: random.Random) -> str:
    """The sentence with a clause that no other report has."""
    body = sentence.rstrip(_ENDS)
    clause = _CLAUSES[int(chance.random() * len(_CLAUSES))].format(
        name=organisation(chance),
        other=organisation(chance),
        year=int(2000 + chance.random() * 27),
        month=int(1 + chance.random() * 9),
        amount=int(1000 + chance.random() * 9000),
        n=n,
    )
    return body + clause + sentence[len(body) :]


def _count(folder: Path, name: str, source: Source, text: str) -> int:
    """How many passages a report has, as kewen reads it."""
    one = folder / ".one"
    one.mkdir(exist_ok=True)
    (one / f"{name}{source.ending}").write_bytes(text.encode("utf-8"))
    (one / "reports.toml").write_text(entry_text(name, f"{name}{source.ending}", "x", 1, "x"), encoding="utf-8")
    try:
        return sum(1 for _ in read_passages(one))
    finally:
        shutil.rmtree(one)


def read_passages(folder: Path) -> Iterator[tuple[str, int, Passage]]:
    """Title, year and passage, of all reports of a folder in turn."""
    library = Library(folder)
    for entry in library:
        document = library.read(entry)
        for passage in split_passages(document, parse(document)):
            yield document.title, document.year, passage


def describe(folder: Path) -> Iterator[tuple[int, int, int, int, int]]:
    """At 1, 3, 10, … thousand passages and at the end: passages, characters, words, characters' terms, duplicates.

    Words and terms are distinct ones of the passages' own text, as the lexical index counts them.
    """
    from index.segment import characters, words
    from index.terms import term_key

    seen: set[bytes] = set()
    terms: tuple[set[int], set[int]] = (set(), set())
    size = length = 0
    marks = {a * 10**b for a in (1, 3) for b in range(3, 7)}
    for _, _, passage in read_passages(folder):
        size += 1
        length += len(passage.text)
        seen.add(hashlib.blake2b(passage.text.encode("utf-8"), digest_size=12).digest())
        terms[0].update(map(term_key, words(passage.text)))
        terms[1].update(map(term_key, characters(passage.text)))
        if size in marks:
            yield size, length, len(terms[0]), len(terms[1]), size - len(seen)
    yield size, length, len(terms[0]), len(terms[1]), size - len(seen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--passages", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="must not exist")
    parser.add_argument("--training", type=Path, default=TRAINING if TRAINING.exists() else None)
    parser.add_argument("--describe", action="store_true", help="count terms and duplicates (minutes for a million)")
    arguments = parser.parse_args()
    started = time.perf_counter()
    reports, characters = write_library(arguments.folder, arguments.passages, arguments.training)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << (20 if sys.platform == "darwin" else 10))
    print(  # noqa: T201
        f"{reports} reports, {characters} characters, {time.perf_counter() - started:.1f} s, {peak:.0f} MB at most"
    )
    if arguments.describe:
        print("passages characters words character-terms duplicates")  # noqa: T201
        for line in describe(arguments.folder):
            print(*line)  # noqa: T201


if __name__ == "__main__":
    main()

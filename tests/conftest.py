"""What all tests share: the real reports, a home of their own, and no network."""

from __future__ import annotations

import copy
import gc
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fastapi.dependencies.models
import pytest

from corpus.elements import Structure
from corpus.library import Library, shipped_folder
from corpus.passages import split_passages
from corpus.structure import parse
from corpus.types import Document, Passage
from index.encoders import BUNDLED, BundledEncoder, load_encoder
from service.assistant import Assistant
from service.settings import Settings, load_settings
from tests.browser import browser, driver  # noqa: F401 - one browser serves all tests


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection to anywhere but this machine is a failure."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tester's own settings and data stay out of the tests."""
    for name in [x for x in os.environ if x.startswith("KEWEN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KEWEN_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session")
def reports() -> dict[str, Document]:
    """The shipped reports by id."""
    library = Library(shipped_folder())
    return {entry.id: library.read(entry) for entry in library}


@pytest.fixture(scope="session")
def structures(reports: dict[str, Document]) -> dict[str, Structure]:
    return {name: parse(document) for name, document in reports.items()}


@pytest.fixture(scope="session")
def passages(reports: dict[str, Document], structures: dict[str, Structure]) -> dict[str, list[Passage]]:
    return {name: split_passages(document, structures[name]) for name, document in reports.items()}


@pytest.fixture(scope="session")
def bundled() -> BundledEncoder:
    return BundledEncoder()


@pytest.fixture(autouse=True, scope="session")
def one_encoder(bundled: BundledEncoder) -> Iterator[None]:
    """Its words take a quarter of a second to load, which hundreds of commands run in this process would each take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.keeper.load_encoder", lambda name: bundled if name == BUNDLED else load_encoder(name))
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model with a tiny random transformer, made here."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tiny")
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"宝山区有多少家生物医药企业先投后股很长的一段话",
        *"abcdefghijklmnopqrstuvwxyz0123456789",
    ]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(vocabulary)), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"))
    size = len(dict.fromkeys(vocabulary))
    config = BertConfig(
        vocab_size=size, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    tokenizer.save_pretrained(folder / "bert")
    BertModel(config).save_pretrained(folder / "bert")
    word = Transformer(str(folder / "bert"), max_seq_length=64)
    SentenceTransformer(modules=[word, Pooling(word.get_embedding_dimension())]).save(str(folder / "model"))
    return folder / "model"


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the index of the shipped reports, for tests that only read it."""
    home = tmp_path_factory.mktemp("shared") / "home"
    Assistant(load_settings({"home": home}, {})).build()
    return home


@pytest.fixture(scope="session")
def opened(shared_home: Path) -> Assistant:
    """An assistant whose encoder and index are open: they take a quarter of a second and a hundred megabytes."""
    assistant = Assistant(load_settings({"home": shared_home}, {}))
    assistant.answerer()
    return assistant


@pytest.fixture
def settings(shared_home: Path) -> Settings:
    return load_settings({"home": shared_home}, {})


@pytest.fixture
def assistant(opened: Assistant, settings: Settings) -> Assistant:
    """One of its own for each test to change; what it has open is shared."""
    made = copy.copy(opened)
    made.settings = settings
    return made


@pytest.fixture(scope="session")
def small_library(bundled: BundledEncoder) -> Callable[[Path], Assistant]:
    """An assistant whose library is one short report, in a folder: `reports` and `home`."""

    def make(folder: Path) -> Assistant:
        (folder / "reports").mkdir()
        manifest = '[[document]]\nid = "a"\nfile = "a.txt"\ntitle = "甲区"\nyear = 2024\nseries = "甲"\nkind = "报告"\n'
        (folder / "reports" / "reports.toml").write_text(manifest, encoding="utf-8")
        (folder / "reports" / "a.txt").write_text("甲区报告\n\n2024年，甲区有企业449家。\n", encoding="utf-8")
        assistant = Assistant(load_settings({"home": folder / "home", "reports": folder / "reports"}, {}))
        assistant._encoder = bundled
        assistant.build()
        return assistant

    return make


def pytest_collection_finish() -> None:
    """What is imported stays until the end: the search for garbage need not go through it again and again.

    `no_garbage` looks through all the rest after each module, and nobody before.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 10_000)


@pytest.fixture(autouse=True, scope="module")
def no_garbage() -> Iterator[None]:
    """Applications and their assistants are circles, which Python would leave lying about by the gigabyte.

    FastAPI remembers the handlers of the last thousands of routes, and with them their assistants.
    """
    yield
    for known in vars(fastapi.dependencies.models).values():
        if hasattr(known, "cache_clear"):
            known.cache_clear()
    gc.collect()


@pytest.fixture
def make_document() -> Callable[..., Document]:
    """A document of any text, for structure and passages."""

    def make(text: str, **fields: Any) -> Document:
        known = {"id": "d", "title": "标题", "year": 2025, "series": "s", "kind": "k", "sha256": "0" * 64}
        return Document(text=text, media_type=fields.pop("media_type", "text/plain"), **{**known, **fields})

    return make


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder of documents with its manifest; texts by file name."""

    def make(texts: dict[str, str | bytes], **fields: Any) -> Path:
        folder = tmp_path / "reports"
        folder.mkdir(exist_ok=True)
        lines = []
        for n, (name, text) in enumerate(texts.items()):
            (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
            known = {
                "id": Path(name).stem,
                "file": name,
                "title": f"标题{n}",
                "year": 2020 + n,
                "series": "系列",
                "kind": "报告",
            }
            lines += [
                "[[document]]",
                *(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in {**known, **fields}.items()),
            ]
        (folder / "reports.toml").write_text("\n".join(lines), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def kewen(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., tuple[int, str, str]]]:
    """Run the command in this process: exit code, standard output, standard error."""
    from service.cli import main

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(arguments)
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return int(stop.value.code or 0), out, err

    return run

"""What tests of the doors share: a kewen that listens, OpenAI's client, and a language model that hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import openai
import pytest

from index.encoders import BundledEncoder
from service.assistant import Assistant
from service.llm import ChatModel
from service.settings import load_settings
from tests.live import serving


@pytest.fixture(scope="session")
def url(opened: Assistant, shared_home: Path) -> Iterator[str]:
    with serving(load_settings({"home": shared_home}, {}), opened) as base:
        yield base


@pytest.fixture(scope="session")
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as made:
        yield made


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Every language model waits for this event, and then says one sentence."""
    go = threading.Event()

    def hangs(self: ChatModel, messages: object, seconds: float) -> Iterator[str]:
        go.wait(20)
        yield "宝山区集聚生物医药企业 449 家[1]。"

    monkeypatch.setattr(ChatModel, "stream", hangs)
    yield go
    go.set()


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

"""What tests of the doors share: a kewen that listens, OpenAI's client, and a language model that hangs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

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

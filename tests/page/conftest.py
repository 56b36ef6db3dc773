"""A kewen that listens, and somebody who uses its page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.assistant import Assistant
from service.settings import load_settings
from tests.browser import Browser
from tests.live import serving
from tests.page.person import Person


@pytest.fixture(scope="session")
def url(opened: Assistant, shared_home: Path) -> Iterator[str]:
    with serving(load_settings({"home": shared_home}, {}), opened) as base:
        yield base


@pytest.fixture
def person(browser: Browser) -> Iterator[Person]:
    """In the end the page must have logged nothing: no fault of a script, nothing that its policy refused."""
    person = Person(browser)
    yield person
    person.forget()
    assert person.complaints() == []

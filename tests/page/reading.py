"""What the tests of the source panel share: services to open, and what a reader sees and does in the panel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.request import urlopen

from service.assistant import Assistant
from service.settings import Settings, load_settings
from tests.browser import Browser
from tests.live import serving


@contextmanager
def served_folder(folder, home) -> Iterator[tuple[str, Assistant, Settings]]:
    """A service over a folder of reports."""
    settings = load_settings({"home": home, "reports": folder}, {})
    assistant = Assistant(settings)
    assistant.build()
    with serving(settings, assistant) as url:
        yield url, assistant, settings


def api(url: str, path: str) -> Any:
    """What the service answers, read as JSON."""
    with urlopen(f"{url}{path}") as response:  # noqa: S310 - a service of the test's own
        return json.loads(response.read())


class Panel:
    """The source panel of a page that is open in a browser."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.browser = browser
        browser.open(url)
        browser.wait(lambda: browser.run("return !!document.querySelector('main h1')"), "the page")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.run(script, *arguments)

    def open(self, citation: dict[str, Any]) -> None:
        """As the views do; waits until the text is there."""
        self.run("return import('/web/panel.js').then((x) => x.openSource(arguments[0]))", citation)
        self.settled()

    def open_document(self, document_id: str, offset: int = 0) -> None:
        self.run("return import('/web/panel.js').then((x) => x.openDocument(...arguments))", document_id, offset)
        self.settled()

    def settled(self) -> None:
        """Nothing is on its way any more."""
        script = "return import('/web/opened.js').then(({ state }) => state.isOpen && !state.isBusy)"
        self.browser.wait(lambda: self.run(script), "the panel")
        self.run("return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        self.browser.wait(lambda: self.run(script), "the panel")

    def texts(self, selector: str) -> list[str]:
        return list(self.run("return [...document.querySelectorAll(arguments[0])].map((x) => x.textContent)", selector))

    def marked(self) -> str:
        return "".join(self.texts(".panel mark"))

    def shown(self) -> str:
        """The source text that is drawn."""
        return "".join(self.texts(".panel .line"))

    def has(self, selector: str) -> bool:
        return bool(self.run("return !!document.querySelector(arguments[0])", selector))

    def says(self, text: str) -> bool:
        return text in str(self.run("return document.body.innerText"))

    def box(self, selector: str) -> dict[str, float]:
        return dict(self.run("return document.querySelector(arguments[0]).getBoundingClientRect().toJSON()", selector))

    def click(self, selector: str) -> None:
        """A mouse click on the middle of the first such element."""
        self.run("document.querySelector(arguments[0]).scrollIntoView({ block: 'nearest' })", selector)
        box = self.box(selector)
        self.browser.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def button(self, name: str, within: str = ".panel") -> None:
        """Click the first button within that bears this name."""
        script = (
            "const found = [...document.querySelectorAll(`${arguments[1]} button, ${arguments[1]} summary`)]"
            ".find((x) => x.textContent.trim().startsWith(arguments[0])); found.scrollIntoView({ block: 'nearest' });"
            "return found.getBoundingClientRect().toJSON()"
        )
        box = self.run(script, name, within)
        self.browser.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def focused(self) -> str:
        return str(self.run("const x = document.activeElement; return x.id || x.className || x.localName"))

"""A service that answers the page with whatever a test likes, or when it likes: the page's own `fetch` stands in its way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.browser import Browser

JSON, EVENTS = "application/json", "text/event-stream"
_WRAP = """
window.odd = []; // [part of the path, status, type, body]
window.held = []; // [part of the path, what lets the answer go]
window.waits = []; // parts of paths whose answers are held back
const own = window.fetch;
window.fetch = async (path, options) => {
  const odd = window.odd.find(([part]) => String(path).includes(part));
  const [, status, type, body] = odd ?? [];
  const answer = odd ? new Response(body, { status, headers: { "Content-Type": type } }) : await own(path, options);
  const part = window.waits.find((x) => String(path).includes(x));
  if (part) await new Promise((go) => window.held.push([String(path), go]));
  return answer;
};
"""


class Odd:
    """What a page hears of its service."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    def answers(self, *some: tuple[str, int, str, str]) -> None:
        """From now on: to each path with this part in it the status, the type and the body. Others are answered rightly."""
        self._browser.run("window.odd = arguments[0]", [list(x) for x in some])

    def holds(self, *parts: str) -> None:
        """Answers to such paths wait from now on."""
        self._browser.run("window.waits = arguments[0]", list(parts))

    def held(self) -> list[str]:
        """The paths whose answers wait, in the order in which they came."""
        return list(self._browser.run("return window.held.map(([path]) => path)"))

    def lets_go(self, *order: int) -> None:
        """The waiting answers reach the page, in this order; all, the last first, by default."""
        self._browser.run(
            "const held = window.held; window.held = []; window.waits = [];"
            "for (const n of arguments[0].length ? arguments[0] : held.map((_, n) => held.length - 1 - n)) held[n][1]()",
            list(order),
        )


@contextmanager
def between(browser: Browser) -> Iterator[Odd]:
    """Every page that the tab opens has it, until the end of the block."""
    made: Any = browser.cdp("Page.addScriptToEvaluateOnNewDocument", source=_WRAP)
    yield Odd(browser)
    browser.cdp("Page.removeScriptToEvaluateOnNewDocument", identifier=made["identifier"])

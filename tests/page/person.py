"""Somebody who uses the page: sees what can be seen, points at things by their names, and counts the actions."""

from __future__ import annotations

from typing import Any

from tests.browser import Browser

_FIND = """
const [name, within] = arguments;
const named = (x) => (x.getAttribute("aria-label") ?? x.labels?.[0]?.innerText ?? x.innerText ?? "").trim();
const all = [...document.querySelectorAll(within)].flatMap((root) =>
  [...root.querySelectorAll("button, a[href], input, select, textarea, summary, [role=menuitem]")]);
const seen = all.filter((x) => x.checkVisibility({ visibilityProperty: true }) && x.getClientRects().length);
const found = seen.find((x) => named(x) === name) ?? seen.find((x) => named(x).includes(name));
"""
_PLACE = """
found?.scrollIntoView({ block: "nearest" });
const box = found?.getBoundingClientRect();
if (!box) return null;
const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
const top = document.elementFromPoint(x, y);
return top && (found.contains(top) || top.contains(found)) ? [x, y] : null;
"""


class Person:
    """One who walks through the page; `actions` are the clicks, keys and texts so far."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.actions = 0
        self._expected: list[str] = []

    def open(self, url: str) -> None:
        self.browser.open(url)
        self.browser.wait(lambda: self.run("return !!document.querySelector('main *')"), "the page")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.browser.run(script, *arguments)

    def click(self, name: str, within: str = "body") -> None:
        """Click what is called so: a whole name before a part of one. It must be in sight and uncovered."""
        what = f"{name!r} within {within}"
        x, y = self.browser.wait(lambda: self.run(_FIND + _PLACE, name, within), what)
        self.actions += 1
        self.browser.click(x, y)

    def click_on(self, selector: str, nth: int = 0) -> None:
        """Click the nth thing of a kind."""
        script = "const found = document.querySelectorAll(arguments[0])[arguments[1]];" + _PLACE
        x, y = self.browser.wait(lambda: self.run(script, selector, nth), selector)
        self.actions += 1
        self.browser.click(x, y)

    def point_at(self, selector: str, nth: int = 0) -> None:
        script = "const found = document.querySelectorAll(arguments[0])[arguments[1]];" + _PLACE
        x, y = self.browser.wait(lambda: self.run(script, selector, nth), selector)
        self.browser.cdp("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def write(self, text: str, field: str = "") -> None:
        """Write into the field of that name, or where the keyboard is."""
        if field:
            self.run(_FIND + "found.focus(); found.select?.();", field, "body")
        self.actions += 1
        self.browser.type(text)

    def enter(self) -> None:
        self.actions += 1
        self.browser.enter()

    def ask(self, question: str) -> None:
        """Write a question, send it, and wait for what comes of it."""
        count = self.count(".turn")
        self.write(question, "问题")
        self.enter()
        self.browser.wait(lambda: self.count(".turn[aria-busy=false]") > count, f"an answer to {question}")

    def sees(self, text: str, within: str = "body") -> None:
        """Wait until the text can be read there."""
        self.browser.wait(
            lambda: text in self.text(within), f"{text!r} in {within}, which reads {self.text(within)[:500]!r}"
        )

    def sees_no(self, text: str, within: str = "body") -> None:
        self.browser.wait(lambda: text not in self.text(within), f"{text!r} to leave {within}")

    def text(self, selector: str = "body") -> str:
        """What can be read in the first such element; "" where there is none."""
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def texts(self, selector: str) -> list[str]:
        return list(self.run("return [...document.querySelectorAll(arguments[0])].map((x) => x.innerText)", selector))

    def count(self, selector: str) -> int:
        return int(self.run("return document.querySelectorAll(arguments[0]).length", selector))

    def focused(self) -> str:
        """The name of what has the keyboard."""
        script = "const x = document.activeElement; return x.getAttribute('aria-label') || x.id || x.innerText || x.localName"
        return str(self.run(script))

    def forget(self) -> None:
        """Leave nothing in the browser for who comes next."""
        self.run("try { localStorage.clear(); sessionStorage.clear() } catch {}")

    def expect(self, *words: str) -> None:
        """What the page may log in this test: a request that failed is logged by the browser itself."""
        self._expected += words

    def complaints(self) -> list[str]:
        return [x for x in self.browser.messages() if not any(word in x for word in self._expected)]

"""Who can use the page: with the keyboard alone, with a screen reader, on a phone, in either light and language."""

from __future__ import annotations

import json
from importlib.resources import files

import pytest

QUESTION = "2015年和2022年，黄浦区的创新重点有什么不同？"
AXE = files("selenium_axe_python").joinpath("axe-core/axe.min.js").read_text(encoding="utf-8")
VIEWS = {
    "ask": "可以这样问",
    "search?q=科普活动": "科普活动",
    "compare?of=嘉定区": "2015",
    "documents": "宝山区科技创新",
    "evaluation": "评测",
}


def faults(person) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA, of any weight, as lines to read."""
    person.browser.cdp("Runtime.evaluate", expression=AXE)
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = person.browser.cdp(
        "Runtime.evaluate",
        expression=f"axe.run(document, {json.dumps({'runOnly': tags})})"
        ".then((x) => JSON.stringify(x.violations.map((y) => [y.impact, y.id, y.nodes.map((z) => z.html.slice(0, 150))])))",
        awaitPromise=True,
    )
    # A piece of a report begins at whatever level its first heading has.
    return [
        f"{impact} {name}: {nodes}"
        for impact, name, nodes in json.loads(found["result"]["value"])
        if name != "heading-order"
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_in_any_view(person, url, view, scheme):
    person.browser.scheme(scheme)
    person.open(f"{url}/#/{view}")
    person.sees(VIEWS[view], "main")
    assert faults(person) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_conversation_with_its_source_open(person, url, scheme):
    person.browser.scheme(scheme)
    person.open(url)
    person.ask("宝山区区长是谁？")
    person.ask(QUESTION)
    person.click_on(".number")
    person.sees("目录", ".panel")
    assert faults(person) == []


def test_axe_finds_nothing_in_english_and_on_a_phone(person, url):
    person.browser.size(360, 740, mobile=True)
    person.open(url)
    person.click("English")
    for view in VIEWS:
        person.open(f"{url}/#/{view}")
        person.sees("Ask", ".head")
        assert faults(person) == [], view


@pytest.mark.parametrize("width", [360, 768, 1440])
def test_no_view_is_wider_than_the_window(person, url, width):
    person.browser.size(width, 800, mobile=width < 500)
    for view, word in VIEWS.items():
        person.open(f"{url}/#/{view}")
        person.sees(word, "main")
        widest = person.run("return document.documentElement.scrollWidth")
        assert widest <= width, view
    person.open(url)
    person.ask(QUESTION)
    person.click_on(".number")
    person.sees("目录", ".panel")
    assert person.run("return document.documentElement.scrollWidth") <= width


def test_what_one_touches_is_large_enough(person, url):
    """WCAG 2.2, 2.5.8: 24 pixels at least, but for links within a text."""
    person.browser.size(360, 740, mobile=True)
    for view, word in VIEWS.items():
        person.open(f"{url}/#/{view}")
        person.sees(word, "main")
        small = person.run(
            "return [...document.querySelectorAll('button, input, select, textarea, summary')]"
            ".filter((x) => x.checkVisibility() && !x.closest('.visually-hidden') && !x.matches('.skip'))"
            ".map((x) => [x.outerHTML.slice(0, 120), x.labels?.[0] ? Math.max(x.offsetHeight, x.labels[0].offsetHeight) : x.offsetHeight])"
            ".filter(([, height]) => height < 24)"
        )
        assert small == [], view


def test_from_the_first_question_to_its_source_and_back_by_keyboard_alone(person, url):
    person.open(url)
    person.browser.tab()
    assert person.focused() == "跳到正文"
    person.browser.enter()
    assert person.focused() == "main"
    person.browser.tab()
    assert person.focused() == "question"
    person.browser.type("宝山区有多少家生物医药企业？")
    person.browser.enter()
    person.sees("449 家")
    assert person.focused() == "question"
    for _ in range(12):
        person.browser.press("Tab", 9, modifiers=8)
        if person.focused().startswith("出处 1"):
            break
    person.browser.enter()
    person.sees("第78行", ".panel")
    person.browser.wait(
        lambda: person.run("return !!document.activeElement.closest('.panel')"), "the keyboard to be there"
    )
    person.browser.escape()
    person.browser.wait(lambda: person.count(".panel") == 0, "the panel to close")
    person.browser.wait(lambda: person.focused().startswith("出处 1"), "the keyboard to be back")


def test_what_has_the_keyboard_can_be_seen(person, url):
    person.open(url)
    for _ in range(12):
        person.browser.tab()
        ring = person.run("const x = getComputedStyle(document.activeElement); return [x.outlineStyle, x.outlineWidth]")
        assert ring == ["solid", "2px"], person.focused()


def test_a_screen_reader_hears_the_answer(person, url):
    person.open(url)
    person.ask("宝山区有多少家生物医药企业？")
    person.browser.wait(
        lambda: "449 家" in person.run("return document.getElementById('live').textContent"), "the words"
    )
    tree = person.browser.cdp("Accessibility.getFullAXTree")["nodes"]
    names = [(x["role"]["value"], x.get("name", {}).get("value", "")) for x in tree if "role" in x]
    assert ("textbox", "问题") in names
    assert ("heading", "宝山区有多少家生物医药企业？") in names
    assert any(role == "button" and name.startswith("出处 1，《宝山区") for role, name in names)
    assert ("navigation", "各栏") in names

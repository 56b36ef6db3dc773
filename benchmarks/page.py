"""From Enter to the first words of the answer on the screen: `python benchmarks/page.py` (needs Chromium).

The page of a service of its own is asked the first `dev` questions in a real browser. A time ends with the first frame
after a sentence, or the word that there is no answer, has come into the document. Beside it, in the same page, the least
that any answer could take: a request that does nothing, and the frame after its text has come.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from corpus.library import Library, shipped_folder
from eval.gold import SHIPPED, load_gold
from service.assistant import Assistant
from service.settings import load_settings
from tests.browser import FLAGS, Browser
from tests.live import serving

_WATCH = """
window.kewenTimes = [];
let from = 0;
addEventListener("keydown", (event) => { if (event.key === "Enter") from = performance.now(); }, true);
const shown = () => [...document.querySelectorAll(".turn")].pop()?.querySelector(".sentence, .abstained");
let last = null;
new MutationObserver(() => {
  const now = shown();
  if (!now || now === last || !from) return;
  last = now;
  const began = from;
  from = 0;
  requestAnimationFrame(() => setTimeout(() => window.kewenTimes.push(performance.now() - began)));
}).observe(document.body, { childList: true, subtree: true });
"""
_LEAST = """
const done = arguments[0];
const began = performance.now();
fetch("healthz").then((x) => x.text()).then((text) => {
  document.getElementById("live").textContent = text;
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - began)));
});
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=40)
    count = parser.parse_args().questions
    library = Library(shipped_folder())
    gold = load_gold(SHIPPED.read_bytes(), {x.id: library.read(x).text for x in library})
    questions = [x.question for x in gold if x.split == "dev"][:count]
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings({"home": Path(folder) / "home"}, {})
        assistant = Assistant(settings)
        assistant.ask("科技创新", mode="extractive")  # as `kewen serve` does before it says that it is ready
        with serving(settings, assistant) as url:
            answers, least = _times(url, questions, folder)
    _print("Enter to the first words, first question, ms", answers[:1])
    _print("Enter to the first words, ms", answers[1:])
    _print("a request that does nothing, ms", least)
    print(f"ratio of the medians{'':25} {statistics.median(answers) / statistics.median(least):9.3f}")  # noqa: T201
    print(f"share of answers within 150 ms{'':15} {sum(x <= 150 for x in answers) / len(answers):9.3f}")  # noqa: T201


def _times(url: str, questions: list[str], folder: str) -> tuple[list[float], list[float]]:
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, f"--user-data-dir={folder}/chromium"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        browser = Browser(driver)
        browser.open(url)
        browser.wait(lambda: browser.run("return !!document.getElementById('question')"), "the page")
        browser.run(_WATCH)
        least = []
        for number, question in enumerate(questions, start=1):
            browser.run("document.getElementById('question').focus()")
            browser.type(question)
            browser.enter()
            browser.wait(lambda n=number: browser.run("return window.kewenTimes.length") == n, question)  # type: ignore[misc]
            least.append(float(driver.execute_async_script(_LEAST)))
            # Each question by itself: no conversation that grows.
            browser.run("document.querySelector('.dock .tool').click()")
        return [float(x) for x in browser.run("return window.kewenTimes")], least
    finally:
        driver.quit()


def _print(name: str, times: list[float]) -> None:
    ordered = sorted(times)
    late = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    middle = statistics.median(times)
    print(f"{name:45} median {middle:8.1f}   p95 {late:8.1f}   max {ordered[-1]:8.1f}")  # noqa: T201


if __name__ == "__main__":
    main()

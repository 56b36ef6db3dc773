"""The pictures of this folder, each a state of the page: `python docs/page/make.py` (needs Chromium and the extra `test`)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
from click.testing import CliRunner
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from service.cli import kewen
from service.settings import Settings, load_settings
from tests.browser import FLAGS, Browser
from tests.corpus.hostile_pdf import encrypted
from tests.live import serving
from tests.page.person import Person

HERE = Path(__file__).parent
PDFS = HERE.parent.parent / "tests/files/pdf"
REPORT, LOCKED = PDFS / "chromium-shanghai-2022-districts.pdf", "加密的报告.pdf"
QUESTION = "宝山区有多少家生物医药企业？"
COMPARED = "2015年和2022年，黄浦区的创新重点有什么不同？"
NOT_SAID = "宝山区区长是谁？"
DESK, PHONE = (1280, 800), (390, 844)


class Album:
    """Takes a picture of the page of a service in a tab of its own."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        self.url = url

    def take(
        self, name: str, walk: Callable[[Person], None], scheme: str = "light", size: tuple[int, int] = DESK
    ) -> None:
        self.driver.switch_to.new_window("tab")
        browser = Browser(self.driver)
        browser.size(*size, mobile=size == PHONE)
        browser.scheme(scheme)
        person = Person(browser)
        person.open(self.url)
        walk(person)
        person.run("return document.fonts.ready.then(() => true)")
        browser.run("document.activeElement.blur?.()") if size == PHONE else None
        browser.picture(HERE / f"{name}.png")
        person.forget()
        self.driver.close()
        self.driver.switch_to.window(self.driver.window_handles[0])
        print(name)  # noqa: T201


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, _driver(Path(folder)) as driver:
        settings = load_settings({"home": Path(folder) / "home"}, {})
        _evaluate(settings.home, Path(folder) / "dev")
        with serving(settings) as url:
            album = Album(driver, url)
            _ask(album)
            _others(album)
            _documents(album, Path(folder))
        with serving(replace(settings, api_key="k" * 40)) as url:
            Album(driver, url).take("key", lambda person: person.sees("请输入密钥"))
        _away(driver, settings)


def _ask(album: Album) -> None:
    def answered(person: Person) -> None:
        person.ask(QUESTION)

    def opened(person: Person) -> None:
        person.ask(COMPARED)
        person.click_on(".number", 1)
        person.sees("目录", ".panel")

    def pointed(person: Person) -> None:
        person.ask(QUESTION)
        person.point_at(".number")
        person.sees("449 家", "#preview")

    def copied(person: Person) -> None:
        person.ask(QUESTION)
        person.click("引用", ".sources")
        person.sees("GB/T 7714")

    def followed(person: Person) -> None:
        person.ask("2022年黄浦做金融科技有什么打算？")
        person.ask("那2025年呢？")

    def english(person: Person) -> None:
        person.click("English")
        person.write("Which district is home to the Mosu Space AI community?", "Your question")
        person.enter()
        person.sees("Sources")

    album.take("welcome", lambda person: person.sees("现收"))
    album.take("answer", answered)
    album.take("quote", pointed)
    album.take("copy", copied)
    album.take("source", opened)
    album.take("source-dark", opened, "dark")
    album.take("follow-up", followed)
    album.take("abstention", lambda person: person.ask(NOT_SAID))
    album.take("english", english)
    album.take("phone-answer", answered, size=PHONE)
    album.take("phone-source", opened, "dark", PHONE)


def _others(album: Album) -> None:
    def at(place: str, word: str) -> Callable[[Person], None]:
        def walk(person: Person) -> None:
            person.open(f"{album.url}/#/{place}")
            person.sees(word, "main")

        return walk

    album.take("search", at("search?q=给老百姓讲科学的活动", "科普"))
    album.take("search-dark", at("search?q=给老百姓讲科学的活动", "科普"), "dark")
    album.take("compare", at("compare?of=嘉定区", "2015"), size=(1440, 900))
    album.take("compare-phone", at("compare?of=嘉定区", "2015"), size=PHONE)
    album.take("evaluation", at("evaluation", "%"))


def _documents(album: Album, folder: Path) -> None:
    locked = folder / LOCKED
    locked.write_bytes(encrypted(b"secret", b"owner"))

    def listed(person: Person) -> None:
        person.open(f"{album.url}/#/documents")
        person.sees("宝山区科技创新", "main")

    def added(person: Person) -> None:
        listed(person)
        person.browser.driver.find_element("css selector", "input[type=file]").send_keys(f"{REPORT}\n{locked}")
        person.sees("已加入", "main")
        person.sees("加密", "main")
        person.browser.wait(lambda: person.count("progress") == 0, "both to be read")

    def corrected(person: Person) -> None:
        listed(person)
        person.click("详情", "main")
        person.click("更正", "main")

    def pictured(person: Person) -> None:
        person.open(f"{album.url}/#/search?q=元宇宙产业&document={REPORT.stem}")
        person.click("看原文", "main")
        person.click("页面图", ".panel")
        person.browser.wait(lambda: person.count(".panel rect") > 0, "the boxes")

    album.take("documents", listed)
    album.take("documents-phone", listed, size=PHONE)
    album.take("documents-added", added)
    album.take("documents-correct", corrected)
    album.take("page-image", pictured, size=(1440, 900))

    def removed(person: Person) -> None:
        person.open(f"{album.url}/#/search?q=元宇宙产业&document={REPORT.stem}")
        person.sees("为何找到", "main")
        httpx.delete(f"{album.url}/v1/documents/{REPORT.stem}").raise_for_status()
        person.click("看原文", "main")
        person.sees("已被移除", ".panel")

    album.take("removed", removed)


def _away(driver: webdriver.Chrome, settings: Settings) -> None:
    service = serving(settings)
    url = service.__enter__()

    def walk(person: Person) -> None:
        person.ask(QUESTION)
        service.__exit__(None, None, None)
        person.write("先租后股是什么？", "问题")
        person.enter()
        person.sees("连不上科问服务，正在重试")

    Album(driver, url).take("connection-lost", walk)


def _evaluate(home: Path, out: Path) -> None:
    """A report for the page to show."""
    for arguments in (["eval", "run", "--split", "dev", "--out", str(out)], ["eval", "report", str(out)]):
        done = CliRunner().invoke(kewen, [*arguments, "--home", str(home)], standalone_mode=False)
        if done.exception:
            raise done.exception


@contextmanager
def _driver(folder: Path):  # noqa: ANN202
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in (*FLAGS, "--hide-scrollbars", f"--user-data-dir={folder / 'chromium'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        with suppress(Exception):
            driver.quit()


if __name__ == "__main__":
    main()

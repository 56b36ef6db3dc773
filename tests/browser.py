"""A real browser for the tests: Chromium without a window, driven by selenium; and servers for it to visit.

Where there is no Chromium the tests are skipped, but not in continuous integration (`CI` is set there).
"""

from __future__ import annotations

import base64
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--force-device-scale-factor=1",
    "--lang=zh-CN",
    # Names that the tests make up are this machine; no other name is any machine.
    "--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
_SECONDS = 10.0


class Browser:
    """One tab. Script arguments and results are JSON."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def cdp(self, method: str, **parameters: Any) -> Any:
        """A command of the Chrome DevTools Protocol."""
        return self.driver.execute_cdp_cmd(method, parameters)

    def open(self, url: str) -> None:
        self.driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def size(self, width: int, height: int, mobile: bool = False) -> None:
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile)

    def scheme(self, name: str) -> None:
        """`light` or `dark`."""
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def picture(self, path: Path) -> bytes:
        data = base64.b64decode(self.cdp("Page.captureScreenshot", format="png")["data"])
        path.write_bytes(data)
        return data

    def messages(self) -> list[str]:
        """What the page has logged since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def press(self, key: str, code: int, text: str = "", **more: Any) -> None:
        """One key, as the focused element meets it."""
        event = {"key": key, "code": key, "windowsVirtualKeyCode": code, **more}
        self.cdp("Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {}))
        self.cdp("Input.dispatchKeyEvent", type="keyUp", **event)

    def enter(self, **more: Any) -> None:
        self.press("Enter", 13, "\r", **more)

    def escape(self) -> None:
        self.press("Escape", 27)

    def tab(self) -> None:
        self.press("Tab", 9)

    def type(self, text: str) -> None:
        self.cdp("Input.insertText", text=text)

    def click(self, x: float, y: float) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            self.cdp("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def wait(self, condition: Callable[[], Any], what: str = "the page") -> Any:
        """What `condition` gives once it is true."""
        end = time.monotonic() + _SECONDS
        while not (value := condition()):
            assert time.monotonic() < end, f"waited {_SECONDS:g} s for {what}"
            time.sleep(0.02)
        return value

    def closed(self, host: str, index: int = 0) -> ClosedRoot:
        """The closed shadow root of the `index`th element of that name; pages have no way in, the debugger has."""
        return self.wait(lambda: self._closed(host, index), f"<{host}>")

    def _closed(self, host: str, index: int) -> ClosedRoot | None:
        nodes = [self.cdp("DOM.getDocument", depth=-1, pierce=True)["root"]]
        found = []
        while nodes:
            node = nodes.pop(0)
            if node["localName"] == host and node.get("shadowRoots"):
                found.append(node["shadowRoots"][0])
            nodes += node.get("children", [])
        if len(found) <= index:
            return None
        root = self.cdp("DOM.resolveNode", backendNodeId=found[index]["backendNodeId"])["object"]
        return ClosedRoot(self, root["objectId"])


class ClosedRoot:
    """A shadow root that scripts of the page can't see."""

    def __init__(self, browser: Browser, object_id: str) -> None:
        self._browser = browser
        self._object = object_id

    def run(self, body: str, *arguments: Any) -> Any:
        """What a function's `body` returns where `root` is this root and `args` the arguments."""
        answer = self._browser.cdp(
            "Runtime.callFunctionOn",
            functionDeclaration=f"function (...args) {{ const root = this; {body} }}",
            objectId=self._object,
            arguments=[{"value": x} for x in arguments],
            returnByValue=True,
            awaitPromise=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        """What one can read of the first such element; "" where there is none."""
        return str(self.run("return root.querySelector(args[0])?.innerText ?? ''", selector))

    def texts(self, selector: str) -> list[str]:
        return list(self.run("return [...root.querySelectorAll(args[0])].map(x => x.innerText)", selector))

    def shows(self, selector: str) -> bool:
        """Whether the first such element can be seen."""
        script = (
            "return !!root.querySelector(args[0])?.checkVisibility({ opacityProperty: true, visibilityProperty: true })"
        )
        return bool(self.run(script, selector))

    def rectangle(self, selector: str) -> dict[str, float]:
        script = "return root.querySelector(args[0]).getBoundingClientRect().toJSON()"
        return dict(self.run(script, selector))

    def click(self, selector: str) -> None:
        """A mouse click on the middle of the element, of its first line where it has several."""
        box = self.run("return root.querySelector(args[0]).getClientRects()[0]?.toJSON()", selector)
        assert box, f"{selector} isn't shown"
        self._browser.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)

    def focused(self) -> str:
        """Tag and class of the focused element."""
        return str(self.run("const x = root.activeElement; return x ? `${x.localName}.${x.className}` : ''"))


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and chromedriver):
        if os.environ.get("CI"):
            pytest.fail("no chromium or no chromedriver is installed")
        pytest.skip("no chromium or no chromedriver is installed")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(chromedriver))
    yield driver
    driver.quit()


@pytest.fixture
def browser(driver: Any) -> Iterator[Browser]:
    """A fresh tab of 1280 by 800, light; the browser itself serves all tests."""
    driver.switch_to.new_window("tab")
    browser = Browser(driver)
    browser.size(1280, 800)
    browser.scheme("light")
    browser.messages()
    yield browser
    for handle in driver.window_handles[1:]:
        driver.switch_to.window(handle)
        driver.close()
    driver.switch_to.window(driver.window_handles[0])

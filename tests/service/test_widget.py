"""The widget in a real browser, in a page of another origin: asked by keyboard and mouse, and attacked."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import ExitStack
from dataclasses import replace

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.middleware.cors import CORSMiddleware

from corpus.citations import citation_label
from service import web
from service.app import create_app
from service.assistant import Assistant
from service.keys import KeyRing
from service.settings import load_settings
from tests.live import listen, running

QUESTION = "宝山区有多少家生物医药企业？"
NOT_SAID = "宝山区区长是谁？"
HOSTILE = (
    "<style>body, body *, div, p, kewen-widget { display: none !important; color: red !important; opacity: 0 !important;"
    " font: 60px cursive !important; position: static !important; transform: scale(0) !important; visibility: hidden"
    " !important; pointer-events: none !important } html { font-size: 3px } :root { --paper: red }</style>"
)


class Portal:
    """A server of pages: `page` is what it shows, with these `headers`."""

    def __init__(self) -> None:
        self.page = ""
        self.headers: dict[str, str] = {}
        self.origin = ""
        self.app = FastAPI()
        self.app.get("/")(lambda: HTMLResponse(self.page, headers=self.headers))


class Stage:
    """A service that answers as a test wants: `answer(body)` is what `/v1/ask` gives."""

    def __init__(self, origin: str) -> None:
        self.answer = None
        self.asked: list[dict] = []
        self.base = ""
        self.app = FastAPI()
        self.app.get("/widget.js")(lambda: Response(web.read("widget.js"), media_type="text/javascript"))
        self.app.post("/v1/ask")(self._ask)
        self.app.add_middleware(
            CORSMiddleware, allow_origins=[origin], allow_methods=["POST"], allow_headers=["*"],
            expose_headers=["Retry-After"],
        )  # fmt: skip

    async def _ask(self, request: Request):
        body = await request.json()
        self.asked.append({**body, "authorization": request.headers.get("authorization")})
        return self.answer(body)


class Site:
    """A page of the portal that has the widget of the service at `base`."""

    def __init__(self, browser, portal: Portal, stage: Stage, stack: ExitStack) -> None:
        self.browser = browser
        self.portal = portal
        self.stage = stage
        self.base = ""
        self._stack = stack

    @property
    def origin(self) -> str:
        return self.portal.origin

    @property
    def asked(self) -> list[dict]:
        return self.stage.asked

    def serve(self, app, listener) -> None:
        self.base = self._stack.enter_context(running(app, listener))

    def script(self, **data: str) -> str:
        given = "".join(f' data-{name}="{value}"' for name, value in data.items())
        return f'<script src="{self.base}/widget.js"{given} async></script>'

    def visit_plainly(self, page: str, headers: dict[str, str] | None = None) -> None:
        """A page with that body."""
        head = "<head><title>门户</title><link rel=icon href=data:,></head>"
        self.portal.page = f"<!DOCTYPE html><html lang=en>{head}<body>{page}</body></html>"
        self.portal.headers = headers or {}
        self.browser.open(self.origin)

    def visit(self, page: str, headers: dict[str, str] | None = None):
        """The page, and the widget's insides."""
        self.visit_plainly(page, headers)
        return self.browser.closed("kewen-widget")


@pytest.fixture(scope="module")
def assistant(shared_home):
    """One for all tests here, which only ask it."""
    return Assistant(load_settings({"home": shared_home}, {}))


@pytest.fixture(scope="module")
def portal():
    made = Portal()
    with running(made.app, listen()) as made.origin:
        yield made


@pytest.fixture(scope="module")
def stage(portal):
    made = Stage(portal.origin)
    with running(made.app, listen()) as made.base:
        yield made


@pytest.fixture(scope="module")
def service(assistant, portal):
    """The base URL of the real service, which lets the portal in."""
    listener = listen()
    port = listener.getsockname()[1]
    own = replace(assistant.settings, port=port, allowed_origins=(portal.origin,))
    with running(create_app(assistant, own), listener) as base:
        yield base


@pytest.fixture
def site(browser, portal, stage):
    stage.asked = []
    with ExitStack() as stack:
        yield Site(browser, portal, stage, stack)


@pytest.fixture
def real(site, service):
    """The site with the real service."""
    site.base = service
    return site


def start(site, assistant, settings, **changes) -> None:
    """The site with a service of its own settings."""
    listener = listen()
    own = replace(settings, port=listener.getsockname()[1], **{"allowed_origins": (site.origin,), **changes})
    site.serve(create_app(assistant, own), listener)


def acting(site, answer) -> None:
    """The site with the stage, and what it answers."""
    site.stage.answer = answer
    site.base = site.stage.base


def event(name: str, **data) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def whole(question: str, *sentences: str, **changes) -> str:
    """The last event of an answer with these sentences."""
    answer = {
        "question": question, "resolved": question, "answer": "", "abstained": False, "mode": "extractive", "citations": [],
        "sentences": [{"text": x, "citations": [], "marks": [], "label": None} for x in sentences], "hits": [],
    }  # fmt: skip
    return event("answer", **{**answer, **changes})


def streamed(*pieces: str) -> StreamingResponse:
    return StreamingResponse(iter(pieces), media_type="text/event-stream")


def ask(site, box, question: str, end: str = ".turn:last-child :is(.sources, .error, .sentence)") -> None:
    box.run("root.querySelector('textarea').focus()")
    site.browser.type(question)
    site.browser.enter()
    done(site, box, end)


def done(site, box, what: str) -> None:
    script = "return root.querySelector('.send').textContent === '提问' && !!root.querySelector(args[0])"
    site.browser.wait(lambda: box.run(script, what), what)


# -- a question, an answer, its source ------------------------------------------------------------------


def test_a_question_is_answered_with_sources_that_open_at_the_quote(real, browser, assistant):
    box = real.visit(real.script(title="问报告", placeholder="想问什么？"))
    assert not box.shows(".panel")
    box.click(".open")
    assert box.shows(".panel")
    assert box.text("h2") == "问报告"
    assert box.focused() == "textarea."
    assert box.run("return root.querySelector('textarea').placeholder") == "想问什么？"
    browser.type(QUESTION)
    browser.enter()
    done(real, box, ".sources")
    answer = assistant.ask(QUESTION)
    assert box.text(".question").endswith(QUESTION)
    assert box.texts(".sentence") == [f"{answer.sentences[0].text}[1]"]
    assert box.texts(".sentence b") == [answer.sentences[0].text[start:end] for start, end in answer.sentences[0].marks]
    assert box.texts(".sources li") == [f"[1] {citation_label(answer.citations[0].citation)}"]
    assert box.text(".status") == ""
    attributes = "const x = root.querySelector(args[0]); return [x.target, x.rel, x.href]"
    assert box.run(attributes, ".number") == box.run(attributes, ".sources a")
    target, rel, url = box.run(attributes, ".number")
    assert (target, rel) == ("_blank", "noopener noreferrer")
    assert url.startswith(real.base + "/d/")
    box.click(".sources a")
    browser.wait(lambda: len(browser.driver.window_handles) == 3, "the new tab")
    browser.driver.switch_to.window(browser.driver.window_handles[-1])
    top, height, quote, opener = browser.wait(
        lambda: browser.run(
            "const x = document.querySelector('mark#quote'); if (!x || document.readyState !== 'complete') return;"
            "return [x.getBoundingClientRect().top, innerHeight, x.textContent, window.opener]"
        )
    )
    assert 0 < top < height
    assert quote == answer.citations[0].citation.quote
    assert opener is None


def test_what_is_not_in_the_reports_is_said_with_its_reason(real, assistant):
    box = real.visit(real.script())
    box.click(".open")
    ask(real, box, NOT_SAID)
    answer = assistant.ask(NOT_SAID)
    assert answer.reason is not None
    assert answer.text in box.text(".turn")
    assert "相近的段落（不是答案）" in box.text(".turn")
    assert len(box.texts(".sources li")) == 3
    assert box.texts(".sentence") == []


def test_a_second_question_goes_on_from_the_first(real):
    box = real.visit(real.script())
    box.click(".open")
    ask(real, box, "2022年黄浦在金融科技方面做了什么？")
    ask(real, box, "那2025年呢？")
    assert len(box.texts(".turn")) == 2
    resolved = box.text(".turn:last-child .notice")
    assert resolved.startswith("理解为：")
    assert "2025" in resolved
    assert "黄浦" in resolved


def test_a_service_that_gives_passages_alone_is_shown_so(site, assistant, settings):
    own = replace(settings, answer_mode="passages")
    start(site, Assistant(own), own)
    box = site.visit(site.script())
    box.click(".open")
    ask(site, box, QUESTION)
    assert box.text(".status") == "相关的段落"
    assert len(box.texts(".sources li")) == own.top_k
    assert any("449 家" in x for x in box.texts(".passage"))


def test_sentences_appear_as_they_come_and_the_last_word_counts(site):
    opened = []

    async def tell():
        cited = [{"number": 1, "url": "https://kewen.test/d/x", "label": "出处甲"}]
        said = {"citations": [1], "marks": [[0, 2]], "label": "2022年"}
        text = event("sentence", text="𠮷野家的报告", new_citations=cited, **said) + event(
            "notice", message="有一句被略去。"
        )
        raw = text.encode()
        for n in range(0, len(raw), 7):  # in pieces that cut characters and lines
            yield raw[n : n + 7]
            await asyncio.sleep(0.003)
        while not opened:
            await asyncio.sleep(0.01)
        yield whole(
            "问", sentences=[{"text": "改定的话", "citations": [1], "marks": [], "label": None}], citations=cited
        )

    acting(site, lambda _: StreamingResponse(tell(), media_type="text/event-stream"))
    box = site.visit(site.script())
    box.click(".open")
    box.run("root.querySelector('textarea').focus()")
    site.browser.type("问")
    site.browser.enter()
    site.browser.wait(lambda: box.text(".notice"))
    assert box.text(".sentence") == "2022年：𠮷野家的报告[1]"
    assert box.text(".sentence b") == "𠮷野"
    assert box.text(".send") == "停止"
    assert box.text(".status") == "正在查找…"
    site.browser.enter()
    assert len(box.texts(".turn")) == 1
    opened.append(True)
    done(site, box, ".sources")
    assert box.texts(".sentence") == ["改定的话[1]"]
    assert box.text(".notice") == "有一句被略去。"


# -- what goes wrong -------------------------------------------------------------------------------------


def test_a_page_that_is_not_let_in_is_told_what_to_do(site, assistant, settings):
    start(site, assistant, settings, allowed_origins=())
    box = site.visit(site.script())
    box.click(".open")
    ask(site, box, QUESTION)
    assert box.text(".error") == f"问答服务没有允许本网页（{site.origin}）提问。请告诉管理员把它列入 allowed_origins。"
    assert box.run("return root.querySelector('textarea').value") == QUESTION


def test_a_service_that_is_down_is_told_as_that(site, assistant, settings):
    listener = listen()
    own = replace(settings, allowed_origins=(site.origin,))
    with running(create_app(assistant, own), listener) as site.base:
        box = site.visit(site.script())
        box.click(".open")
    ask(site, box, QUESTION)
    assert box.text(".error") == "连不上问答服务，请稍后再试。"
    assert box.run("return root.querySelector('textarea').value") == QUESTION


def test_keys_and_limits_are_told_in_words_for_a_visitor(site, settings, tmp_path):
    own = load_settings({"home": tmp_path / "own", "rate_limit": 2}, {})
    key = KeyRing(own).add("门户", "widget")
    start(site, Assistant(replace(own, home=settings.home)), own)
    box = site.visit(site.script())
    box.click(".open")
    ask(site, box, QUESTION)
    assert box.text(".error") == "问答框的密钥不对，或已失效。请告诉本网页的管理员。"
    box = site.visit(site.script(key=key))
    box.click(".open")
    ask(site, box, QUESTION)
    assert "449 家" in box.text(".sentence")
    ask(site, box, QUESTION)
    ask(site, box, QUESTION)
    assert re.fullmatch(r"问得太快了，请 [1-9]\d? 秒后再问。", box.text(".turn:last-child .error"))


SAID = {"text": "半句", "citations": [], "marks": [], "label": None, "new_citations": []}
FAULTS = {
    "a proxy's page": (lambda _: HTMLResponse("<h1>Bad Gateway</h1>", 502), "问答服务出错（502）。请稍后再试。"),
    "its own words": (
        lambda _: JSONResponse({"error": {"message": "问题太长。<b>x</b>"}}, 422),
        "问题太长。<b>x</b>",
    ),
    "429 without a time": (lambda _: JSONResponse({"error": {}}, 429), "问得太快了，请稍后再问。"),
    "a stream that breaks off": (lambda _: streamed(event("sentence", **SAID)), "回答没有说完就中断了，请再问一次。"),
    "an error within": (
        lambda _: streamed(event("sentence", **SAID), event("error", message="服务内部出错。")),
        "服务内部出错。",
    ),
    "another version": (lambda _: streamed("event: answer\ndata: null\n\n"), "回答没有说完就中断了，请再问一次。"),
    "nonsense": (lambda _: streamed("event: answer\ndata: {\n\n"), "回答没有说完就中断了，请再问一次。"),
}


def test_every_fault_has_its_words_and_the_box_goes_on(site):
    faults = iter(FAULTS.values())
    acting(site, lambda body: next(faults)[0](body))
    box = site.visit(site.script())
    box.click(".open")
    for _, message in FAULTS.values():
        box.run("root.querySelector('textarea').value = ''")
        ask(site, box, "问", ".turn:last-child .error")
        assert box.text(".turn:last-child .error") == message
    assert site.asked[-1]["history"] == []


def test_a_question_can_be_stopped_and_the_next_one_asked(site):
    ended = []

    async def endless():
        try:
            while True:
                yield event("notice", message="还在想")
                await asyncio.sleep(0.02)
        finally:
            ended.append(True)

    acting(
        site,
        lambda body: (
            StreamingResponse(endless(), media_type="text/event-stream")
            if body["question"] == "慢"
            else streamed(whole("快", "答"))
        ),
    )
    box = site.visit(site.script())
    box.click(".open")
    box.run("root.querySelector('textarea').focus()")
    site.browser.type("慢")
    site.browser.enter()
    site.browser.wait(lambda: box.text(".notice"))
    box.click(".send")
    done(site, box, ".status")
    assert box.text(".status") == "已停止。"
    site.browser.wait(lambda: ended, "the service to notice")
    box.run("root.querySelector('textarea').value = ''")
    ask(site, box, "快")
    assert box.text(".turn:last-child .sentence") == "答"
    assert [x["history"] for x in site.asked] == [[], []]


def test_questions_that_were_answered_go_along_as_history_and_the_key_as_a_header(site):
    acting(site, lambda body: streamed(whole(body["question"], "答")))
    box = site.visit(site.script(key="kw-x"))
    box.click(".open")
    for n in range(12):
        ask(site, box, f"第{n}问", f".turn:nth-child({n + 1}) .sentence")
    assert site.asked[0] == {"question": "第0问", "history": [], "stream": True, "authorization": "Bearer kw-x"}
    assert site.asked[11]["history"] == [f"第{n}问" for n in range(1, 11)]


# -- the page around it ---------------------------------------------------------------------------------


def test_the_style_of_a_hostile_page_does_not_reach_the_box_and_its_own_does_not_leak(site):
    acting(site, lambda body: streamed(whole(body["question"], "答")))
    look = (
        "const x = root.querySelector(args[0]), s = getComputedStyle(x), r = x.getBoundingClientRect();"
        "return [r.x, r.y, r.width, r.height, s.color, s.fontSize, s.fontFamily, s.visibility, s.backgroundColor]"
    )
    outside = "return [...document.querySelectorAll('h1, p, button')].map(x => getComputedStyle(x).cssText)"
    plain = "<h1>门户</h1><p class=sentence>正文</p><button class=open>钮</button>"
    places = (".open", ".panel", "h2", "textarea", ".send", ".sentence")
    seen = []
    for style in ("", HOSTILE):
        site.visit_plainly(f"{style}{plain}")
        before = site.browser.run(outside)
        box = site.visit(f"{style}{plain}{site.script()}")
        box.click(".open")
        ask(site, box, "问", ".sentence")
        assert all(box.shows(x) for x in places)
        seen.append([box.run(look, x) for x in places])
        assert site.browser.run(outside) == before
    assert seen[0] == seen[1]


CSP = "default-src 'none'; script-src {base}; connect-src {base}; img-src data:; require-trusted-types-for 'script'"


def test_a_strict_policy_of_the_page_is_enough_for_the_box(real, browser):
    box = real.visit(real.script(), {"Content-Security-Policy": CSP.format(base=real.base)})
    box.click(".open")
    assert box.rectangle(".panel")["width"] == 400
    ask(real, box, QUESTION)
    assert "449 家" in box.text(".sentence")
    assert browser.messages() == []


def test_a_policy_that_shuts_the_service_out_is_told_as_that(real):
    policy = f"default-src 'none'; script-src {real.base}; img-src data:"
    box = real.visit(real.script(), {"Content-Security-Policy": policy})
    box.click(".open")
    ask(real, box, QUESTION)
    assert box.text(".error") == "本网页的内容安全策略（CSP）不允许连接问答服务。请告诉本网页的管理员。"


ATTACK = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


def test_nothing_that_a_document_or_a_question_says_becomes_html(site, browser, make_folder, tmp_path):
    text = f"一、总体情况{ATTACK}\n\n全市共有企业449家{ATTACK}，\u202e研发投入持续增长。\n"
    folder = make_folder({"evil.txt": text}, title=f"年报{ATTACK}")
    own = load_settings({"home": tmp_path / "own", "reports": folder, "min_confidence": 0.0}, {})
    assistant = Assistant(own)
    start(site, assistant, own)
    box = site.visit(site.script(title="&quot;><img src=x>", placeholder="<b>"))
    box.click(".open")
    ask(site, box, f"全市共有多少家企业？{ATTACK}")
    assert ATTACK in box.text(".question")
    assert "449家<img" in box.text(".sentence")
    assert ATTACK in box.text(".sources li")
    assert "\u202e" not in box.text(".log")
    assert box.run("return root.querySelectorAll('img, script, [onerror]').length") == 0
    assert box.text("h2") == '"><img src=x>'
    assert browser.driver.title == "门户"


@pytest.mark.parametrize(
    "url", ["javascript:document.title='taken'", "data:text/html,x", "//", "", "JaVaScRiPt:1", "file:///etc"]
)
def test_only_web_addresses_become_links(site, url):
    cited = [{"number": 1, "url": url, "label": "出处"}]
    said = [{"text": "话", "citations": [1, 2], "marks": [], "label": None}]
    acting(site, lambda _: streamed(whole("问", sentences=said, citations=cited)))
    box = site.visit(site.script())
    box.click(".open")
    ask(site, box, "问")
    assert box.text(".sentence") == "话[1][2]"
    assert box.text(".sources") == "[1] 出处"
    assert box.run("return root.querySelectorAll('a').length") == 0


def test_the_page_can_not_look_inside(real, browser):
    real.visit_plainly("")
    names = browser.run("return Object.keys(window)")
    real.visit(real.script(key="kw-x"))
    assert browser.run("return Object.keys(window)") == names
    assert browser.run("return document.querySelector('kewen-widget').shadowRoot") is None
    assert browser.run("return document.querySelector('kewen-widget').textContent") == ""


# -- keyboard, screen reader, input method ----------------------------------------------------------------


def test_the_keyboard_is_enough(site, browser):
    acting(site, lambda body: streamed(whole(body["question"], "答")))
    watch = "<script>window.keys = []; addEventListener('keydown', e => keys.push(e.key))</script>"
    box = site.visit(f"{watch}{site.script()}")
    browser.tab()
    assert box.focused() == "button.open"
    browser.enter()
    assert box.focused() == "textarea."
    browser.enter()
    assert box.texts(".turn") == []
    browser.type("一")
    browser.enter(modifiers=8)  # with Shift
    browser.type("二")
    assert box.texts(".turn") == []
    browser.enter()
    done(site, box, ".sentence")
    assert site.asked[0]["question"] == "一\n二"
    browser.tab()
    assert box.focused() == "button.send"
    browser.escape()
    assert not box.shows(".panel")
    assert box.focused() == "button.open"
    box.click(".open")
    assert box.texts(".sentence") == ["答"]
    box.click(".close")
    assert not box.shows(".panel")
    # What is typed here is none of the page's shortcuts.
    assert browser.run("return keys") == ["Tab"]


def test_enter_and_escape_that_belong_to_an_input_method_do_nothing_else(site, browser):
    acting(site, lambda body: streamed(whole(body["question"], "答")))
    box = site.visit(site.script())
    box.click(".open")
    browser.cdp("Input.imeSetComposition", text="shang", selectionStart=5, selectionEnd=5)
    browser.press("Enter", 229)
    browser.press("Escape", 229)
    composing = (
        "for (const key of ['Enter', 'Escape']) root.querySelector('textarea').dispatchEvent("
        "new KeyboardEvent('keydown', { key, isComposing: true, bubbles: true, composed: true, cancelable: true }))"
    )
    box.run(composing)
    assert box.shows(".panel")
    assert box.texts(".turn") == []
    browser.type("上海")
    assert box.run("return root.querySelector('textarea').value") == "上海"
    browser.enter()
    done(site, box, ".sentence")
    assert [x["question"] for x in site.asked] == ["上海"]


def test_a_screen_reader_is_told_what_everything_is(site, browser):
    acting(site, lambda body: streamed(whole(body["question"], "答案在此")))
    box = site.visit(site.script(title="问报告"))
    tree = lambda: [  # noqa: E731
        (
            x["role"]["value"],
            x.get("name", {}).get("value", ""),
            {y["name"]: y["value"].get("value") for y in x["properties"]},
        )
        for x in browser.cdp("Accessibility.getFullAXTree")["nodes"]
        if not x["ignored"]
    ]
    browser.cdp("Accessibility.enable")
    found = {role: (name, more) for role, name, more in tree()}
    assert found["button"][0] == "问报告"
    assert found["button"][1]["expanded"] is False
    assert "dialog" not in found
    box.click(".open")
    ask(site, box, "问")
    found = {role: (name, more) for role, name, more in tree() if role != "button"}
    assert found["dialog"][0] == "问报告"
    assert found["log"][0] == "问与答"
    assert found["log"][1]["live"] == "polite"
    assert found["textbox"][0] == "问题"
    assert {name for role, name, _ in tree() if role == "button"} == {"问报告", "关闭", "提问"}


# -- where it stands ------------------------------------------------------------------------------------


def test_in_a_target_the_box_stands_in_the_page(real, browser):
    box = real.visit(
        f"<main><h1>门户</h1><div id=here style='width:600px'></div></main>{HOSTILE.replace('body, body *, div,', 'p,')}"
        + real.script(target="#here", title="问报告")
    )
    assert box.run("return root.querySelectorAll('.open, .close, [role=dialog]').length") == 0
    assert box.rectangle(".panel")["width"] == 600
    assert box.run("return root.querySelector('.panel').getAttribute('aria-label')") == "问报告"
    ask(real, box, QUESTION)
    assert "449 家" in box.text(".sentence")
    assert browser.run("return document.querySelector('#here').firstElementChild.localName") == "kewen-widget"


@pytest.mark.parametrize("target", ["#nowhere", "###"])
def test_a_target_that_is_not_there_is_told_and_the_button_appears(real, browser, target):
    box = real.visit(real.script(target=target))
    assert box.shows(".open")
    assert any("data-target" in x for x in browser.messages())


def test_two_boxes_do_not_clash(site, browser):
    acting(site, lambda body: streamed(whole(body["question"], body["question"])))
    site.visit(site.script(title="甲") + site.script(title="乙", key="kw-2"))
    first, second = browser.closed("kewen-widget", 0), browser.closed("kewen-widget", 1)
    boxes = sorted((x.rectangle(".open") for x in (first, second)), key=lambda x: x["x"])
    assert boxes[0]["right"] < boxes[1]["x"]
    assert boxes[1]["right"] < 1280
    for box in (first, second):
        box.click(".open")
        ask(site, box, box.text("h2"))
        browser.escape()
    assert [x.texts(".sentence") for x in (first, second)] == [[x.text("h2")] for x in (first, second)]
    assert {x["authorization"] for x in site.asked} == {None, "Bearer kw-2"}


def test_on_a_phone_it_takes_the_whole_screen(real, browser):
    browser.size(390, 800, mobile=True)
    box = real.visit("<meta name=viewport content='width=device-width'>" + real.script())
    box.click(".open")
    panel = box.rectangle(".panel")
    assert (panel["x"], panel["y"], panel["width"], panel["height"]) == (0, 0, 390, 800)
    assert box.rectangle(".close")["width"] >= 44
    # Smaller letters make a phone zoom in.
    assert box.run("return parseFloat(getComputedStyle(root.querySelector('textarea')).fontSize)") >= 16
    ask(real, box, QUESTION)
    assert box.run("const x = root.querySelector('.log'); return x.scrollWidth <= x.clientWidth")


def _contrast(first: str, second: str) -> float:
    """WCAG 2.2, contrast ratio of two `rgb(…)`."""

    def luminance(colour: str) -> float:
        parts = [int(x) / 255 for x in re.findall(r"\d+", colour)[:3]]
        linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
        return sum(x * y for x, y in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read_by_day_and_by_night(real, browser, scheme):
    browser.scheme(scheme)
    box = real.visit(real.script())
    box.click(".open")
    ask(real, box, QUESTION)
    ask(real, box, NOT_SAID)
    style = "return getComputedStyle(root.querySelector(args[0]))[args[1]]"
    paper = box.run(style, ".panel", "backgroundColor")
    assert (_contrast(paper, "rgb(0,0,0)") > 10) == (scheme == "light")
    for name in (
        ".sentence",
        ".sentence b",
        ".number",
        ".sources a",
        ".passage",
        ".status",
        "h2",
        "textarea",
        ".close",
    ):
        assert _contrast(box.run(style, name, "color"), paper) >= 4.5, name
    for name in (".send", ".open", ".question"):
        assert _contrast(box.run(style, name, "color"), box.run(style, name, "backgroundColor")) >= 4.5, name

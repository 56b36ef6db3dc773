"""The pipe function for Open WebUI: run as Open WebUI runs it, against a kewen that listens."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
import types
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from service.assistant import Assistant
from service.settings import Settings, load_settings
from tests.live import serving

FILE = Path(__file__).parent.parent / "integrations" / "open_webui" / "kewen_pipe.py"
QUESTION = "宝山区有多少家生物医药企业？"


@pytest.fixture(scope="module")
def module() -> Iterator[types.ModuleType]:
    """Loaded as Open WebUI loads it (backend/open_webui/utils/plugin.py): by `exec`, in a module without a file."""
    loaded = types.ModuleType("function_kewen")
    sys.modules["function_kewen"] = loaded
    exec(FILE.read_text(encoding="utf-8"), loaded.__dict__)  # noqa: S102
    yield loaded
    del sys.modules["function_kewen"]


@pytest.fixture(scope="module")
def url(shared_home: Path) -> Iterator[str]:
    with serving(load_settings({"home": shared_home}, {})) as address:
        yield address


Ask = Callable[..., tuple[str, list[dict[str, Any]]]]


@pytest.fixture
def ask(module: types.ModuleType, url: str) -> Ask:
    """Ask as Open WebUI does: what is answered, and the events."""

    def asked(*questions: Any, valves: dict[str, Any] | None = None, **given: Any) -> tuple[str, list[dict[str, Any]]]:
        pipe = module.Pipe()
        pipe.valves = pipe.Valves(**{"base_url": url, **(valves or {})})
        messages: list[dict[str, Any]] = [{"role": "system", "content": "你是助手"}]
        for question in questions:
            messages += [{"role": "user", "content": question}, {"role": "assistant", "content": "（回答）"}]
        events: list[dict[str, Any]] = []

        async def emitter(event: dict[str, Any]) -> None:
            events.append(json.loads(json.dumps(event)))

        given = {"__event_emitter__": emitter, **given}
        text = asyncio.run(pipe.pipe({"model": "kewen", "messages": messages[:-1]}, **given))
        return text, events

    return asked


@pytest.fixture
def stand_in() -> Iterator[Callable[[int, Any], str]]:
    """A server that answers everything with the same."""
    answer: list[Any] = [200, {}]
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            data = answer[1] if isinstance(answer[1], bytes) else json.dumps(answer[1]).encode()
            self.send_response(answer[0])
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()

    def answering(status: int, body: Any) -> str:
        answer[:] = [status, body]
        return f"http://127.0.0.1:{server.server_port}"

    answering.asked = asked  # type: ignore[attr-defined]
    yield answering
    server.shutdown()
    server.server_close()
    thread.join()


def sources(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [x["data"] for x in events if x["type"] == "source"]


def passages(events: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Quote and metadata of every passage, as Open WebUI numbers them."""
    found = [x for data in sources(events) for x in zip(data["document"], data["metadata"], strict=True)]
    assert len({x["source"] for _, x in found}) == len({x["name"] for _, x in found}) == len(found)
    return found


def statuses(events: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    return [(x["data"]["description"], x["data"]["done"]) for x in events if x["type"] == "status"]


# -- the file ---------------------------------------------------------------------------------------


def test_the_file_says_what_it_is():
    head = FILE.read_text(encoding="utf-8").split('"""')[1]
    told = dict(re.findall(r"^\s*([a-z_]+):\s*(.*)\s*$", head, re.MULTILINE))
    assert told["title"] == "科问 kewen"
    assert told["author"] == "kewen"
    assert re.fullmatch(r"\d+\.\d+\.\d+", told["version"])
    assert told["requirements"] == "httpx"


def test_it_stands_alone():
    text = FILE.read_text(encoding="utf-8")
    imported = re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)
    assert set(imported) - set(sys.stdlib_module_names) == {"httpx", "pydantic"}


def test_the_key_is_hidden_in_the_console(module: types.ModuleType):
    properties = module.Pipe.Valves.model_json_schema()["properties"]
    assert set(properties) == {"base_url", "api_key", "top_k", "timeout"}
    assert properties["api_key"]["input"] == {"type": "password"}


# -- answers ----------------------------------------------------------------------------------------


def test_an_answer_with_its_source(ask: Ask, url: str):
    text, events = ask(QUESTION)
    assert "449 家" in text
    assert "[1]" in text
    assert "来源" not in text, "the sources are events"
    assert [x["type"] for x in events] == ["status", "source", "status"]
    assert statuses(events) == [("正在查找……", False), ("找到 1 份报告中的依据", True)]
    [data] = sources(events)
    assert set(data) == {"source", "document", "metadata"}
    assert set(data["source"]) == {"id", "name", "url"}
    assert data["source"]["url"] == f"{url}/d/{data['source']['id']}"
    [(quote, metadata)] = passages(events)
    assert "449 家" in quote
    assert metadata["source"] == metadata["url"] == metadata["source_url"]
    assert metadata["url"].startswith(f"{data['source']['url']}?at=")
    assert metadata["name"].startswith("《")
    assert "行" in metadata["name"]


def test_numbers_are_places_among_the_passages(ask: Ask):
    text, events = ask("2022年和2025年的科普活动有什么不同？", valves={"top_k": 20})
    found = passages(events)
    assert len(found) > 1
    assert {int(n) for n in re.findall(r"\[(\d+)\]", text)} == set(range(1, len(found) + 1))
    for block in text.split("\n\n"):
        for number in re.findall(r"\[(\d+)\]", block):
            quote = re.sub(r"\s", "", found[int(number) - 1][0])
            said = re.sub(r"\s|\[\d+\]", "", block)
            assert said.endswith(quote) or quote in said
    ids = [data["source"]["id"] for data in sources(events)]
    assert len(ids) == len(set(ids)), "one event for each report"


def test_reports_that_take_turns_keep_their_numbers(ask: Ask, stand_in: Any):
    def cited(number: int, report: str, quote: str, place: int = 0) -> dict[str, Any]:
        url = f"https://k.cn/d/{report}?at={place or number}#quote"
        return {
            "number": number,
            "document_id": report,
            "title": report,
            "year": 2025,
            "label": f"《{report}》第 1 行",
            "url": url,
            "quote": quote,
        }

    citations = [cited(1, "a", "甲一"), cited(2, "b", "乙"), cited(3, "a", "甲二"), cited(4, "a", "甲一", place=1)]
    sentences = [{"text": x["quote"], "citations": [x["number"]], "label": None} for x in citations]
    sentences.append({"text": "总", "citations": [1, 2, 3, 4], "label": "合计"})
    answer = {
        "question": "问",
        "resolved": "问得全",
        "mode": "extractive",
        "abstained": False,
        "sentences": sentences,
        "citations": citations,
        "notices": ["略去一句"],
        "hits": [],
    }
    text, events = ask("问", valves={"base_url": stand_in(200, answer)})
    assert text.split("\n\n") == [
        "问的是：问得全",
        "注意：略去一句",
        "甲一[1]",
        "乙[3]",
        "甲二[2]",
        "甲一[1]",
        "合计：总[1][3][2]",
    ]
    assert [quote for quote, _ in passages(events)] == ["甲一", "甲二", "乙"]
    assert [x["name"] for _, x in passages(events)] == ["《a》第 1 行", "《a》第 1 行（之2）", "《b》第 1 行"]
    assert statuses(events)[-1] == ("找到 2 份报告中的依据", True)


def test_a_follow_up_is_understood_by_the_questions_before_it(ask: Ask):
    text, _ = ask(QUESTION, "黄浦区呢？")
    assert "问的是：黄浦区有多少家生物医药企业" in text
    alone, _ = ask("黄浦区呢？")
    assert "问的是" not in alone


def test_what_is_sent(ask: Ask, stand_in: Any):
    url = stand_in(200, {})
    picture = {"type": "image_url", "image_url": {"url": "data:"}}
    parts = [{"type": "text", "text": "一"}, picture, {"type": "text", "text": "二"}]
    ask(*[f"问{n}" for n in range(12)], "长" * 3000, "", parts, valves={"base_url": f"{url}/", "top_k": 7})
    assert stand_in.asked == [
        {"question": "一\n二", "history": [f"问{n}" for n in range(2, 12)], "top_k": 7},
    ]


def test_no_answer_is_said_in_words(ask: Ask):
    text, events = ask("浦东机场有几条跑道？")
    assert text.startswith("所收报告中没有找到依据。")
    assert "相近的段落（不是答案）" in text
    assert "](http://127.0.0.1:" in text
    assert not sources(events)
    assert statuses(events)[-1] == ("没有找到依据", True)


def test_passages_where_kewen_gives_passages_alone(ask: Ask, settings: Settings):
    with serving(replace(settings, answer_mode="passages")) as address:
        text, events = ask(QUESTION, valves={"base_url": address, "top_k": 3})
    assert [int(n) for n in re.findall(r"^\[(\d+)\]", text, re.MULTILINE)]
    assert len(passages(events)) == 3


def test_without_events_the_sources_stand_in_the_text(ask: Ask):
    text, _ = ask(QUESTION, __event_emitter__=None)
    assert re.search(r"来源：\n\n- \[1\] \[《.+\]\(http://127\.0\.0\.1:\d+/d/[^)\s]+\)$", text)


def test_a_broken_emitter_takes_nothing_away(ask: Ask):
    async def broken(event: dict[str, Any]) -> None:
        raise ConnectionError

    text, _ = ask(QUESTION, __event_emitter__=broken)
    assert "449 家" in text


@pytest.mark.parametrize(
    "evil",
    [
        "![x](http://evil.cn/a.png)",
        "[点此](javascript:alert(1))",
        "<img src=x onerror=alert(1)>",
        "&lt;b&gt; &#60;",
        "$x^2$ \\[y\\] \\(z\\)",
        "[1] [2]",
        "{{HTML_FILE_ID_1}}",
        "http://evil.cn www.evil.cn a@evil.cn",
        "# 标题",
        "1. 项",
        "> 引",
        "```js",
        "甲\u202e乙\x07",
        "甲\n# 乙",
    ],
)
def test_text_of_reports_makes_no_markdown(module: types.ModuleType, evil: str):
    for line in (module._safe(evil), *module._quote(evil).split("\n\n")):
        assert not re.search(r"[\\`*_\[\]<>|~$@{}\x00-\x1f\u202e]|://|www\.|&\w+;|&#|^[#>]|^\d+\.", line)
    assert module._safe("研发投入强度达到4.4%左右（第1.2节）") == "研发投入强度达到4.4%左右（第1.2节）"


# -- what goes wrong --------------------------------------------------------------------------------


def test_a_server_that_is_down(ask: Ask):
    text, events = ask(QUESTION, valves={"base_url": "http://127.0.0.1:9"})
    assert text.startswith("连不上科问服务")
    assert statuses(events) == [("正在查找……", False), ("没有答成", True)]


@pytest.mark.parametrize("address", ["", "ftp://a", "http://", "://", "http://[", "http://127.0.0.1:999999"])
def test_an_address_that_is_none(ask: Ask, address: str):
    text, _ = ask(QUESTION, valves={"base_url": address})
    assert "base_url" in text or "管理员" in text


def test_keys(ask: Ask, settings: Settings, assistant: Assistant):
    key = "a-key-that-is-long-enough-0123456789"
    with serving(replace(settings, api_key=key), assistant) as address:
        for wrong in ("", "wrong"):
            text, events = ask(QUESTION, valves={"base_url": address, "api_key": wrong})
            assert text == "科问服务不认密钥。请管理员核对函数阀门中的 api_key。"
            assert statuses(events)[-1] == ("没有答成", True)
        for end in ("", "/", "/v1", "/v1/ "):
            text, events = ask(QUESTION, valves={"base_url": f"{address}{end}", "api_key": f" {key}\n"})
            assert "449 家" in text
    assert "&sign=" in passages(events)[0][1]["url"]


def test_a_key_that_can_not_be_sent(ask: Ask):
    text, _ = ask(QUESTION, valves={"api_key": "密钥"})
    assert text == "科问服务不认密钥。请管理员核对函数阀门中的 api_key。"


def test_a_question_that_kewen_refuses(ask: Ask):
    text, _ = ask("长" * 3000)
    assert "2000" in text
    assert len(text) < 300


@pytest.mark.parametrize("questions", [("",), (None,), ([{"type": "image_url"}],)])
def test_no_question(ask: Ask, questions: tuple[Any, ...]):
    text, _ = ask(*questions)
    assert text == "请用一句话写出要问的内容。"


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, b"<html>", "读不懂"),
        (200, [], "读不懂"),
        (200, {"answer": 3}, "读不懂"),
        (404, b"<html>", "读不懂"),
        (302, b"", "读不懂"),
        (500, b"Traceback", "暂时不能作答（500）"),
        (503, {"error": {"code": "index_unavailable", "message": "索引在 /home/x"}}, "暂时不能作答（503）"),
        (429, {"error": {"code": "too_many_requests", "message": "太多了[x](http://a)"}}, "太多了［x］(http：//a)"),
        (422, {"error": "x"}, "读不懂"),
    ],
)
def test_answers_of_another_form(ask: Ask, stand_in: Any, status: int, body: Any, said: str):
    text, events = ask(QUESTION, valves={"base_url": stand_in(status, body)})
    assert said in text
    assert "Traceback" not in text
    assert "/home" not in text
    assert statuses(events)[-1] == ("没有答成", True)


def test_a_server_that_does_not_answer(ask: Ask):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        text, _ = ask(QUESTION, valves={"base_url": address, "timeout": 0.05})
    assert text == "等了 0.05 秒，科问服务还没有答复。请稍后再试。"


# -- tasks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "answered"),
    [
        ("tags_generation", {"tags": []}),
        ("follow_up_generation", {"follow_ups": []}),
        ("query_generation", {"queries": []}),
        ("autocomplete_generation", {"text": ""}),
        ("function_calling", {"tool_calls": []}),
        ("TASKS.TAGS_GENERATION", {"tags": []}),
    ],
)
@pytest.mark.parametrize("way", ["__task__", "__metadata__"])
def test_tasks_are_done_without_a_search(ask: Ask, stand_in: Any, task: str, answered: dict[str, Any], way: str):
    given = {"__task__": task} if way == "__task__" else {"__metadata__": {"task": task}}
    text, events = ask("### Task:\nGenerate…", valves={"base_url": stand_in(200, {})}, **given)
    assert json.loads(text) == answered
    assert events == []
    assert stand_in.asked == []


def test_a_title_is_the_first_question(ask: Ask, stand_in: Any):
    url = stand_in(200, {})
    told = {"messages": [{"role": "user", "content": QUESTION * 3}, {"role": "assistant", "content": "449 家"}]}
    prompt = "### Task:\nGenerate a concise title"
    for given in ({"__task_body__": told}, {"__metadata__": {"task": "title_generation", "task_body": told}}):
        text, _ = ask(prompt, valves={"base_url": url}, __task__="title_generation", **given)
        assert json.loads(text) == {"title": (QUESTION * 3)[:30]}
    text, _ = ask(prompt, valves={"base_url": url}, __task__="title_generation")
    assert json.loads(text) == {"title": "科问"}
    assert stand_in.asked == []


@pytest.mark.parametrize("task", ["moa_response_generation", "emoji_generation", "something_new"])
def test_other_tasks_are_not_searched_either(ask: Ask, stand_in: Any, task: str):
    text, events = ask("x", valves={"base_url": stand_in(200, {})}, __task__=task)
    assert text == ("科问只依据报告作答，不合并其他模型的回答。" if task.startswith("moa") else "")
    assert (events, stand_in.asked) == ([], [])

"""OpenAI's Chat Completions and Models, by OpenAI's own client against a running service."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import openai
import pytest

from service.chores import is_chore
from service.errors import KewenError
from service.keys import KeyRing
from service.llm import ChatModel
from service.settings import load_settings
from tests.live import serving

QUESTION = "宝山区有多少家生物医药企业？"
ABSENT = "上海有多少家火锅店？"


def ask(client, content=QUESTION, **more):
    return client.chat.completions.create(model="kewen", messages=[{"role": "user", "content": content}], **more)


def marks(message):
    """What each annotation covers."""
    return [message.content[a.url_citation.start_index : a.url_citation.end_index] for a in message.annotations]


# -- whole ----------------------------------------------------------------------------------------


def test_an_answer_with_its_citations(client, url):
    done = ask(client)
    message = done.choices[0].message
    assert done.object == "chat.completion"
    assert done.choices[0].finish_reason == "stop"
    assert message.role == "assistant"
    assert "449 家" in message.content
    assert marks(message) == ["[1]"]
    cited = message.annotations[0].url_citation
    assert "宝山区2026年科技创新计划" in cited.title or "宝山" in cited.title
    assert cited.url.startswith(f"{url}/d/")
    assert "来源：\n- [1] [" in message.content
    assert cited.url in message.content
    assert done.usage.total_tokens == done.usage.prompt_tokens + done.usage.completion_tokens
    assert done.usage.prompt_tokens > 5
    assert done.kewen["abstained"] is False


def test_the_link_opens_the_source_at_the_quote(client):
    cited = ask(client).choices[0].message.annotations[0].url_citation
    page = httpx.get(cited.url)
    assert page.status_code == 200
    assert "449 家" in page.text[page.text.index("<mark") : page.text.index("</mark>")]


def test_no_answer_is_an_answer_that_says_so(client):
    done = ask(client, ABSENT)
    assert done.choices[0].finish_reason == "stop"
    assert "没有找到依据" in done.choices[0].message.content
    assert done.choices[0].message.annotations == []
    assert done.kewen["abstained"] is True


def test_a_follow_up_is_resolved_by_what_was_asked_before(client):
    done = client.chat.completions.create(
        model="kewen",
        messages=[
            {"role": "system", "content": "你是助手"},
            {"role": "user", "content": "2022年徐汇区办了多少场科普活动？"},
            {"role": "assistant", "content": "……"},
            {"role": "user", "content": "那长宁呢？"},
        ],
    )
    assert "长宁" in done.kewen["resolved"]


def test_history_that_can_be_no_question_is_passed_over(client):
    done = client.chat.completions.create(
        model="kewen",
        messages=[
            {"role": "user", "content": "长" * 3000},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]},
            {"role": "user", "content": None},
            {"role": "user", "content": QUESTION},
        ],
    )
    assert "449 家" in done.choices[0].message.content


def test_parts_and_fields_that_mean_nothing_here(client):
    content = [
        {"type": "image_url", "image_url": {"url": "http://127.0.0.1:1/x.png"}},
        {"type": "text", "text": QUESTION},
    ]
    done = ask(
        client,
        content,
        temperature=0.1,
        max_tokens=10**9,
        n=3,
        stop=["。"],
        seed=1,
        user="u",
        top_p=0.5,
        logprobs=True,
        tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}],
        tool_choice="auto",
        response_format={"type": "json_object"},
        metadata={"a": "b"},
        extra_body={"unknown": {"x": [1]}},
    )
    assert len(done.choices) == 1
    assert "449 家" in done.choices[0].message.content


@pytest.mark.parametrize(
    ("knobs", "sees"), [({"sources": False}, False), ({"top_k": 3, "filters": {"years": [2026, 2026]}}, True)]
)
def test_its_own_knobs(client, knobs, sees):
    done = ask(client, extra_body={"kewen": knobs})
    assert ("来源：" in done.choices[0].message.content) is sees
    assert marks(done.choices[0].message) == ["[1]"]


def test_plain_has_no_list_and_passages_have_no_answer(client):
    plain = client.chat.completions.create(model="kewen-plain", messages=[{"role": "user", "content": QUESTION}])
    assert "来源：" not in plain.choices[0].message.content
    assert plain.choices[0].message.content.endswith("[1]")
    many = client.chat.completions.create(model="kewen-passages", messages=[{"role": "user", "content": QUESTION}])
    assert marks(many.choices[0].message) == [f"[{n}]" for n in range(1, 6)]


# -- as a stream ----------------------------------------------------------------------------------


@pytest.mark.parametrize("question", [QUESTION, ABSENT, "2022年和2025年长宁区分别有多少家高新技术企业？"])
def test_a_stream_says_what_the_whole_answer_says(client, question):
    whole = ask(client, question)
    chunks = list(ask(client, question, stream=True))
    assert {x.object for x in chunks} == {"chat.completion.chunk"}
    assert len({(x.id, x.created) for x in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(x.choices[0].delta.content or "" for x in chunks) == whole.choices[0].message.content
    last = chunks[-1].choices[0]
    assert last.finish_reason == "stop"
    assert not last.delta.content
    given = [x["url_citation"] for x in getattr(last.delta, "annotations", None) or []]
    assert given == [x.url_citation.model_dump() for x in whole.choices[0].message.annotations]
    assert all(x.usage is None for x in chunks)


def test_usage_comes_in_a_chunk_of_its_own_and_only_when_asked_for(url, client):
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens == ask(client).usage.total_tokens
    assert chunks[-2].choices[0].finish_reason == "stop"

    def raw(options):
        body = {"model": "kewen", "stream": True, "messages": [{"role": "user", "content": QUESTION}], **options}
        response = httpx.post(f"{url}/v1/chat/completions", json=body)
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["x-accel-buffering"] == "no"
        events = response.text.removesuffix("\n\n").split("\n\n")
        assert events[-1] == "data: [DONE]"
        return [json.loads(x.removeprefix("data: ")) for x in events[:-1]]

    assert all("usage" not in x for x in raw({}))
    with_usage = raw({"stream_options": {"include_usage": True}})
    assert all(x["usage"] is None for x in with_usage[:-1])


def test_async_client_and_fifty_streams_at_once(url):
    async def one(client):
        pieces = []
        async for chunk in await client.chat.completions.create(
            model="kewen", messages=[{"role": "user", "content": QUESTION}], stream=True
        ):
            pieces.append(chunk.choices[0].delta.content or "")
        return "".join(pieces)

    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client:
            whole = await client.chat.completions.create(
                model="kewen", messages=[{"role": "user", "content": QUESTION}]
            )
            return whole.choices[0].message.content, await asyncio.gather(*(one(client) for _ in range(50)))

    whole, streamed = asyncio.run(all_of_them())
    assert streamed == [whole] * 50


def test_a_client_that_leaves_stops_the_work(url, shared_home, monkeypatch):
    begun, closed = threading.Event(), threading.Event()

    def slow(self, messages, seconds):
        begun.set()
        try:
            while True:
                yield "宝山区有 449 家生物医药企业[1]。"
        finally:
            closed.set()

    monkeypatch.setattr(ChatModel, "stream", slow)
    monkeypatch.setattr("service.generation.MOST_SENTENCES", 10**9)
    monkeypatch.setattr("service.generation._MOST_CHARACTERS", 10**12)
    given = {"home": shared_home, "llm_url": "http://127.0.0.1:9/v1", "llm_model": "m"}
    with serving(load_settings(given, {})) as base, httpx.Client() as http:
        body = {"model": "kewen-generative", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
        with http.stream("POST", f"{base}/v1/chat/completions", json=body) as response:
            chunks = response.iter_raw()  # whose end is the connection's
            next(chunks)
            assert begun.wait(30)  # for one who leaves earlier nothing is begun
        assert closed.wait(30)
        assert httpx.get(f"{base}/healthz").status_code == 200


def test_a_model_that_breaks_off_is_said_to_have(shared_home, monkeypatch):
    def broken(self, messages, seconds):
        yield "宝山区集聚生物医药企业 449 家[1]。"
        yield "此外[1]"
        raise KewenError("llm_unavailable", "大语言模型用不了：断了。")

    monkeypatch.setattr(ChatModel, "stream", broken)
    given = {"home": shared_home, "llm_url": "http://127.0.0.1:9/v1", "llm_model": "m"}
    with serving(load_settings(given, {})) as base, openai.OpenAI(base_url=f"{base}/v1", api_key="x") as client:
        asked = {"model": "kewen-generative", "messages": [{"role": "user", "content": QUESTION}]}
        text = "".join(x.choices[0].delta.content or "" for x in client.chat.completions.create(**asked, stream=True))
        whole = client.chat.completions.create(**asked).choices[0].message
    assert "不作数" in text
    assert text.index("不作数") < text.index("来源：")
    assert "断了" in text
    assert "不作数" not in whole.content
    assert marks(whole) == ["[1]"]


# -- what is refused ------------------------------------------------------------------------------


def refused(call):
    with pytest.raises(openai.APIStatusError) as caught:
        call()
    error = caught.value
    assert error.body.keys() == {"message", "type", "param", "code"}
    assert error.request_id
    return type(error), error.body["code"], error.body["param"]


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([{"role": "system", "content": "你好"}], "invalid_request"),
        ([], "invalid_request"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}], "empty_query"),
        ([{"role": "user", "content": "  "}], "empty_query"),
        ([{"role": "user", "content": None}], "empty_query"),
        ([{"role": "user", "content": "长" * 2001}], "query_too_long"),
        ([{"role": "user", "content": "a\x00b"}], "invalid_request"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_messages_without_a_question(client, messages, code, stream):
    kind, given, param = refused(
        lambda: client.chat.completions.create(model="kewen", messages=messages, stream=stream)
    )
    assert (kind, given, param) == (openai.BadRequestError, code, "messages")


def test_an_unknown_model(client):
    asked = {"messages": [{"role": "user", "content": QUESTION}]}
    assert refused(lambda: client.chat.completions.create(model="gpt-5", **asked)) == (
        openai.NotFoundError,
        "model_not_found",
        "model",
    )
    assert refused(lambda: client.models.retrieve("gpt-5")) == (openai.NotFoundError, "model_not_found", "model")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"", 400),
        (b"[]", 400),
        (b'{"model": "kewen"}', 400),
        (b'{"model": 1, "messages": [{"role": "user", "content": "x"}]}', 400),
        (b'{"model": "kewen", "messages": [{"role": "user", "content": NaN}]}', 400),
        (b'{"model": "kewen", "messages": [{"role": "user", "content": "x"}], "kewen": {"top_k": 0}}', 400),
        (b'{"model": "kewen", "messages": [{"role": "user", "content": "x"}], "kewen": {"nonsense": 0}}', 400),
        (b'{"model": "kewen", "messages": [{"role": "user", "content": "\xff"}]}', 400),
        (b'{"model": "kewen", "messages": [{"role": "user", "content": "\\ud800"}]}', 400),
        (b'{"a":' * 100_000, 400),
        (b'"' + b"a" * 1_100_000 + b'"', 413),
    ],
)
def test_bodies_that_will_not_do(url, body, status):
    response = httpx.post(f"{url}/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}
    assert "Traceback" not in response.text
    assert len(response.text) < 1000


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/chat/completions", 405),
        ("POST", "/v1/completions", 404),
        ("POST", "/v1/responses", 404),
        ("GET", "/v1", 404),
        ("DELETE", "/v1/models/kewen", 405),
    ],
)
def test_other_addresses_have_openai_errors_too(url, method, path, status):
    response = httpx.request(method, f"{url}{path}", headers={"Content-Type": "application/json"})
    assert response.status_code == status
    assert response.json()["error"].keys() == {"message", "type", "param", "code"}


def test_another_type_of_body(url):
    response = httpx.post(f"{url}/v1/chat/completions", content=b"x", headers={"Content-Type": "text/plain"})
    assert (response.status_code, response.json()["error"]["code"]) == (415, "unsupported_type")


def test_keys_as_the_client_knows_them(settings, tmp_path, shared_home):
    import shutil

    shutil.copytree(shared_home, tmp_path / "home")
    here = replace(settings, home=tmp_path / "home", rate_limit=3)
    key = KeyRing(here).add("测试", "full")
    with serving(here) as base:
        with openai.OpenAI(base_url=f"{base}/v1", api_key="wrong", max_retries=0) as client:
            assert refused(lambda: client.models.list())[:2] == (openai.AuthenticationError, "invalid_api_key")
        with openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0) as client:
            assert next(x.id for x in client.models.list()) == "kewen"
            assert "sign=" in ask(client).choices[0].message.annotations[0].url_citation.url
            client.models.list()
            assert refused(lambda: client.models.list())[:2] == (openai.RateLimitError, "too_many_requests")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("query_too_long", openai.BadRequestError),
        ("unknown_document", openai.BadRequestError),
        ("model_mismatch", openai.ConflictError),
        ("index_locked", openai.ConflictError),
        ("index_unavailable", openai.InternalServerError),
        ("insufficient_storage", openai.InternalServerError),
        (None, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_every_status_as_the_client_knows_it(settings, assistant, monkeypatch, code, kind, stream):
    def refuse(*arguments, **options):
        raise KewenError(code, "不行。") if code else RuntimeError("/secret/path")

    monkeypatch.setattr(assistant, "ask_events", refuse)
    with (
        serving(settings, assistant) as base,
        openai.OpenAI(base_url=f"{base}/v1", api_key="x", max_retries=0) as client,
    ):
        assert refused(lambda: ask(client, stream=stream))[:2] == (kind, code or "internal_error")


def test_a_foreign_origin_as_the_client_knows_it(url):
    foreign = {"Origin": "https://evil.example"}
    with openai.OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0, default_headers=foreign) as client:
        assert refused(lambda: ask(client))[:2] == (openai.PermissionDeniedError, "origin_forbidden")


def test_what_goes_wrong_in_a_stream_is_an_error_of_the_client(settings, assistant, monkeypatch):
    def breaks(*arguments, **options):
        yield "先说一句"
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(assistant, "ask_events", breaks)
    with (
        serving(settings, assistant) as base,
        openai.OpenAI(base_url=f"{base}/v1", api_key="x", max_retries=0) as client,
    ):
        with pytest.raises(openai.APIError) as caught:
            list(ask(client, stream=True))
        assert caught.value.body["code"] == "internal_error"
        assert "secret" not in str(caught.value)


def test_models(client):
    ids = [x.id for x in client.models.list()]
    assert ids == [
        "kewen",
        "kewen-plain",
        "kewen-extractive",
        "kewen-generative",
        "kewen-passages",
        "kewen-embedding-query",
        "kewen-embedding-passage",
        "kewen-rerank",
    ]
    assert client.models.retrieve("kewen").owned_by == "kewen"


# -- what chat tools send beside questions --------------------------------------------------------

TITLE = """### Task:
Generate a concise, 3-5 word title with an emoji summarizing the chat history.
### Guidelines:
- The title should clearly represent the main theme or subject of the conversation.
- Use emojis that enhance understanding of the topic, but avoid quotation marks or special formatting.
- Write the title in the chat's primary language; default to English if multilingual.
### Output:
JSON format: { "title": "your concise title here" }
### Chat History:
<chat_history>
USER: %s
ASSISTANT: 宝山区有 449 家。
</chat_history>"""
TAGS = """### Task:
Generate 1-3 broad tags categorizing the main themes of the chat history, along with 1-3 more specific subtopic tags.
### Output:
JSON format: { "tags": ["tag1", "tag2", "tag3"] }
### Chat History:
<chat_history>
USER: %s
</chat_history>"""
LOBE = "你是一名擅长会话的助理，你需要将用户的会话总结为 10 个字以内的标题。user: %s"
NEXT = "使用四到五个字直接返回这句话的简要主题，不要解释、不要标点、不要语气词、不要多余文本，不要加粗，如果没有主题，请直接返回“闲聊”"


CHERRY = '[{"role":"user","mainText":"%s"},{"role":"assistant","mainText":"449 家"}]'
MEMORY = "简要总结一下对话内容，用作后续的上下文提示 prompt，控制在 200 字以内"


@pytest.mark.parametrize("prompt", [TITLE % QUESTION, TAGS % QUESTION, LOBE % QUESTION, NEXT, CHERRY % QUESTION])
def test_a_prompt_for_a_title_gets_a_harmless_answer(client, prompt):
    done = ask(client, prompt)
    assert done.kewen["abstained"] is True, done.choices[0].message.content[:200]
    assert "449" not in done.choices[0].message.content


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": QUESTION}, {"role": "system", "content": MEMORY}],
        [{"role": "system", "content": LOBE % ""}, {"role": "user", "content": f"user: {QUESTION}\nassistant: 449 家"}],
    ],
)
def test_the_order_may_stand_in_another_message(client, messages):
    done = client.chat.completions.create(model="kewen", messages=messages)
    assert "起标题" in done.choices[0].message.content


@pytest.mark.parametrize(
    "question",
    [
        "金桥的对话平台主要以什么为主题？",
        "概括张江高端对话平台的内容",
        "2023年浦江创新论坛的对话主题是什么？",
        "总结报告里提到的对话式人工智能产品",
        "智能聊天机器人相关的企业，请概括",
        "What does this conversation between scientists mention?",
        "# 任务\n宝山区有多少家生物医药企业？",
        "To the user: which policies",
        "AI：宝山有哪些企业？",
        "user: 宝山区有多少家生物医药企业？",
        "宝山区规划的主题和标题是什么",
    ],
)
def test_a_question_is_no_chore(question):
    assert not is_chore(question)


def test_a_model_that_hangs_holds_up_nothing_else(shared_home, hanging):
    given = {"home": shared_home, "llm_url": "http://127.0.0.1:9/v1", "llm_model": "m"}
    body = {"model": "kewen-generative", "messages": [{"role": "user", "content": QUESTION}]}
    with serving(load_settings(given, {})) as base, httpx.Client(timeout=20) as http, ThreadPoolExecutor(60) as pool:
        try:
            address = f"{base}/v1/chat/completions"
            waiting = [
                pool.submit(httpx.post, address, json={**body, "stream": n % 2 == 0}, timeout=30) for n in range(60)
            ]
            with http.stream("POST", address, json={**body, "stream": True}) as response:
                assert b'"role": "assistant"' in next(response.iter_raw()), "the first chunk does not wait"
                assert http.get(f"{base}/healthz").status_code == 200
                assert http.get(f"{base}/v1/models").status_code == 200
                assert "449" in http.post(address, json={**body, "model": "kewen-extractive"}).text
                assert not any(x.done() for x in waiting)
        finally:
            hanging.set()
        assert all(x.result().status_code == 200 for x in waiting)

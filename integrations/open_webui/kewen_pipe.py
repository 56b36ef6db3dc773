"""
title: 科问 kewen
author: kewen
version: 0.1.0
license: Apache-2.0
description: 依据所收的科技报告作答，逐句附可回查的出处；报告中没有的，直说没有。
requirements: httpx
"""

# A pipe function of Open WebUI (docs.openwebui.com/features/extensibility/plugin/functions/pipe): one file, put in as
# it is, so it imports nothing of kewen. httpx and pydantic are dependencies of Open WebUI itself (its pyproject.toml).
# There are no postponed annotations: Open WebUI runs this text with `exec`, and pydantic reads them at once.

import asyncio
import json
import logging
import re
import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import httpx
from pydantic import BaseModel, Field

_LOG = logging.getLogger("kewen_pipe")
_HISTORY = 10
_LONGEST_HISTORY = 2000
"""Characters; kewen takes no longer question by default, and would refuse all for one of the earlier ones."""
_NEAREST = 3
_MALFORMED = (KeyError, TypeError, ValueError, AttributeError)
_AUTH = (401, 403)
_BAD_KEY = "科问服务不认密钥。请管理员核对函数阀门中的 api_key。"
_NO_KEWEN = "科问服务的回应读不懂。请管理员核对函数阀门中的 base_url，以及科问的版本。"

Emitter = Callable[[dict[str, Any]], Awaitable[Any]]


class Failure(Exception):
    """Why there is no answer, in the words that the user reads."""


class Pipe:
    """One model, 科问, that answers from kewen."""

    class Valves(BaseModel):
        base_url: str = Field(
            default="http://127.0.0.1:8765", description="科问服务的地址；Open WebUI 在容器里时，不是 127.0.0.1"
        )
        api_key: str = Field(
            default="",
            description="科问服务的密钥；没有设密钥则留空",
            json_schema_extra={"input": {"type": "password"}},
        )
        top_k: int = Field(default=5, ge=1, le=100, description="依据几个段落作答")
        timeout: float = Field(default=60, gt=0, le=3600, description="最多等多少秒")

    def __init__(self) -> None:
        self.valves = self.Valves()

    async def pipe(
        self,
        body: dict[str, Any],
        __event_emitter__: Emitter | None = None,
        __metadata__: dict[str, Any] | None = None,
        __task__: str | None = None,
        __task_body__: dict[str, Any] | None = None,
    ) -> str:
        """The answer as Markdown; its sources go out as events. It never raises."""
        task = __task__ or (__metadata__ or {}).get("task")
        if task:
            return _chore(str(task), __task_body__ or (__metadata__ or {}).get("task_body") or body)
        await _status(__event_emitter__, "正在查找……", is_done=False)
        outcome = "没有答成"
        try:
            answer = await self._ask(body)
            text, sources = _rendered(answer)
            outcome = f"找到 {len(sources)} 份报告中的依据" if sources else "没有找到依据"
            for event in sources:
                await _emit(__event_emitter__, event)
            if __event_emitter__ is None and sources:
                text = f"{text}\n\n{_source_list(sources)}"
        except Failure as failure:
            text = str(failure)
        except _MALFORMED as error:
            _LOG.error("kewen's answer could not be read: %s", type(error).__name__)
            text = _NO_KEWEN
        except Exception as error:
            _LOG.error("the question could not be answered: %s", type(error).__name__)
            text = "没有答成，原因已记入 Open WebUI 的日志。请稍后再试，或告诉管理员。"
        await _status(__event_emitter__, outcome, is_done=True)
        return text

    async def _ask(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """kewen's answer (`POST /v1/ask`) to the last question of a conversation."""
        asked = [text for text in map(_text, body.get("messages") or ()) if text]
        if not asked:
            raise Failure("请用一句话写出要问的内容。")
        key = self.valves.api_key.strip()
        if not key.isascii():
            raise Failure(_BAD_KEY)
        history = [x for x in asked[:-1] if len(x) <= _LONGEST_HISTORY][-_HISTORY:]
        question = {"question": asked[-1], "history": history, "top_k": self.valves.top_k}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            async with asyncio.timeout(self.valves.timeout), httpx.AsyncClient(timeout=self.valves.timeout) as client:
                url = f"{self.valves.base_url.strip().rstrip('/').removesuffix('/v1')}/v1/ask"
                response = await client.post(url, json=question, headers=headers)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Failure(f"等了 {self.valves.timeout:g} 秒，科问服务还没有答复。请稍后再试。") from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            _LOG.error("kewen can't be reached: %s", type(error).__name__)
            raise Failure("连不上科问服务。请管理员核对函数阀门中的 base_url，并确认服务在运行。") from error
        if response.status_code != httpx.codes.OK:
            raise Failure(_refusal(response))
        return dict(response.json())


# -- what comes in ----------------------------------------------------------------------------------


def _text(message: Mapping[str, Any]) -> str:
    """What the user wrote in a message; pictures are passed over, and so are messages of others."""
    if message.get("role") != "user":
        return ""
    content = message.get("content")
    if isinstance(content, list):
        content = "\n".join(str(x.get("text", "")) for x in content if x.get("type") == "text")
    return _clean(str(content or "")).strip()


def _chore(task: str, body: Mapping[str, Any]) -> str:
    """What Open WebUI asks of a model in the background, in the form that it reads; nothing is searched for it."""
    name = task.rpartition(".")[2].lower()
    if name == "title_generation":
        first = next(filter(None, map(_text, body.get("messages") or ())), "")
        # Without a task body there is only the prompt that asks for a title.
        title = first.splitlines()[0][:30] if first and not first.startswith("### Task") else "科问"
        return json.dumps({"title": title}, ensure_ascii=False)
    empty: dict[str, dict[str, Any]] = {
        "tags_generation": {"tags": []},
        "follow_up_generation": {"follow_ups": []},
        "query_generation": {"queries": []},
        "autocomplete_generation": {"text": ""},
        "image_prompt_generation": {"prompt": ""},
        "function_calling": {"tool_calls": []},
    }
    if name in empty:
        return json.dumps(empty[name])
    return "科问只依据报告作答，不合并其他模型的回答。" if name == "moa_response_generation" else ""


def _refusal(response: httpx.Response) -> str:
    """What the user is told where kewen refuses."""
    try:
        code, message = response.json()["error"]["code"], response.json()["error"]["message"]
    except _MALFORMED:
        code, message = "", ""
    _LOG.error("kewen answered %d %s", response.status_code, _clean(str(code))[:40])
    if response.status_code in _AUTH:
        return _BAD_KEY
    if response.status_code >= 500:
        return f"科问服务暂时不能作答（{response.status_code}）。请稍后再试，或告诉管理员。"
    return _safe(str(message)) or f"{_NO_KEWEN}（{response.status_code}）"


# -- what goes out ----------------------------------------------------------------------------------


async def _emit(emitter: Emitter | None, event: dict[str, Any]) -> None:
    if emitter is None:
        return
    try:
        await emitter(event)
    except Exception as error:  # an answer without its chips is better than none
        _LOG.error("an event could not be sent: %s", type(error).__name__)


async def _status(emitter: Emitter | None, text: str, is_done: bool) -> None:
    await _emit(emitter, {"type": "status", "data": {"description": text, "done": is_done, "hidden": False}})


def _rendered(answer: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The text, and one `source` event for each cited report."""
    blocks = [f"问的是：{_safe(answer['resolved'])}"] if answer["resolved"] != answer["question"] else []
    blocks += [f"注意：{_safe(notice)}" for notice in answer["notices"]]
    if answer["mode"] == "passages":
        hits = answer["hits"]
        numbers, sources = _sources([{**x["citation"], "number": x["rank"], "quote": x["text"]} for x in hits])
        blocks += [f"[{numbers[x['rank']]}] {_safe(x['text'])}" for x in hits] or ["没有找到相关段落。"]
    elif answer["abstained"]:
        numbers, sources = {}, []
        blocks.append(_safe(answer["answer"]))
        nearest = [f"- {_link(x['citation'])}" for x in answer["hits"][:_NEAREST]]
        blocks += ["相近的段落（不是答案）：\n\n" + "\n".join(nearest)] if nearest else []
    else:
        numbers, sources = _sources(answer["citations"])
        blocks += [_sentence(x, numbers) for x in answer["sentences"]]
    return "\n\n".join(blocks), sources


def _sentence(sentence: Mapping[str, Any], numbers: Mapping[int, int]) -> str:
    label = f"{_safe(sentence['label'])}：" if sentence["label"] else ""
    marks = dict.fromkeys(f"[{numbers[n]}]" for n in sentence["citations"])
    return f"{label}{_safe(sentence['text'])}{''.join(marks)}"


def _sources(citations: list[Any]) -> tuple[dict[int, int], list[dict[str, Any]]]:
    """The number of each citation in the text, by kewen's; and the events.

    Open WebUI takes `[n]` for the n-th passage of all events, told apart by `metadata.source` (Citations.svelte) and,
    where it is hovered over, by `metadata.name` (ContentRenderer.svelte). So the passages of a report stand together,
    are numbered as they stand, and no two have the same URL or name. `source_url` makes the name, not the URL, what is
    shown, and keeps the URL from being sent to Google for an icon.
    """
    by_report: dict[str, list[Any]] = {}
    for citation in citations:
        by_report.setdefault(citation["document_id"], []).append(citation)
    numbers: dict[int, int] = {}
    by_url: dict[str, int] = {}
    names: set[str] = set()
    events = []
    for report, cited in by_report.items():
        quotes, metadata = [], []
        for citation in cited:
            url = str(citation["url"])
            if url not in by_url:
                by_url[url] = len(by_url) + 1
                quotes.append(_quote(citation["quote"]))
                name = _distinct(_clean(citation["label"]), names)
                metadata.append({"source": url, "name": name, "url": url, "source_url": url})
            numbers[citation["number"]] = by_url[url]
        title = _clean(f"《{cited[0]['title']}》（{cited[0]['year']}）")
        source = {"id": report, "name": title, "url": re.split(r"[?#]", metadata[0]["url"])[0]}
        events.append({"type": "source", "data": {"source": source, "document": quotes, "metadata": metadata}})
    return numbers, events


def _distinct(name: str, names: set[str]) -> str:
    """`name`, changed where another passage has it: many stand in one line of a report."""
    candidates: Iterator[str] = (f"{name}（之{n}）" if n > 1 else name for n in range(1, len(names) + 2))
    found = next(x for x in candidates if x not in names)
    names.add(found)
    return found


def _source_list(events: list[dict[str, Any]]) -> str:
    """The sources as text, for who gets no events."""
    passages = [x for event in events for x in event["data"]["metadata"]]
    return "来源：\n\n" + "\n".join(
        f"- [{n}] [{_safe(x['name'])}]({x['url']})" for n, x in enumerate(passages, start=1)
    )


def _link(citation: Mapping[str, Any]) -> str:
    return f"[{_safe(citation['label'])}]({citation['url']})"


def _quote(text: str) -> str:
    """A quote as Open WebUI shows it: as Markdown, paragraph by paragraph."""
    return "\n\n".join(_safe(line) for line in text.splitlines() if line.strip())


# -- text of reports is no Markdown -----------------------------------------------------------------

# Full-width forms look alike and mean nothing. Backslashes won't do: Open WebUI takes \[…\] for a formula
# (katex-extension.ts). Braces, because it takes {{HTML_FILE_ID_…}} for a file to show.
_WIDE = str.maketrans({c: chr(ord(c) + 0xFEE0) for c in "\\`*_[]<>|~$@{}"})
_LEADING = re.compile(r"^(\s*)([-+=#:]|\d{1,9}[.)])")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_ADDRESS = re.compile(r":(?=//)|(?<=[A-Za-z0-9])\.(?=[A-Za-z]{2})")


def _safe(text: str) -> str:
    """Foreign text in one line that makes no link, image, HTML, formula, heading or list."""
    line = _clean(text.replace("**", "")).replace("\n", " ").replace("\t", "　").strip()
    line = _ADDRESS.sub(_widened, _ENTITY.sub(_widened, line)).translate(_WIDE)
    return _LEADING.sub(lambda m: m.group(1) + m.group(2)[:-1] + chr(ord(m.group(2)[-1]) + 0xFEE0), line)


def _widened(match: re.Match[str]) -> str:
    return chr(ord(match.group()) + 0xFEE0)


def _clean(text: str) -> str:
    """Text without control and direction marks; separators of lines and paragraphs become spaces."""
    kept = (c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return "".join(" " if c in "\u2028\u2029" else c for c in kept)

"""OpenAI's Chat Completions and Models, over the reports: any chat tool that speaks them can ask kewen."""

from __future__ import annotations

import json
import logging
import time
import uuid
from collections.abc import Generator, Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from service.answers import ANSWER_MODES, Answer
from service.asking import Event, checked, final
from service.assistant import Assistant
from service.chat_text import ChatText
from service.checks import checked_query
from service.chores import is_chore, refusal
from service.errors import KewenError, echo
from service.links import Links
from service.openai_schemas import CHAT_MODELS, REFUSED, TAGS, ChatIn, KnobsIn, MessageIn
from service.problems import openai_error
from service.routes.answers import filters_of
from service.routes.embeddings import MODELS as EMBEDDING_MODELS
from service.routes.rerank import MODEL as RERANK_MODEL
from service.routes.sse import event_stream
from service.routes.turns import in_turn_of
from service.tokens import count
from service.turnstile import Place

_LOG = logging.getLogger("kewen")
DEFAULT, PLAIN, *_ = CHAT_MODELS
_MODES = {f"kewen-{mode}": mode for mode in ANSWER_MODES}


def router(assistant: Assistant, links: Links) -> APIRouter:
    """The routes over an assistant."""
    routes = APIRouter(tags=TAGS, responses=REFUSED)
    started = int(time.time())

    @routes.get("/v1/models", summary="列出模型", operation_id="list_models")
    def models() -> dict[str, Any]:
        """可用的模型：问答、嵌入、重排。"""
        return {"object": "list", "data": [_model(x, started) for x in _models()]}

    @routes.get("/v1/models/{model}", summary="一个模型", operation_id="get_model")
    def model(model: str) -> dict[str, Any]:
        """按名称取一个模型。"""
        if model not in _models():
            raise _no_model(model)
        return _model(model, started)

    @routes.post("/v1/chat/completions", summary="对话", operation_id="create_chat_completion")
    async def chat(body: ChatIn, request: Request) -> Any:  # noqa: ANN401 - a completion, or its stream
        """以 OpenAI Chat Completions 的格式提问：末一条 user 消息是问题，之前的用来补全追问。

        正文的 `[1]` 是出处编号，文末列出来源；`annotations` 中为同样的 `url_citation`，
        其 `content[start_index:end_index]` 正是编号，按 Unicode 码位计，`end_index` 不含。
        请求可另带 `kewen`：`{"top_k", "mode", "filters", "sources"}`；`temperature` 等无关的字段不起作用。
        """
        mode = _mode(body.model)
        question, history = _asked(body.messages, assistant.settings.max_question)
        knobs = body.kewen or KnobsIn.model_validate({})
        filters = filters_of(knobs.filters)

        def begin(place: Place) -> tuple[_Completion, Iterator[Event]]:
            text = ChatText(links.url, knobs.sources and body.model != PLAIN)
            completion = _Completion(body.model, sum(count(x.text) for x in body.messages), text)
            # A chore's order stands in the last message, whatever its role, or before the chat that it is about.
            prompts = [x.text for x in body.messages if x.role == "system" or x is body.messages[-1]]
            if any(is_chore(x) for x in prompts):
                return completion, iter([refusal(question)])
            how = knobs.mode or mode
            return completion, assistant.ask_events(question, knobs.top_k, how, filters, history, turn=place)

        def streamed(place: Place) -> Generator[str, None, None]:
            completion, events = begin(place)
            return completion.lines(checked(events, place.check), body.includes_usage)

        def whole(place: Place) -> JSONResponse:
            completion, events = begin(place)
            return JSONResponse(completion.whole(final(checked(events, place.check))))

        return await (event_stream(request, streamed) if body.stream else in_turn_of(request, whole))

    return routes


class _Completion:
    """One completion on its way out: whole, or in chunks with one id."""

    def __init__(self, model: str, prompt_tokens: int, text: ChatText) -> None:
        self._head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": model}
        self._prompt_tokens = prompt_tokens
        self._text = text

    def whole(self, answer: Answer) -> dict[str, Any]:
        """A `chat.completion` object."""
        list(self._text.finish(answer))
        message = {
            "role": "assistant",
            "content": self._text.content,
            "refusal": None,
            "annotations": self._text.annotations(),
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        own = {"usage": self._usage(), "kewen": _outcome(answer)}
        return {**self._head, "object": "chat.completion", "choices": [choice], **own}

    def lines(self, events: Iterator[Event], with_usage: bool) -> Generator[str, None, None]:
        """Chunks as server-sent events. Annotations come with the finish reason, usage in a chunk of its own."""
        usage: dict[str, Any] = {"usage": None} if with_usage else {}
        try:
            yield self._chunk({"role": "assistant", "content": ""}, **usage)
            for event in events:
                for piece in self._text.pieces(event):
                    yield self._chunk({"content": piece}, **usage)
                if isinstance(event, Answer):
                    annotations = self._text.annotations()
                    delta = {"annotations": annotations} if annotations else {}
                    yield self._chunk(delta, "stop", kewen=_outcome(event), **usage)
            if with_usage:
                yield _line({**self._head, "object": "chat.completion.chunk", "choices": [], "usage": self._usage()})
            yield "data: [DONE]\n\n"
        except KewenError as error:
            yield _line(openai_error(error))
        except Exception:  # the status line is out already: all that is left is to say so
            _LOG.exception("a chat stream failed")
            yield _line(openai_error(KewenError("internal_error", "服务内部出错，已记入日志。")))

    def _chunk(self, delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _line({**self._head, "object": "chat.completion.chunk", "choices": [choice], **more})

    def _usage(self) -> dict[str, int]:
        said = count(self._text.content)
        total = self._prompt_tokens + said
        return {"prompt_tokens": self._prompt_tokens, "completion_tokens": said, "total_tokens": total}


def _asked(messages: list[MessageIn], longest: int) -> tuple[str, list[str]]:
    """The question, and those before it; what can't be a question is no history either."""
    turns = [x.text for x in messages if x.role == "user"]
    if not turns:
        raise KewenError("invalid_request", "messages 中没有 role 为 user 的消息。", {"param": "messages"})
    if not turns[-1].strip():
        raise KewenError("empty_query", "末一条 user 消息里没有文字；图片等其他内容读不了。", {"param": "messages"})
    try:
        question = checked_query(turns[-1], longest)
    except KewenError as error:
        raise KewenError(error.code, error.message, {"param": "messages"}) from error
    history = []
    for turn in turns[:-1]:
        try:
            history.append(checked_query(turn, longest))
        except KewenError:
            continue
    return question, history


def _mode(model: str) -> str | None:
    if model in (DEFAULT, PLAIN):
        return None
    if model not in _MODES:
        raise _no_model(model)
    return _MODES[model]


def _models() -> list[str]:
    return [*CHAT_MODELS, *EMBEDDING_MODELS, RERANK_MODEL]


def _model(model: str, created: int) -> dict[str, Any]:
    return {"id": model, "object": "model", "created": created, "owned_by": "kewen"}


def _no_model(model: str) -> KewenError:
    known = "、".join(_models())
    return KewenError("model_not_found", f"没有模型 {echo(model, 60)}。可用：{known}。", {"param": "model"})


def _outcome(answer: Answer) -> dict[str, Any]:
    """What Chat Completions has no place for."""
    reason = {"code": answer.reason.code, "message": answer.reason.message} if answer.reason else None
    return {
        "abstained": answer.abstained,
        "reason": reason,
        "confidence": answer.confidence,
        "mode": answer.mode,
        "resolved": answer.resolved,
        "generation": answer.generation,
    }


def _line(value: dict[str, Any]) -> str:
    """JSON has no line breaks of its own, so one `data:` line holds it."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"

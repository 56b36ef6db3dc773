"""What all chat bots share: a question is acknowledged at once, answered after, and said as a chat message."""

from __future__ import annotations

import logging
import queue
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from corpus.citations import citation_label
from corpus.types import Citation
from service.answer_render import tidy
from service.answers import NO_ANSWER, Answer, Sentence
from service.assistant import Assistant
from service.bots.memory import Histories, Pace, Seen
from service.errors import KewenError, echo
from service.links import Links
from service.settings import LOOPBACK_NAMES

_LOG = logging.getLogger("kewen")

_WAITING = 100
"""So many questions may wait for a worker."""
_MOST_SOURCES = 3
"""A chat message is read on a telephone: so many sources, or passages, stand in it."""
_SHOWN = 200
"""Characters of a passage that are shown."""

_HINT = "请用一句话写出要问的内容，例如：某区有多少家高新技术企业？"
_ONLY_TEXT = "我只认文字消息。请把问题写成文字再发。"
_BUSY = "现在提问的人太多了，请过几分钟再问。"
_FAILED = "暂时不能作答，原因已记入日志。请稍后再试，或告诉管理员。"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as any platform brings it.

    `id` is the platform's, by which repeated deliveries are known; `sender` and `chat` are its ids of user and
    conversation; `text` is without the mention of the bot. `is_text` is false for pictures, files and the like.
    """

    id: str
    sender: str
    chat: str
    text: str
    is_group: bool
    is_text: bool = True


Reply = Callable[[str], None]
"""Sends a text as the answer to a message; raises where it can't."""


class NotDelivered(Exception):
    """A platform did not take an answer. What it says stands in the log: no token, no address."""


@dataclass(frozen=True, slots=True)
class BotOptions:
    """How a bot is run. Each platform's module has `run(assistant, options, notify)`, which returns when it is stopped.

    `is_webhook`: the platform calls us at `host` and `port`; else we keep a connection to it. `address` is the
    platform's, empty for its public one. `per_minute` questions a minute and user are answered.
    """

    is_webhook: bool
    host: str
    port: int
    address: str
    per_minute: int


class Desk:
    """The queue between acknowledging a message and answering it.

    At most `per_minute` messages a minute and sender are answered (0: no limit), by `workers` threads. A conversation's
    questions always go to the same worker, so that they are answered in their order and a follow-up finds the
    question before it. `markdown` says in which form the platform takes answers. `clock` gives seconds.
    """

    def __init__(
        self,
        assistant: Assistant,
        links: Links,
        per_minute: int = 10,
        workers: int = 2,
        *,
        markdown: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._assistant = assistant
        self._links = links
        self._render = reply_markdown if markdown else reply_text
        self._clock = clock
        self._lock = threading.Lock()
        self._seen = Seen()
        self._pace = Pace(per_minute)
        self._histories = Histories()
        self._is_closed = False
        # The last one is for refusals: they must not wait behind the answers that they refuse.
        self._queues: list[queue.SimpleQueue[Callable[[], None] | None]] = [
            queue.SimpleQueue() for _ in range(workers + 1)
        ]
        self._threads = [threading.Thread(target=_work, args=(x,), daemon=True) for x in self._queues]
        for thread in self._threads:
            thread.start()

    def take(self, message: Message, reply: Reply) -> bool:
        """Note a message and return at once; `reply` is called later, in a worker's thread.

        False where nothing will come of it: it was taken before, its sender has been refused already, or the desk is
        closed.
        """
        now = self._clock()
        with self._lock:
            if self._is_closed or not self._seen.is_new(message.id, now):
                return False
            verdict = self._pace.verdict(message.sender, now)
            if verdict == "answer":
                number = hash((message.chat, message.sender)) % (len(self._queues) - 1)
                if self._put(number, lambda: self._answer(message, reply)):
                    return True
                return self._put(-1, lambda: _send(message, reply, _BUSY))
            if verdict == "refuse":
                return self._put(-1, lambda: _send(message, reply, self._pace.refusal))
        return False

    def close(self, seconds: float = 5.0) -> None:
        """Take nothing more, answer what waits, and stop; after so many seconds in any case."""
        with self._lock:
            self._is_closed = True
            for jobs in self._queues:
                jobs.put(None)
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _put(self, number: int, job: Callable[[], None]) -> bool:
        jobs = self._queues[number]
        if jobs.qsize() >= _WAITING:
            _LOG.warning("too many messages wait: one is not answered")
            return False
        jobs.put(job)
        return True

    def _answer(self, message: Message, reply: Reply) -> None:
        try:
            text = self._text(message)
        except KewenError as error:
            # What the asker can mend, they are told; what the operator must, stands in the log.
            is_askers = error.status < 500
            if not is_askers:
                _LOG.error("message %s: %s: %s", echo(message.id, 80), error.code, error.message)
            text = safe(error.message) if is_askers else _FAILED
        except Exception:
            _LOG.exception("message %s could not be answered", echo(message.id, 80))
            text = _FAILED
        _send(message, reply, text)

    def _text(self, message: Message) -> str:
        if not message.is_text:
            return _ONLY_TEXT
        if not message.text.strip():
            return _HINT
        key = (message.chat, message.sender)
        with self._lock:
            history = self._histories.of(key, self._clock())
        answer = self._assistant.ask(message.text, history=history)
        if len(answer.resolved) <= self._assistant.settings.max_question:
            with self._lock:
                self._histories.add(key, answer.resolved, self._clock())
        return self._render(answer, self._links)


def _work(jobs: queue.SimpleQueue[Callable[[], None] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()


def _send(message: Message, reply: Reply, text: str) -> None:
    try:
        reply(text)
    except Exception as error:
        # Of others the name alone: messages of HTTP clients hold addresses, and these hold tokens.
        reason = echo(error) if isinstance(error, KewenError | NotDelivered) else type(error).__name__
        _LOG.warning("the answer to message %s was not delivered: %s", echo(message.id, 80), reason)


# -- answers as chat messages -----------------------------------------------------------------------

# No two platforms read the same Markdown, few honour a backslash, and some read it in plain text too: full-width
# forms look alike and mean nothing to any of them.
_WIDE = str.maketrans({c: chr(ord(c) + 0xFEE0) for c in "\\`*_[]<>|~$@"} | dict.fromkeys("\u2028\u2029", " "))
_LEADING = re.compile(r"^(\s*)([-+=#:]|\d{1,9}[.)])")
_ENTITY = re.compile(r"&(?=#?\w+;)")
_ADDRESS = re.compile(r":(?=//)|(?<=[A-Za-z0-9])\.(?=[A-Za-z]{2})")


def safe(text: str) -> str:
    """A line of foreign text as it may stand in a chat message: it makes no link, image, mention, HTML or heading.

    >>> safe("<at user_id=all> [x](http://a.com) 3*4")
    '＜at user＿id=all＞ ［x］(http：//a．com) 3＊4'
    """
    text = _ADDRESS.sub(_widened, _ENTITY.sub(_widened, tidy(text))).translate(_WIDE)
    return _LEADING.sub(lambda m: m.group(1) + m.group(2)[:-1] + chr(ord(m.group(2)[-1]) + 0xFEE0), text)


def reply_text(answer: Answer, links: Links) -> str:
    """An answer as plain text: its sentences with `[n]`, then `[n]` label and URL of each source.

    There are at most three sources, and no sentence without its source. URLs that only this machine can open are left
    out.
    """
    return "\n".join(_blocks(answer, lambda x: _source_text(x, links)))


def reply_markdown(answer: Answer, links: Links) -> str:
    """`reply_text` for platforms with Markdown: a source's label is the link."""
    return "\n\n".join(_blocks(answer, lambda x: _source_markdown(x, links)))


def _blocks(answer: Answer, source: Callable[[Citation], str]) -> list[str]:
    blocks = [f"问的是：{safe(answer.resolved)}"] if answer.resolved != answer.question else []
    blocks += [f"注意：{safe(notice)}" for notice in answer.notices]
    if answer.mode == "passages":
        return [*blocks, *_passages(answer, source)]
    if answer.reason is not None:
        return [*blocks, f"{NO_ANSWER}。{safe(answer.reason.message)}"]
    numbers = [x.number for x in answer.citations]
    shown = frozenset(numbers[:_MOST_SOURCES])
    said = [x for x in answer.sentences if shown.issuperset(x.citations)]
    blocks += [_sentence(x) for x in said]
    if len(said) < len(answer.sentences):
        blocks.append(f"（另有 {len(answer.sentences) - len(said)} 句没有列出，可以把问题问得更具体。）")
    cited = {number for x in said for number in x.citations}
    sources = [f"[{x.number}] {source(x.citation)}" for x in answer.citations if x.number in cited]
    return [*blocks, "来源：", *sources] if sources else blocks


def _passages(answer: Answer, source: Callable[[Citation], str]) -> list[str]:
    blocks = []
    for number, hit in enumerate(answer.hits[:_MOST_SOURCES], start=1):
        text = safe(hit.passage.text).strip()
        blocks += [f"[{number}] {source(hit.citation)}", text if len(text) <= _SHOWN else f"{text[:_SHOWN]}……"]
    return blocks or ["没有找到相关段落。"]


def _sentence(sentence: Sentence) -> str:
    label = f"{safe(sentence.label)}：" if sentence.label else ""
    return f"{label}{safe(sentence.text.strip())}{''.join(f'[{n}]' for n in sentence.citations)}"


def _source_text(citation: Citation, links: Links) -> str:
    return " ".join([safe(citation_label(citation)), *_urls(citation, links)])


def _source_markdown(citation: Citation, links: Links) -> str:
    label = safe(citation_label(citation))
    return next((f"[{label}]({url})" for url in _urls(citation, links)), label)


def _urls(citation: Citation, links: Links) -> Sequence[str]:
    """The link of a citation, where others than this machine can open it."""
    url = links.url(citation)
    return [] if urlsplit(url).hostname in LOOPBACK_NAMES else [url]


def _widened(match: re.Match[str]) -> str:
    return chr(ord(match.group()) + 0xFEE0)

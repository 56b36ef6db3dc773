"""What WeCom's robots are told and say, the same over both ways in.

Sources: developer.work.weixin.qq.com/document/path/101031 (answers), 101463 (messages).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from service.bots.core import Message

WELCOME = "您好，我是科问。请用一句话提问，我只依据所收的报告作答，每句都附出处；报告中没有的，我会直说。"
SEARCHING = "正在查找……"
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
"""What reading JSON of another form than it should have may raise."""
_LONGEST = 20_480
"""Bytes of UTF-8 that a message may have."""
_MORE = "\n……（太长，以下略去）"
# The client puts a space after the name; names have none, and a question that follows without one is kept.
_MENTION = re.compile(r"^(?:\s*@\S+\s+)+|^\s*@\S{1,12}$")
_LAST_MENTION = re.compile(r"\s@\S+\s*$")


def read_message(body: Mapping[str, Any]) -> Message:
    """The message of a callback; a voice message comes as the text that WeCom has heard in it.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, RecursionError: it has not the form of a message.
    """
    is_group = body["chattype"] == "group"
    sender = body["from"]["userid"]
    ids = [body["msgid"], sender, body.get("chatid") or sender]
    if not all(isinstance(x, str) and x for x in ids):
        raise ValueError("ids should be strings")
    text = _content(body)
    if text is not None and is_group:
        without = _MENTION.sub("", text)
        text = _LAST_MENTION.sub("", text) if without == text else without
    return Message(ids[0], ids[1], ids[2], (text or "").strip(), is_group, text is not None)


def _content(body: Mapping[str, Any]) -> str | None:
    """The text of a message; none where it has no words of its own."""
    kind = body["msgtype"]
    if kind in ("text", "voice"):
        return str(body[kind]["content"])
    if kind != "mixed":
        return None
    words = [str(x["text"]["content"]) for x in body["mixed"]["msg_item"] if x["msgtype"] == "text"]
    return "\n".join(words) if words else None


def text_body(text: str) -> dict[str, Any]:
    return {"msgtype": "text", "text": {"content": text}}


def stream_body(name: str, text: str, is_final: bool) -> dict[str, Any]:
    """A stream message as it stands; `name` tells WeCom which one it is."""
    return {"msgtype": "stream", "stream": {"id": name, "finish": is_final, "content": shortened(text)}}


def shortened(text: str) -> str:
    """`text` within the bytes that a message may have: cut after a line, a too long line between two characters."""
    data = text.encode("utf-8", "replace")
    if len(data) <= _LONGEST:
        return data.decode()
    kept = data[: _LONGEST - len(_MORE.encode())].decode("utf-8", "ignore")
    return (kept.rpartition("\n")[0] or kept) + _MORE

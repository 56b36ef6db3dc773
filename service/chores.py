"""What chat tools ask of whatever model is selected, beside questions: a title for the chat, tags, a summary.

Such a prompt holds the chat itself, so a search finds what was asked there and answers it once more: as a title.
"""

from __future__ import annotations

import re

from service.answers import Answer, Reason

_TALK = r"(?:对话|会话|聊天(?:记录|内容|历史)?)"
_THIS = r"(?:这段|这次|本次|上述|上面的?|以上的?|以下的?|下面的?|给出的|提供的|我们的?|用户的?)"
_CHORE = re.compile(
    # Open WebUI
    r"^#{1,4} *(?:task|任务) *[:：] *$|</?chat_history>|\bchat history\b"
    # a transcript
    r"|\A\s*(?:user|human|用户) *[:：].*^\s*(?:assistant|session|助手) *[:：]|\A\[\{\"role\": ?\""
    # an order
    rf"|{_THIS}{_TALK}[^。\n]{{0,24}}(?:标题|标签|主题|总结|概括|摘要|字以内)"
    rf"|(?:标题|标签|总结|概括|摘要)[^。\n]{{0,24}}{_THIS}{_TALK}|总结一下{_TALK}|{_TALK}(?:内容)?[^。\n]{{0,30}}字以内"
    r"|\b(?:title|tags|topic|summar\w+|follow-up questions?)\b[^.\n]{0,60}\b(?:chat|conversation|dialogue)\b"
    r"|\b(?:chat|conversation|dialogue)\b[^.\n]{0,60}\b(?:title|tags|summary)\b|返回这句话的简要主题",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_NOT_FOR_US = "这像是给对话起标题、打标签之类的请求，科问只回答关于报告的问题"


def is_chore(prompt: str) -> bool:
    """Whether a prompt is about the chat, not about the reports.

    >>> is_chore("### Task:\\nGenerate 1-3 broad tags categorizing the chat history.")
    True
    >>> is_chore("总结这段对话，给出十个字以内的标题")
    True
    >>> is_chore("宝山区有多少家生物医药企业？")
    False
    """
    return _CHORE.search(prompt) is not None


def refusal(prompt: str) -> Answer:
    """The answer to a chore, without a search."""
    return Answer(
        question=prompt,
        resolved=prompt,
        mode="extractive",
        sentences=(),
        citations=(),
        confidence=0.0,
        reason=Reason("not_covered", _NOT_FOR_US),
        hits=(),
        generation="",
        took_ms=0.0,
    )

"""An answer as the text of a chat message: sentences with `[n]`, then the sources; and where each `[n]` stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from corpus.citations import citation_label
from corpus.types import Citation
from service.answer_render import tidy
from service.answers import Answer, Said, Sentence
from service.asking import Event
from service.links import Link
from service.markdown import abstention_markdown, escaped, sentence_markdown, source_markdown, sources_markdown


class ChatText:
    """The text grows with each event; `annotations` are of what was said."""

    def __init__(self, link: Link, with_sources: bool) -> None:
        self.content = ""
        self._link = link
        self._with_sources = with_sources
        self._said: list[Sentence] = []
        self._marks: list[tuple[int, int, int]] = []
        self._cited: dict[int, Citation] = {}

    def pieces(self, event: Event) -> Iterator[str]:
        """What an event adds to the text."""
        if isinstance(event, Answer):
            yield from self.finish(event)
        elif isinstance(event, Said):
            yield self._sentence(event.sentence)

    def finish(self, answer: Answer) -> Iterator[str]:
        """What the whole answer adds to what was said of it."""
        self._cited = {x.number: x.citation for x in answer.citations}
        if self._said and tuple(self._said) != answer.sentences:
            # A model broke off: what counts is the whole answer, and what was said can't be taken back.
            self._marks = []
            yield self._add("\n\n（以上没有答完，不作数。）\n\n")
            self._said = []
        if answer.mode == "passages":
            yield from self._passages(answer)
            return
        if answer.abstained:
            yield self._add(abstention_markdown(answer, self._link, self._with_sources))
        else:
            for sentence in answer.sentences[len(self._said) :]:
                yield self._sentence(sentence)
        for notice in answer.notices:
            yield self._add(f"\n\n注意：{escaped(tidy(notice))}")
        if self._with_sources and self._cited:
            yield self._add(f"\n\n{sources_markdown(sorted(self._cited.items()), self._link)}")

    def annotations(self) -> list[dict[str, Any]]:
        """`url_citation` of every `[n]` (OpenAI, Chat Completions): `content[start_index:end_index]` is the mark."""
        return [
            {
                "type": "url_citation",
                "url_citation": {
                    "start_index": start,
                    "end_index": end,
                    "title": tidy(citation_label(self._cited[number])),
                    "url": self._link(self._cited[number]),
                },
            }
            for start, end, number in self._marks
            if number in self._cited
        ]

    def _sentence(self, sentence: Sentence) -> str:
        before = len(self.content)
        if self._said:
            self._add("\n\n")
        self._said.append(sentence)
        self._add(sentence_markdown(sentence))
        for number in sentence.citations:
            self._mark(number)
        return self.content[before:]

    def _passages(self, answer: Answer) -> Iterator[str]:
        """The passages themselves, each under its source."""
        for number, hit in enumerate(answer.hits, start=1):
            before = len(self.content)
            self._cited[number] = hit.citation
            self._add("\n\n" if number > 1 else "")
            self._mark(number)
            head = f" {source_markdown(hit.citation, self._link)}" if self._with_sources else ""
            lines = [f"> {escaped(tidy(line))}" for line in hit.passage.text.splitlines() if line.strip()]
            self._add("\n".join([head, *lines]))
            yield self.content[before:]
        if not answer.hits:
            yield self._add("没有找到相关段落。")

    def _mark(self, number: int) -> None:
        start = len(self.content)
        self._add(f"[{number}]")
        self._marks.append((start, len(self.content), number))

    def _add(self, text: str) -> str:
        self.content += text
        return text

"""`POST /v1/ask`: an answer, whole or as it comes."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from index.types import Filters
from service.answer_render import answer_json
from service.asking import Event, checked, final
from service.assistant import Assistant
from service.errors import KewenError
from service.hit_schemas import AskOut
from service.links import Links
from service.routes.events import stream
from service.routes.sse import event_stream
from service.routes.turns import in_turn_of, rendered
from service.schemas import AskIn, FiltersIn
from service.turnstile import Place


def add(routes: APIRouter, assistant: Assistant, links: Links, responses: dict[int | str, dict[str, Any]]) -> None:
    """The route over an assistant."""

    @routes.post("/v1/ask", tags=["提问"], summary="提问", response_model=AskOut, responses=responses)
    async def ask(body: AskIn, request: Request) -> Any:  # noqa: ANN401 - an answer, or its stream
        """先给答案，每句带可逐字回查的出处；报告中没有依据时 `abstained` 为 true，并说明原因。

        `stream` 为 true 时返回 server-sent events：`sentence`（一句，及它新引的出处 `new_citations`）、
        `notice`（读者须知），最后一个是 `answer`（与不用流时相同；以它为准）。
        """
        filters = filters_of(body.filters)

        def begin(place: Place) -> Iterator[Event]:
            return assistant.ask_events(
                body.question,
                body.top_k,
                body.mode,
                filters,
                body.history,
                body.expansion,
                body.literal,
                body.ignore,
                place,
            )

        def streamed(place: Place) -> Generator[str, None, None]:
            return stream(checked(begin(place), place.check), links.url)

        def whole(place: Place) -> Response:
            return rendered(AskOut, answer_json(final(checked(begin(place), place.check)), links.url))

        if body.stream:
            return await event_stream(request, streamed)
        return await in_turn_of(request, whole)


def filters_of(given: FiltersIn | None) -> Filters:
    if given is None:
        return Filters()
    years = (given.years[0], given.years[1]) if given.years else None
    if years and years[0] > years[1]:
        raise KewenError("unknown_year", "years 的起始年份晚于结束年份。")
    return Filters(
        document_ids=frozenset(given.document_ids) if given.document_ids is not None else None,
        years=years,
        series=frozenset([given.series]) if given.series is not None else None,
    )

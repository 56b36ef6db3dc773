"""Follow-up questions as they stand by themselves: 那徐汇呢？, 它的目标呢？. Rules over the last question, no model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from index.names import Names
from index.segment import domain_words, fold_script
from index.years import asked_years

_MOST_ADDED, _LONGEST_ASPECT, _SHORTEST_PINYIN = 20, 15, 5
# 那本, 那八个, 那达慕, 再生 begin questions of their own, 那项目呢 does not; 换成 of a whole question is its verb.
_MARKER = re.compile(
    r"^(?:(?:嗯+|好的?|哦+|请问|谢谢|ok|okay|thanks)[\s,。.!…]*)*(?:(?:那么(?![多少大高长])|另外(?![一二两三四几\d]+[个家项])|"
    r"还有(?![多哪几什谁没别其一])|那(?!么|达慕|曲|不勒斯|[些个里边种样时天次段批只座款笔篇片栋句块家]|会儿|年(?!份)|本(?!地|区)|份(?!额)|"
    r"项(?!目)|条(?!件)|场(?!地|景)|位(?!置)|[一二两三四五六七八九十几\d]+[个家项份种条座位所大])|(?:and|what about|how about)\b|(?:换成|"
    r"再(?!生|制造|贷|担|次|造|保险|融|就业|教育|利用))(?!.*[多哪几什谁怎吗]))[\s,、…]*)+|^(?=还有[多哪几什谁])"
)
_END = re.compile(r"呢?[\s?？!！。.~～…]*$")
_ASKED = re.compile(
    r"多[少大长高快久]|[几哪谁何怎咋啥吗]|什么|是否|([有能会要可是])[不没]\1|"
    r"\b(?:what|which|who|when|where|how|why|is|are|was|were|does|do|did|has|have|can|will)\b"
)
_GLUE = re.compile(
    r"[\s,。.?!、;…~～]|情况|怎么?样|如何|[是有]?(?:多少|几)[家个项亿名人]?|那会儿|那年|时候|报告|以及|改成|他们|[这那]里|它们?|"
    r"[呢的在和与跟及到至里又也再是呀啊吧]|\b(?:in|for|and|or|the|year|of|then|it|its|they|their|there)\b"
)
_NO_ASPECT = re.compile(r"^(?:[有没是会能要还都我你在不别好行对算]|可[以能])|比$|[,;。?!，；？！]|知道|谢谢")
_NOW = re.compile(r"现在|目前|如今|至今|历年|[这近]几年|后来|未来|今后|以后|\b(?:now|today|currently)\b")
_CLAUSE = re.compile(r"(?:[\W\d年]*[^\W\d年]){6}.*?(?:[,。?!;、:]|\b(?:and|but|or|if|when)\b)", re.DOTALL)
_JOINED = re.compile(r"\s*(?:以?及|和|与|跟|、|and)\s*")
_QUOTED = r"“(?!十[二三四五]五)[^“”]{1,40}”|《[^《》]{1,60}》|「[^「」]{1,40}」|\"[^\"]{2,40}\""
_CITY = r"上海市|上海(?=[有的在呢?]|$)|全市|北京|深圳|杭州|苏州|广州|南京|合肥|武汉|成都|重庆"
_WORDS = "|".join(sorted({*domain_words()} - {"上海市", "长三角", "十四五", "十五五"}, key=len, reverse=True))
_AREA = r"(?<![^|])(?![^|]*[心能范聚导载源验]区|大学|科创小镇)[^|]+[区县园湾镇岛城港桥滩](?![^|])"
_AREAS = "|".join(re.findall(_AREA, _WORDS))
_THING = re.compile(
    rf"(?P<quoted>{_QUOTED})|(?P<long>(?:(?!打造|发布|出台|认定|推进|启动|实施|支持|加快|新增|目前|一共)[^\W的在和与跟由把让对从有是了为已"
    r"将要想做搞办说给被到那这哪都还就推建着拿该其它个些]){2,24}(?:实验室|研究院|研究所|中心|园|区|平台|公司|基地|计划|行动|工程|(?<!众创)空间|"
    rf"[秀绣]带|谷|天地|硅巷))|(?P<word>{_WORDS})"
)
_KIND = r"实验室|研究[院所]|中心|平台|公司|机构|企业|项目|基地|计划|行动|工程|政策|文件|规划|方案|[产园]业园?|园区|孵化器|空间|联盟|载体|集聚区"
_BARE = r"(?=[?!。\s]*$|(?:有|是|的|都|怎|多少|和|与|跟|由|什么|在?哪|占|属于)(?![^,?]{1,20}的[^?,]))"
_FREE = r"(?<![^\W在和与跟对由把让是有给去向从的了么问前年到])"  # 那个 after a noun only points at it
_PRONOUN = re.compile(
    rf"(?P<place>(?<!应)该(?:园区|[区园])|{_FREE}[这那]个(?:园[区子]|地[区方]|[区园]))|(?P<pair>[前后]者)|(?P<many>它们|(?<![其吉])他们|"
    rf"\bthe(?:y|ir)\b|{_FREE}(?:这些|那些(?!.*来着))(?:(?P<kinds>{_KIND})|{_BARE}))|{_FREE}(?:这个|那个(?!.*来着)|这家(?!伙)|上面说的)"
    rf"(?:(?P<kind>{_KIND})|{_BARE})|(?<!应)该(?P<said>{_KIND})|[这那](?=里面)|[这那]里(?!程)|"
    r"(?<!is )(?<!are )(?<!was )(?<!were )\bthere\b(?! (?:is|are|was|were)\b)|(?<!其)它(?!山之石|们)|\bthat one\b|"
    r"\bits?\b(?! (?:takes?|costs?|possible|true)\b.* to\b)|(?<![尤极与米耳何副及])其(?![中他它实次余间后])"
)
_ANSWERS = re.compile(rf"(?:多少|几|哪些)[家个项所座种类条名位只]?([^\W的]{{0,14}}(?:{_KIND}|器|[区园]))")


class _Span(NamedTuple):  # of a text; `value`: a place's short name, or how a thing is named
    start: int
    end: int
    value: str = ""


class _Said(NamedTuple):  # a question and what it names, in its order; `folded`, for matching, has the text's offsets
    text: str
    folded: str
    years: list[_Span]
    places: list[_Span]
    things: list[_Span]

    def part(self, spans: Sequence[_Span]) -> str:
        return self.text[spans[0].start : spans[0].end].strip() if spans else ""

    def pronouns(self, start: int) -> list[re.Match[str]]:  # before any name and clause: no other can be meant
        others = [_CLAUSE.match(self.folded, start), *re.finditer(r"(?<=[a-z] )[A-Z]\w+", self.text)]
        ends = [x.end for x in self.places + self.things] + [x.end() for x in others if x]
        return [x for x in _PRONOUN.finditer(self.folded, start) if x.start() < min(ends, default=len(self.text))]

    def subject(self) -> tuple[str, bool]:  # what stands before the asked word, if anything does; is it a thing?
        asked = _ASKED.search(self.folded)
        things, places = ([x for x in y if not asked or x.end <= asked.start()] for y in (self.things, self.places))
        found = [x for x in self.things if x.value == "quoted"] or things or places or self.things or self.places
        return self.part(found), found not in (places, self.places)

    def resolved(self, last: _Said, names: Names) -> str:
        marker = _MARKER.match(self.folded)
        start = marker.end() if marker else 0
        tail = self.folded[len(_END.sub("", self.folded)) :]
        asked = _ASKED.search(self.folded, start)
        named = self.years + self.places
        if named and (marker or "呢" in tail) and not _GLUE.sub("", _without(self.folded, named)[start:]):
            return self.swapped(last, names)
        is_aspect = not asked and ("呢" in tail or (marker is not None and "?" in tail))
        if self.pronouns(start) and (_is_han(self.text) or not is_aspect):
            return self.substituted(last, start)
        if not asked or not marker:
            return self.aspect(last, start) if is_aspect else self.text
        own = [x for x in self.things if x.value == "quoted" or (x.value == "long" and x.end <= asked.start())]
        front = [] if named or own else [last.part(last.years), last.part(last.places) or last.subject()[0]]
        return _in_front(front, self.text[start:])

    def swapped(self, last: _Said, names: Names) -> str:  # the last question with these years and places for its own
        text, front, edits = last.text, [], []
        for new, old in ((self.years, last.years), (self.places, last.places)):
            was, now, value = last.part(old), self.part(new), new[0].value if new else ""
            if not _is_han(text):
                now = now.removesuffix("年")
            elif now.isdecimal():
                now += "年" if not was or was.endswith("年") else ""
            elif value and (now == value or now.isascii()):  # 徐汇 is 徐汇区 in the place of 宝山区
                now = next((x for x in names.places.get(value, ()) if x[-1] == was[-1:] and x[-1] in "区园"), value)
            edits += [(old[0], now)] if new and old else []
            front += [now] if new and not old else []
        for span, now in sorted(edits, reverse=True):
            text = text[: span.start] + now + text[span.end :]
        return _in_front(front, text)

    def substituted(self, last: _Said, start: int) -> str:  # with what its pronouns mean in their place
        text, (subject, is_thing), answers = self.text, last.subject(), _ANSWERS.search(last.folded)
        pair, place = _JOINED.split(last.part(last.places)), last.part(last.places) or subject
        for match in reversed(self.pronouns(start)):
            noun, what = match["kind"] or match["kinds"] or match["said"], place if match["place"] else subject
            if match["pair"]:
                what = pair[match.group() == "后者"] if len(pair) == 2 else ""
            elif match["many"] and answers and subject:
                what = f"{subject}的{last.text[slice(*answers.span(1))]}"
            if what:
                what += f"的{noun}" if noun and not what.endswith(noun) and (match["kinds"] or not is_thing) else ""
                form = {"其": "{}的", "its": "{}'s", "their": "{}'s", "there": "in {}"}.get(match.group(), "{}")
                text = text[: match.start()] + form.format(what) + text[match.end() :]
        asked = _ASKED.search(self.folded, start)
        if text == self.text or not (asked or _GLUE.sub("", _PRONOUN.sub("", self.folded[start:]))):
            return self.text
        text = text[start:] if asked or not _is_han(text) else _END.sub("是什么？", text[start:], count=1)
        return _in_front([] if self.years or _NOW.search(self.folded) else [last.part(last.years)], text)

    def aspect(self, last: _Said, start: int) -> str:  # 目标呢？ is asked of the last subject
        aspect = _END.sub("", _without(self.text, self.years)[start:]).strip("的在,， ")
        (subject, is_thing), own = last.subject(), self.places or [x for x in self.things if x.value != "word"]
        if is_thing and own and self.part(own) == aspect:
            return last.text.replace(subject, aspect, 1)
        is_han, is_one = _is_han(self.text), 0 < len(aspect) <= _LONGEST_ASPECT and not _NO_ASPECT.search(aspect)
        if not is_one or not (subject or own) or (own and not is_han):
            return self.text
        text = f"{aspect}是什么？" if own else f"{subject}{'' if '的' in aspect else '的'}{aspect}是什么？"
        text = text if is_han else f"What is {re.sub('^(?:its|their) ', 'the ', aspect)} of {subject}?"
        return _in_front([self.part(self.years) or last.part(last.years)], text)


def resolve(question: str, history: Sequence[str], names: Names) -> str:
    """The question as it stands by itself. `history`: the earlier questions as they were resolved, oldest first."""
    asked, last = question.strip(), history[-1].strip() if history else ""
    if not asked or not last:
        return asked or question
    result = _read(asked, names).resolved(_read(last, names), names).strip()
    return result if 0 < len(result) <= len(asked) + len(last) + _MOST_ADDED else asked


def _in_front(parts: Sequence[str], text: str) -> str:
    if _is_han(text):
        return "".join(x + "年" if x.isdecimal() else x for x in parts) + text
    front = " in ".join(x.removesuffix("年") for x in parts if x)
    return f"In {front}, {text[:1].lower()}{text[1:]}" if front else text[:1].upper() + text[1:]


def _is_han(text: str) -> bool:
    return len(re.findall("[㐀-鿿]", text)) >= len(re.findall("[A-Za-z]+", text))


def _without(text: str, spans: Sequence[_Span]) -> str:
    return "".join(" " if any(x.start <= n < x.end for x in spans) else c for n, c in enumerate(text))


def _listed(spans: Iterable[_Span], folded: str) -> list[_Span]:  # 徐汇和长宁 as one; of 张江宝山园 the last
    listed: list[_Span] = []
    for span in spans:
        gap = folded[listed[-1].end : span.start] if listed else "."
        is_one = not gap or _JOINED.fullmatch(gap)
        listed.append(_Span(listed.pop().start, span.end, "" if gap else span.value) if is_one else span)
    return listed


def _read(text: str, names: Names) -> _Said:
    folded = "".join(x if c.isprintable() and len(x := fold_script(c)) == 1 else c for c in text)
    asked = asked_years(folded, range(1900, 2100), (), 2000, {})  # whether a report is of it does not matter here
    asked = [x for x in asked if x.years] or asked  # a target, 到2030年, is the year where there is no other
    years = [_Span(x.start - (not x.years and folded[: x.start].endswith(("到", "至"))), x.end) for x in asked]
    forms = {form: short for short, longer in names.places.items() for form in (short, *longer)}
    forms |= {x: forms[name] for x, name in names.sounds.items() if name in forms and len(x) >= _SHORTEST_PINYIN}
    known = [rf"\b{re.escape(x)}\b" if x.isascii() else re.escape(x) for x in sorted(forms, key=len, reverse=True)]
    # What is quoted, and 黄浦江, hold the letters of a place and name none.
    pattern = f"{_QUOTED}|黄浦江|金山银山|增长宁|({'|'.join([_AREAS, *known, _CITY])})"
    places = _listed((_Span(*x.span(), forms.get(x[1], x[1])) for x in re.finditer(pattern, folded) if x[1]), folded)
    things: list[_Span] = []
    for match in _THING.finditer(blank := _without(folded, years)):
        (start, end), is_quoted = match.span(), match.lastgroup == "quoted"
        near = [x.start for x in places if x.end <= start and blank[x.end : start] in ("", "的")]
        is_first = is_quoted or near or not places or not start or blank[start - 1] in "的,。:;”》 "
        if is_first and not any(x.start <= start and end <= x.end for x in places):
            things.append(_Span(start if is_quoted else min([start, *near[-1:]]), end, match.lastgroup or ""))
    return _Said(text, folded, _listed(years, folded), places, things)

"""Changes to a file that know the shell of its format, so that they get past it. `change` changes any bytes."""

from __future__ import annotations

import io
import random
import re
import zipfile
import zlib
from collections.abc import Callable

from lxml import etree

from tests.corpus import hostile_pdf

Change = Callable[[bytes], bytes]
_OBJECT = re.compile(rb"(\d+) 0 obj\s(.*?)\sendobj", re.DOTALL)
_STREAM = re.compile(rb"(<<.*?)/Length \d+(.*?>>)\s*stream\r?\n(.*)\nendstream", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_ODD = (
    "",
    "0",
    "-1",
    "1",
    "9",
    "99999",
    "4294967296",
    "1e9",
    "NaN",
    "true",
    "x",
    "　",
    "一",
    "%",
    "☃",
    "Heading1",
    "nextPage",
)
_TAGS = (
    "<table>", "</table>", "<tr>", "<td>", "<td colspan=3>", "<td rowspan=9>", "<th>", "<p>", "</p>", "<br>", "<div>", "</div>", "<li>", "<ul>",
    "<ol start=-5>", "<h1>", "</h1>", "<h2>", "<h6>", "<pre>", "</pre>", "<sup>", "</sup>", "<a href='#n1'>", "<a id=n1>", "<!--", "-->", "<script>",
    "</script>", "<svg>", "<math>", "<template>", "<select>", "<article>", "<main>", "<b>", "<span style='display:none'>", "<title>", "<meta charset=gbk>",
    "<base href=//x>", "<frameset>", "<![CDATA[", "<?x?>", "&#0;", "&#xD800;", "&amp;", "&nbsp;", "\x85", "¹ 注：", "一、基础", "文" * 50, "</body>", "<html>",
)  # fmt: skip


def mutate_pdf(data: bytes, change: Change, chance: random.Random) -> bytes:
    """One object changed, doubled or taken away, its stream unpacked; the table of places is made anew."""
    objects = {int(m[1]): m[2] for m in _OBJECT.finditer(data) if int(m[1]) < 10_000}
    root = re.search(rb"/Root (\d+)", data)
    if not objects or root is None:
        return change(data)
    one, other = chance.choice(list(objects)), chance.choice(list(objects))
    match chance.randrange(8):
        case 0:
            objects[one] = objects[other]
        case 1:
            objects[one] = b"null"
        case 2:
            numbers = list(re.finditer(rb"-?\d+(?:\.\d+)?", objects[one]))
            if numbers:
                found = chance.choice(numbers)
                odd = chance.choice((b"0", b"-1", b"1e30", b"65536", b"4294967295", b"%d 0 R" % other, b"null"))
                objects[one] = objects[one][: found.start()] + odd + objects[one][found.end() :]
        case _:
            objects[one] = _change_object(objects[one], change, chance)
    return hostile_pdf.pdf(objects, int(root[1]))


def _change_object(body: bytes, change: Change, chance: random.Random) -> bytes:
    match = _STREAM.fullmatch(body)
    if match is None:
        return change(body)
    head, tail, content = match.groups()
    packed = b"/FlateDecode" in head + tail
    if packed and chance.random() < 0.9:
        try:
            content = zlib.decompress(content)
        except zlib.error:
            packed = False
    if chance.random() < 0.8:
        content = _change_words(content, change, chance)
    else:
        head = change(head)
    content = zlib.compress(content, 1) if packed else content
    return head + b"/Length %d" % len(content) + tail + b"\nstream\n" + content + b"\nendstream"


def _change_words(content: bytes, change: Change, chance: random.Random) -> bytes:
    """Operators and their numbers: some changed, moved or doubled."""
    words = content.split(b" ")
    a, b = sorted(chance.randrange(len(words) + 1) for _ in range(2))
    b = min(b, a + 200)
    match chance.randrange(4):
        case 0:
            return change(content)
        case 1:
            words[a:b] = words[a:b] * chance.choice((0, 2, 2, 50))
        case 2:
            at = chance.randrange(len(words) + 1)
            words[at:at] = words[a:b]
        case _:
            words[a : a + 1] = [
                chance.choice((b"q", b"Q", b"BT", b"ET", b"0", b"-1", b"1e9", b"Tm", b"Td", b"cm", b"Do", b"3 Tr"))
            ]
    return b" ".join(words)


def mutate_docx(data: bytes, change: Change, chance: random.Random) -> bytes:
    """One part's XML changed, element by element, and the whole packed again."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            members = {x.filename: packed.read(x) for x in packed.infolist() if x.file_size < 1 << 20}
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError, zlib.error, RuntimeError):
        return change(data)
    parts = [x for x in members if x.endswith((".xml", ".rels"))]
    if not parts:
        return change(data)
    name = "word/document.xml" if "word/document.xml" in parts and chance.random() < 0.6 else chance.choice(parts)
    members[name] = _change_xml(members[name], change, chance)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for key, content in members.items():
            file.writestr(key, content)
    return buffer.getvalue()


def _change_xml(data: bytes, change: Change, chance: random.Random) -> bytes:
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    except (etree.XMLSyntaxError, ValueError):
        return change(data)
    if chance.random() < 0.1:
        return change(data)
    found = [x for x in root.iter() if isinstance(x.tag, str)]
    for _ in range(chance.choice((1, 1, 2, 8))):
        one, other = chance.choice(found), chance.choice(found)
        parent = one.getparent()
        match chance.randrange(6):
            case 0 if one.attrib:
                one.set(chance.choice(list(one.attrib)), chance.choice(_ODD))
            case 1 if parent is not None and len(one) < 50:
                parent.remove(one)
            case 2 if len(other) < 20:
                one.append(etree.fromstring(etree.tostring(other, with_tail=False)))
            case 3:
                one.tag = other.tag
            case 4 if one.text:
                one.text = (one.text * chance.choice((2, 40)))[:2_000]
            case _:
                one.text = chance.choice((*_ODD[:8], "一、基础", "¹", "\t", "表 1", "｜", "。"))
    return bytes(etree.tostring(root))


def mutate_html(data: bytes, change: Change, chance: random.Random) -> bytes:
    """Tags put in, taken away, moved and doubled."""
    page = data.decode("utf-8", "surrogateescape")
    cuts = [x for m in _TAG.finditer(page) for x in m.span()] or [0]
    for _ in range(chance.choice((1, 1, 3, 10))):
        a, b = sorted(min(chance.choice(cuts), len(page)) for _ in range(2))
        match chance.randrange(4):
            case 0:
                page = page[:a] + page[b:] if b - a < len(page) // 2 else page
            case 1:
                page = page[:b] + page[a : min(b, a + 2_000)] * chance.choice((1, 1, 30)) + page[b:]
            case _:
                page = page[:a] + chance.choice(_TAGS) * chance.choice((1, 1, 1, 300)) + page[a:]
    return page.encode("utf-8", "surrogateescape")


def mutate_text(data: bytes, change: Change, chance: random.Random) -> bytes:
    """Recoded, or two bytes of a character parted."""
    codec = chance.choice(("utf-8", "gb18030", "utf-16", "utf-16-be", "big5hkscs", "utf-32", "utf-8-sig"))
    if chance.random() < 0.5:
        return change(data)
    return data.decode(chance.choice(("utf-8", "gb18030")), "replace").encode(codec, "replace")


MUTATORS = {"pdf": mutate_pdf, "docx": mutate_docx, "html": mutate_html, "text": mutate_text}

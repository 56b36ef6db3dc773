"""Files that mean harm or are broken, made when a test runs."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterator, Mapping

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_TYPES = '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_KINDS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def docx(body: str, parts: Mapping[str, str | bytes] | None = None, before: str = "") -> bytes:
    """A DOCX whose body holds that XML. `parts`: others by name (`styles`, `numbering`, `footnotes`), or by whole path."""
    named = dict(parts or {})
    relations = "".join(
        f'<Relationship Id="r{n}" Type="{_KINDS}/{x}" Target="{x}.xml"/>' for n, x in enumerate(named) if "/" not in x
    )
    main = f'{before}<w:document xmlns:w="{W}"><w:body>{body}</w:body></w:document>'
    members: dict[str, str | bytes] = {
        "[Content_Types].xml": _TYPES,
        "word/document.xml": main,
        "word/_rels/document.xml.rels": f'<Relationships xmlns="{_RELATIONS}">{relations}</Relationships>',
    }
    for name, content in named.items():
        whole = (
            content if "/" in name or isinstance(content, bytes) else f'<w:{name} xmlns:w="{W}">{content}</w:{name}>'
        )
        members[name if "/" in name else f"word/{name}.xml"] = whole
    return archive(members)


def archive(members: Mapping[str, str | bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


def paragraph(text: str, properties: str = "", run: str = "") -> str:
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:rPr>{run}</w:rPr><w:t>{text}</w:t></w:r></w:p>"


def _million_entries() -> bytes:
    """An archive whose directory alone has a million entries."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 1_000_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, len(directory), 4, 0)
    return b"PK\x03\x04" + directory + end


def archives(canary: str) -> Iterator[tuple[str, bytes, set[str]]]:
    """Hostile DOCX: name, bytes, and how reading may end. `canary` is an address that nobody may ask for."""
    good = docx(paragraph("正文。"))
    laughs = "<!DOCTYPE x [<!ENTITY a '哈哈哈哈哈哈哈哈哈哈'>" + "".join(
        f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    template = f'<Relationships xmlns="{_RELATIONS}"><Relationship Id="a" Type="{_KINDS}/attachedTemplate" Target="{canary}/t.dotm" TargetMode="External"/><Relationship Id="b" Type="{_KINDS}/styles" Target="{canary}/s.xml"/></Relationships>'
    yield "six-million-paragraphs.docx", docx("<w:p/>" * 6_000_000), {"too_large"}
    yield "huge-text.docx", docx(f"<w:p><w:r><w:t>{'字' * 20_000_000}</w:t></w:r></w:p>"), {"too_large"}
    yield "million-entries.docx", _million_entries(), {"too_large", "corrupt"}
    yield "nested.docx", archive({"inner.zip": archive({"inner.zip": good})}), {"unsupported"}
    yield "laughs.docx", docx(paragraph("&i;"), before=f"{laughs}]>"), {"corrupt"}
    yield "entity.docx", docx(paragraph("&x;"), before=f'<!DOCTYPE x [<!ENTITY x SYSTEM "{canary}/e">]>'), {"corrupt"}
    yield (
        "file.docx",
        docx(paragraph("&x;"), before='<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/hostname">]>'),
        {"corrupt"},
    )
    yield "dtd.docx", docx(paragraph("甲"), before=f'<!DOCTYPE x SYSTEM "{canary}/d.dtd">'), {"corrupt"}
    yield "template.docx", docx(paragraph("正文。"), {"word/_rels/settings.xml.rels": template}), {"ok"}
    yield "truncated.docx", good[: len(good) // 2], {"corrupt"}
    yield "head.docx", good[:4], {"corrupt"}
    yield "empty.docx", b"", {"empty"}
    yield "no-text.docx", docx("<w:p/>"), {"empty"}
    yield "deep.docx", docx("<w:tbl><w:tr><w:tc>" * 5000 + "</w:tc></w:tr></w:tbl>" * 5000), {"corrupt"}
    yield "elf.docx", b"\x7fELF\x02\x01\x01" + bytes(60), {"unsupported"}
    yield "sheet.docx", archive({"[Content_Types].xml": _TYPES, "xl/workbook.xml": "<x/>"}), {"unsupported"}
    yield (
        "old.doc",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "WordDocument".encode("utf-16-le"),
        {"unsupported"},
    )
    yield "locked.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"), {"encrypted"}


def pages(canary: str) -> Iterator[tuple[str, bytes, set[str]]]:
    """Hostile web pages and texts: name, text, and how reading may end."""

    def page(body: str) -> bytes:
        return f"<!DOCTYPE html><html><body>{body}</body></html>".encode()

    yield "too-deep.html", page("<div>" * 150_000 + "<p>甲。</p>"), {"too_large"}
    yield "million-cells.html", page("<table>" + "<tr>" + "<td>一</td>" * 1_000_000 + "</tr></table>"), {"too_large"}
    yield "cells.html", page("<table>" + ("<tr>" + "<td>一</td>" * 10 + "</tr>") * 5_000 + "</table>"), {"ok"}
    yield (
        "spans.html",
        page("<table>" + "<tr><td colspan=9999 rowspan=9999>甲</td><td>乙</td></tr>" * 500 + "</table>"),
        {"ok"},
    )
    yield "unclosed.html", page("<p><a href=x><b><i>" * 100_000), {"too_large", "empty"}
    yield "marks.html", page("<sup>1<sup>" * 40_000 + "甲。"), {"ok", "too_large"}
    yield "comments.html", page("甲。" + "<!--" * 300_000), {"ok"}
    yield "long-line.txt", "一二三四五六七八九。".encode() * 440_000, {"ok"}
    yield "longer-line.txt", "一二三四五六七八九。".encode() * 660_000, {"too_large"}
    yield "bom.txt", b"\xef\xbb\xbf", {"empty"}
    yield "nul.txt", "甲".encode() + bytes(1000), {"decode_error"}
    yield (
        "remote.html",
        page(
            f'<link rel="stylesheet" href="{canary}/a.css"><script src="{canary}/a.js"></script><img src="{canary}/a.png">'
            f'<iframe src="{canary}/f"></iframe><p>正文。</p><object data="{canary}/o"></object>'
        ),
        {"ok"},
    )
    yield (
        "entity.xhtml",
        f'<?xml version="1.0"?><!DOCTYPE html [<!ENTITY x SYSTEM "{canary}/e">]><html><body><p>正文&x;。</p></body></html>'.encode(),
        {"ok"},
    )

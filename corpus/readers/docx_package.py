"""The ZIP archive that a DOCX is: what it is, whether it may be unpacked, and its parts of XML.

Only the few parts that hold text are ever unpacked, and nothing that they refer to outside the archive is looked at.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from io import BytesIO
from typing import TypeAlias

from lxml import etree

from corpus.readers.limits import MAX_MEMBERS, MAX_RATIO, MAX_UNPACKED
from corpus.readers.types import ReadError

Element: TypeAlias = etree._Element

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_STRICT = b"http://purl.oclc.org/ooxml/wordprocessingml/main"
_TRANSITIONAL = b"http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_RATIO_FROM = 10 << 20
_MAX_TAGS = 3_000_000
"""In one part: a tree takes some 120 bytes for each element."""
_OTHERS = (
    ("xl/workbook.xml", "Excel 表格", "请把要检索的内容另存为 PDF 或复制到 Word 文档"),
    ("ppt/presentation.xml", "PowerPoint 演示文稿", "请另存为 PDF"),
    ("content.xml", "OpenDocument 文档", "请另存为 .docx 或 PDF"),
    ("META-INF/container.xml", "EPUB 电子书", "请另存为 .docx 或 PDF"),
)


class Package:
    """The archive of a DOCX file."""

    def __init__(self, name: str, data: bytes) -> None:
        """Look at the archive's directory, unpacking nothing.

        Raises:
            ReadError: `encrypted`, `unsupported`, `corrupt`, `too_large`.
        """
        self.name = name
        if data.startswith(OLE):
            raise _ole(name, data)
        # Reading the directory takes time and memory for each of its entries.
        if data.count(b"PK\x01\x02") > MAX_MEMBERS:
            raise ReadError("too_large", f"{name} 里的文件超过 {MAX_MEMBERS} 个，不予展开。请另存后再试。")
        try:
            self.archive = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise self.corrupt() from error
        self.names = {x.filename: x for x in self.archive.infolist()}
        self.main = self._main()
        self._check()
        self.relations = self._relations(self.main)

    def corrupt(self) -> ReadError:
        return ReadError("corrupt", f"{self.name} 已损坏或不完整，无法读取。请用 Word 打开并另存后再试。")

    def _check(self) -> None:
        infos = self.archive.infolist()
        if any(x.flag_bits & 1 for x in infos):
            raise _encrypted(self.name)
        if sum(x.file_size for x in infos) > MAX_UNPACKED:
            raise ReadError(
                "too_large", f"{self.name} 展开后超过 {MAX_UNPACKED >> 20} MiB，不予展开。请拆成几份再加入。"
            )
        if any(x.file_size > max(_RATIO_FROM, MAX_RATIO * x.compress_size) for x in infos):
            raise ReadError("too_large", f"{self.name} 的压缩比异常，像是压缩炸弹，不予展开。请用 Word 另存后再试。")

    def _main(self) -> str:
        """The part that holds the text.

        Raises:
            ReadError: `unsupported` where there is none.
        """
        if "word/document.xml" in self.names:
            return "word/document.xml"
        for member, what, advice in _OTHERS:
            if member in self.names:
                raise ReadError("unsupported", f"{self.name} 是 {what}，不在可读之列。{advice}后再加入。")
        if "[Content_Types].xml" in self.names:
            for kind, target in self._targets("_rels/.rels", ""):
                if kind == "officeDocument" and target.startswith("word/") and target in self.names:
                    return target
        raise ReadError("unsupported", f"{self.name} 是压缩包，不是 Word 文档。请解压后把其中的文档逐个加入。")

    def _relations(self, part: str) -> dict[str, str]:
        """Part by kind of relation (`styles`, `numbering`, `footnotes` …), the first of each."""
        folder, base = posixpath.split(part)
        found: dict[str, str] = {}
        for kind, target in self._targets(f"{folder}/_rels/{base}.rels", folder):
            found.setdefault(kind, target)
        return found

    def _targets(self, path: str, folder: str) -> list[tuple[str, str]]:
        root = self.xml(path)
        if root is None:
            return []
        found = []
        for relation in root.iterchildren("{*}Relationship"):
            target = relation.get("Target") or ""
            if relation.get("TargetMode") != "External":
                whole = target.lstrip("/") if target.startswith("/") else posixpath.join(folder, target)
                found.append(((relation.get("Type") or "").rpartition("/")[2], posixpath.normpath(whole)))
        return found

    def related(self, kind: str) -> Element | None:
        """The root of the part that the text refers to as `kind`; None where there is none, or none that can be read."""
        path = self.relations.get(kind)
        try:
            return self.xml(path) if path else None
        except ReadError as error:
            if error.code != "corrupt":
                raise
            return None

    def related_core(self) -> Element | None:
        """The root of the document's own properties: who made it, and when."""
        try:
            return self.xml(next((t for kind, t in self._targets("_rels/.rels", "") if kind == "core-properties"), ""))
        except ReadError:
            return None

    def document(self) -> Element:
        """The root of the text itself.

        Raises:
            ReadError: `corrupt` or `too_large`.
        """
        root = self.xml(self.main)
        body = None if root is None else root.find(f"{W}body")
        if body is None:
            raise self.corrupt()
        return body

    def xml(self, path: str) -> Element | None:
        """The root of a part; None where the archive lacks it.

        Raises:
            ReadError: `corrupt`, or `too_large`.
        """
        info = self.names.get(path)
        if info is None:
            return None
        try:
            data = self.archive.read(info)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError, OSError) as error:
            raise self.corrupt() from error
        if data.count(b"<") > _MAX_TAGS:
            raise ReadError(
                "too_large", f"{self.name} 的内容过大（标签超过 {_MAX_TAGS // 10_000} 万个）。请拆成几份再加入。"
            )
        # Entities are never expanded, and nothing is loaded from anywhere.
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
        )
        try:
            root = etree.fromstring(data.replace(_STRICT, _TRANSITIONAL), parser)
        except (etree.XMLSyntaxError, ValueError) as error:
            raise self.corrupt() from error
        if root.getroottree().docinfo.doctype:
            raise self.corrupt()  # Word writes none; it is there to do harm
        return root


def _ole(name: str, data: bytes) -> ReadError:
    if "EncryptedPackage".encode("utf-16-le") in data:
        return _encrypted(name)
    if "WordDocument".encode("utf-16-le") in data:
        return ReadError("unsupported", f"{name} 是旧式 .doc 文档。请用 Word 或 WPS 另存为 .docx 后再加入。")
    return ReadError("unsupported", f"{name} 是旧式 Office 文件。请另存为 .docx 或 PDF 后再加入。")


def _encrypted(name: str) -> ReadError:
    return ReadError("encrypted", f"{name} 设有密码，无法读取。请在 Word 中去掉密码，另存后再加入。")


def value(element: Element | None, name: str, attribute: str = "val") -> str | None:
    """The attribute of a child, as Word keeps its properties: `<w:jc w:val="center"/>`."""
    child = None if element is None else element.find(f"{W}{name}")
    return None if child is None else child.get(f"{W}{attribute}")


def is_on(element: Element | None, name: str) -> bool | None:
    """A property that is on or off; None where nothing is said."""
    child = None if element is None else element.find(f"{W}{name}")
    return None if child is None else child.get(f"{W}val", "1") not in ("0", "false", "off", "none")


def number(text: str | None) -> int | None:
    """A whole number as an attribute gives it, None where it is none."""
    return int(text) if text and re.fullmatch(r"-?\d{1,9}", text, re.ASCII) else None

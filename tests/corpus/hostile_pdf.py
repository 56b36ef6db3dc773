"""PDF files that mean harm, each made in a moment and small: what each must come to stands beside it."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable

Make = Callable[[], bytes]


def pdf(objects: dict[int, bytes], root: int = 1, extra: bytes = b"") -> bytes:
    """A file of numbered objects with its table of places."""
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start, size = len(out), max(objects) + 1
    out += b"xref\n0 1\n0000000000 65535 f \n"
    for number in sorted(places):
        out += b"%d 1\n%010d 00000 n \n" % (number, places[number])
    out += b"trailer\n<</Size %d/Root %d 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (size, root, extra, start)
    return bytes(out)


def stream(data: bytes, head: bytes = b"", packed: bool = True) -> bytes:
    body = zlib.compress(data, 9) if packed else data
    kind = b"/Filter/FlateDecode" if packed else b""
    return b"<<%s%s/Length %d>>\nstream\n" % (head, kind, len(body)) + body + b"\nendstream"


_FONT = b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
_RESOURCES = b"/Resources<</Font<</F 5 0 R>>/XObject<</X 6 0 R>>>>"
_HELLO = b"BT /F 12 Tf 72 700 Td (The quick brown fox jumps over the lazy dog.) Tj ET"


def one_page(
    content: bytes,
    box: bytes = b"0 0 595 842",
    page: bytes = b"",
    more: dict[int, bytes] | None = None,
    extra: bytes = b"",
) -> bytes:
    return pdf(
        {
            1: b"<</Type/Catalog/Pages 2 0 R>>",
            2: b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            3: b"<</Type/Page/Parent 2 0 R/MediaBox[%s]/Contents 4 0 R%s%s>>" % (box, _RESOURCES, page),
            4: content,
            5: _FONT,
            **(more or {}),
        },
        extra=extra,
    )


def hello(box: bytes = b"0 0 595 842") -> bytes:
    """An honest file."""
    return one_page(stream(_HELLO), box)


def flate_bomb() -> bytes:
    """Two gigabytes of nothing in two megabytes."""
    packer = zlib.compressobj(9)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    body = first + again * 2047 + packer.flush()
    return one_page(b"<</Filter/FlateDecode/Length %d>>\nstream\n" % len(body) + body + b"\nendstream")


def nested_flate_bomb() -> bytes:
    """Packed ten times over."""
    body = bytes(1 << 24)
    for _ in range(10):
        body = zlib.compress(body, 9)
    filters = b"/FlateDecode" * 10
    return one_page(b"<</Filter[%s]/Length %d>>\nstream\n" % (filters, len(body)) + body + b"\nendstream")


def long_content() -> bytes:
    """Five million words on one page."""
    return one_page(stream(b"BT /F 12 Tf 72 700 Td " + b"(ab) Tj " * 5_000_000 + b"ET"))


def many_shapes() -> bytes:
    """Half a million lines drawn."""
    return one_page(stream(_HELLO + b" 0 0 m 9 9 l S" * 500_000))


def grid() -> bytes:
    """Four hundred lines across, four hundred down."""
    across = b"".join(b"0 %.2f m 595 %.2f l S " % (n * 2, n * 2) for n in range(400))
    down = b"".join(b"%.2f 0 m %.2f 842 l S " % (n * 1.4, n * 1.4) for n in range(400))
    return one_page(stream(_HELLO + b" " + across + down))


def one_baseline() -> bytes:
    """Thirty thousand letters, small beside large, on nearly one height."""
    words = b"".join(
        b"/F %d Tf 1 0 0 1 %.2f %.2f Tm (a) Tj " % (4 + 8 * (n % 2), n % 590, 400 + n % 5) for n in range(30_000)
    )
    return one_page(stream(b"BT " + words + b"ET"))


def many_kids() -> bytes:
    """Two hundred thousand pages that are one."""
    kids = b"3 0 R " * 200_000
    return pdf(
        {
            1: b"<</Type/Catalog/Pages 2 0 R>>",
            2: b"<</Type/Pages/Kids[%s]/Count 200000>>" % kids,
            3: b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R%s>>" % _RESOURCES,
            4: stream(_HELLO),
            5: _FONT,
        }
    )


def circular_pages() -> bytes:
    """A page tree that is its own branch."""
    return pdf({1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[2 0 R]/Count 3/Parent 2 0 R>>"})


def lying_count() -> bytes:
    """A billion pages by its own account."""
    return pdf({1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[]/Count 1000000000>>"})


def no_pages() -> bytes:
    return pdf({1: b"<</Type/Catalog/Pages 2 0 R>>", 2: b"<</Type/Pages/Kids[]/Count 0>>"})


def annotations() -> bytes:
    """Ten thousand notes on a page."""
    note = b"<</Type/Annot/Subtype/Text/Rect[0 0 9 9]/Contents(x)>>"
    return one_page(stream(_HELLO), page=b"/Annots[" + note * 10_000 + b"]")


def nested_forms() -> bytes:
    """Forms within forms, five thousand deep, and the last one holds the first."""
    count = 5_000
    forms = {}
    for n in range(count):
        inner = 6 + (n + 1) % count
        head = b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources<</XObject<</X %d 0 R>>>>" % inner
        forms[6 + n] = stream(b"/X Do", head)
    return one_page(stream(_HELLO + b" /X Do"), more=forms)


def doubling_forms() -> bytes:
    """Thirty forms, each of which draws the next one twice."""
    forms = {}
    for n in range(30):
        inner = b"<</XObject<</X %d 0 R>>>>" % (7 + n) if n < 29 else b"<</Font<</F 5 0 R>>>>"
        head = b"/Type/XObject/Subtype/Form/BBox[0 0 595 842]/Resources" + inner
        forms[6 + n] = stream(b"/X Do /X Do" if n < 29 else _HELLO, head)
    return one_page(stream(b"/X Do"), more=forms)


def deep_arrays() -> bytes:
    """A hundred thousand brackets."""
    return one_page(stream(_HELLO), page=b"/Junk" + b"[" * 100_000 + b"]" * 100_000)


def truncated() -> bytes:
    return hello()[:200]


def absurd_page() -> bytes:
    return hello(b"-1000000000 -1000000000 1000000000 1000000000")


def no_numbers() -> bytes:
    """Sizes of nothing, of everything and of none that can be read."""
    words = b" ".join(
        b"BT /F %s Tf %s 0 0 %s 72 %s Tm (lost words) Tj ET" % x
        for x in (
            (b"0", b"1", b"1", b"700"),
            (b"1e38", b"1e38", b"1e38", b"600"),
            (b"12", b"0", b"0", b"1e39"),
            (b"-", b"x", b"1", b"9"),
        )
    )
    return one_page(stream(words + b" " + _HELLO))


def encrypted(user: bytes, owner: bytes) -> bytes:
    """An honest page behind passwords, by the oldest of the standard's ways (40 bits of RC4). An empty one opens it."""
    mark, rights = b"0123456789abcdef", -4
    hidden = _rc4(_md5(_padded(owner or user))[:5], _padded(user))
    key = _md5(_padded(user) + hidden + rights.to_bytes(4, "little", signed=True) + mark)[:5]
    own_key = _md5(key + (4).to_bytes(3, "little") + bytes(2))[:10]
    body = _rc4(own_key, _HELLO)
    lock = b"<</Filter/Standard/V 1/R 2/O<%s>/U<%s>/P %d>>"
    content = b"<</Length %d>>\nstream\n" % len(body) + body + b"\nendstream"
    locked = {9: lock % (hidden.hex().encode(), _rc4(key, _padded(b"")).hex().encode(), rights)}
    return one_page(content, more=locked, extra=b"/Encrypt 9 0 R/ID[<%s><%s>]" % ((mark.hex().encode(),) * 2))


_PADDING = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _padded(password: bytes) -> bytes:
    return (password + _PADDING)[:32]


def _rc4(key: bytes, data: bytes) -> bytes:
    box = list(range(256))
    j = 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) % 256
        box[i], box[j] = box[j], box[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + box[i]) % 256
        box[i], box[j] = box[j], box[i]
        out.append(byte ^ box[(box[i] + box[j]) % 256])
    return bytes(out)


def without_unicode() -> bytes:
    """Signs of a font that doesn't say which characters they are."""
    signs = b" ".join(b"/g%d" % n for n in range(1, 41))
    drawn = b" ".join(b"/g%d 9 0 R" % n for n in range(1, 41))
    font = (
        b"<</Type/Font/Subtype/Type3/FontBBox[0 0 500 500]/FontMatrix[.001 0 0 .001 0 0]/FirstChar 1/LastChar 40"
        b"/Widths[" + b"500 " * 40 + b"]/Encoding<</Differences[1 " + signs + b"]>>/CharProcs<<" + drawn + b">>>>"
    )
    square = stream(b"500 0 0 0 500 500 d1 0 0 500 500 re f")
    text = bytes(range(1, 41)).hex().encode()
    return one_page(stream(b"BT /F 12 Tf 72 700 Td <" + text + b"> Tj ET"), more={5: font, 9: square})


# What each may come to; `ok` is a text.
CASES: dict[str, tuple[Make, tuple[str, ...]]] = {
    "flate_bomb": (flate_bomb, ("no_text_layer", "memory_limit", "timeout", "parser_crashed")),
    "nested_flate_bomb": (nested_flate_bomb, ("no_text_layer", "memory_limit", "timeout", "parser_crashed")),
    "long_content": (long_content, ("ok", "timeout", "memory_limit", "parser_crashed", "too_large")),
    "many_shapes": (many_shapes, ("ok", "timeout", "memory_limit", "parser_crashed")),
    "grid": (grid, ("ok",)),
    "one_baseline": (one_baseline, ("ok", "timeout")),
    "many_kids": (many_kids, ("too_many_pages",)),
    "circular_pages": (circular_pages, ("corrupt",)),
    "lying_count": (lying_count, ("corrupt", "too_many_pages")),
    "no_pages": (no_pages, ("corrupt",)),
    "annotations": (annotations, ("ok",)),
    "nested_forms": (nested_forms, ("ok",)),
    "doubling_forms": (doubling_forms, ("timeout", "memory_limit", "parser_crashed")),
    "deep_arrays": (deep_arrays, ("ok", "corrupt", "parser_crashed")),
    "truncated": (truncated, ("corrupt",)),
    "absurd_page": (absurd_page, ("ok",)),
    "no_numbers": (no_numbers, ("ok",)),
}

"""How the PDF files of the tests were made: `python -m tests.files.make_pdf FOLDER` (Chromium and LibreOffice).

FOLDER gets `chromium/`, `columns/` and `office/` with the five reports each, as `benchmarks/parity.py` takes them;
`sample.pdf`, a report as an office suite sets it; and `scan.pdf`, of which three pages are pictures. Those under
`tests/files/pdf` are some of them. All embed subsets of the Noto fonts (SIL Open Font License).
"""

from __future__ import annotations

import html
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pypdfium2 as pdfium

from corpus.elements import Element, split_row
from corpus.library import Library, shipped_folder
from corpus.structure import parse
from corpus.types import Document, join_spans
from tests.corpus.hostile_pdf import one_page, stream

_SUPERSCRIPTS = {c: str(n) for n, c in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_STYLE = """
@page { size: A4; margin: 25mm 26mm; @top-center { content: "RUNNING"; font-size: 9pt; }
        @bottom-center { content: "— " counter(page) " —"; font-size: 9pt; } }
body { font-family: "Noto Serif CJK SC"; font-size: 12pt; line-height: 1.75; text-align: justify; margin: 0; }
h1, h2, h3, h4, h5 { font-family: "Noto Sans CJK SC"; text-align: left; break-after: avoid; }
h1 { font-size: 22pt; text-align: center; } h2 { font-size: 17pt; } h3 { font-size: 15pt; } h4 { font-size: 13pt; }
h5 { font-size: 12pt; }
p { text-indent: 2em; margin: 0; } p.item { text-indent: 0; margin-left: 2em; }
p.note { text-indent: 0; font-size: 9pt; } sup { font-size: 65%; line-height: 0; }
table { border-collapse: collapse; width: 100%; } td, th { border: 0.5pt solid black; padding: 2pt 4pt; text-align: left; }
tr { break-inside: avoid; }
main.columns { columns: 2; column-gap: 8mm; font-size: 10pt; } main.columns h1 { column-span: all; }
main.columns * { font-family: "Noto Serif CJK SC"; font-weight: normal; }
"""


def report_html(document: Document, columns: bool = False) -> str:
    """A report as one web page: its headings as `h2` to `h5`, tables, lists and footnotes as such."""
    structure = parse(document)
    opened = 0
    parts = [f"<h1>{_escaped(document.title)}</h1>"]
    for element in structure.elements:
        for section in structure.sections[opened + 1 : element.section + 1]:
            parts.append(f"<h{min(section.level, 4) + 1}>{_escaped(section.path[-1])}</h{min(section.level, 4) + 1}>")
        opened = max(opened, element.section)
        parts.append(_element_html(document.text, element))
    style = _STYLE.replace("RUNNING", document.series)
    body = "\n".join(parts)
    kind = ' class="columns"' if columns else ""
    return (
        f'<!DOCTYPE html><html lang="zh-CN"><head><meta charset="utf-8"><title>{_escaped(document.title)}</title>'
        f"<style>{style}</style></head><body><main{kind}>\n{body}\n</main></body></html>"
    )


def print_page(page: str, path: Path) -> None:
    """The web page as a PDF by Chromium."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "page.html"
        source.write_text(page, encoding="utf-8")
        switches = "--headless --no-sandbox --disable-gpu --disable-background-networking --disable-component-update"
        switches += f" --disable-sync --no-first-run --no-pdf-header-footer --user-data-dir={folder}/profile"
        command = ["chromium", *switches.split(), f"--print-to-pdf={path}", source.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)


def convert(source: Path, folder: Path) -> None:
    """A document as a PDF by LibreOffice, under the same name."""
    with tempfile.TemporaryDirectory() as profile:
        office = ["soffice", f"-env:UserInstallation=file://{profile}", "--headless", "--convert-to", "pdf"]
        subprocess.run([*office, "--outdir", str(folder), str(source)], check=True, capture_output=True, timeout=180)


def _element_html(text: str, element: Element) -> str:
    whole = join_spans(text, element.spans)
    lines = [x.strip() for x in whole.splitlines() if x.strip()]
    if element.kind == "table":
        rows = [split_row(x) for x in lines if "\t" in x]
        before = "".join(f"<p>{_marked(x)}</p>" for x in lines if "\t" not in x)
        cells = ["".join(f"<{_tag(n)}>{_marked(x)}</{_tag(n)}>" for x in row) for n, row in enumerate(rows)]
        return before + "<table>" + "".join(f"<tr>{x}</tr>" for x in cells) + "</table>"
    if element.kind == "footnote":
        return f'<p class="note">{_marked(whole)}</p>'
    kind = ' class="item"' if element.kind == "list" else ""
    return "\n".join(f"<p{kind}>{_marked(x)}</p>" for x in lines)


def _tag(row: int) -> str:
    return "td" if row else "th"


def _marked(text: str) -> str:
    """Escaped, with superscript digits as `sup` and Markdown's bold as `b`."""
    out, bold = "", False
    pieces = _escaped(text).split("**")
    for n, piece in enumerate(pieces):
        if n:
            out += "</b>" if bold else "<b>"
            bold = not bold
        out += "".join(f"<sup>{_SUPERSCRIPTS[c]}</sup>" if c in _SUPERSCRIPTS else c for c in piece)
    return out.replace("</sup><sup>", "") + ("</b>" if bold else "")


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


# -- a report as an office suite sets it ------------------------------------------------------------

_SERIF, _SANS = "Noto Serif CJK SC", "Noto Sans CJK SC"
_SPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in (
        ("office", "office"),
        ("style", "style"),
        ("text", "text"),
        ("table", "table"),
        ("fo", "xsl-fo-compatible"),
    )
)
_TAB = (
    '<style:tab-stops><style:tab-stop style:position="15cm" style:type="right" style:leader-style="dotted"'
    ' style:leader-text="."/></style:tab-stops>'
)
_PARTS = (
    "全市科技创新工作围绕建设具有全球影响力的科技创新中心，强化策源功能，推动科技创新和产业创新深度融合，全社会研发经费支出相当于"
    "全市生产总值的比例保持在百分之四以上，企业研发投入占比超过六成，财政科技资金的引导作用进一步增强。",
    "基础研究投入持续增长，重大科技基础设施建设有序推进，张江综合性国家科学中心集聚效应进一步显现，一批原创成果在国际期刊发表，"
    "技术合同成交额再创新高，企业作为创新主体的地位更加突出。",
    "各区结合自身禀赋，打造各具特色的创新承载区。概念验证中心与中试平台加快布局，从实验室到生产线的距离进一步缩短；科技金融服务"
    "覆盖初创企业成长的全过程，“先投后股”等改革试点取得积极进展。",
)
DISTRICTS = tuple(
    [
        "浦东新区",
        "黄浦区",
        "静安区",
        "徐汇区",
        "长宁区",
        "普陀区",
        "虹口区",
        "杨浦区",
        "宝山区",
        "闵行区",
        "嘉定区",
        "金山区",
        "松江区",
        "青浦区",
        "奉贤区",
        "崇明区",
    ]
)


def sample() -> str:
    """Flat ODF: a cover, contents, running heads and feet, footnotes, a table over two pages, columns, aligned figures.

    Its headings of the second level are of the body's size, in another face.
    """
    page = (
        '<style:page-layout style:name="A4"><style:page-layout-properties fo:page-width="21cm" fo:page-height="29.7cm"'
        ' fo:margin="2.5cm"/><style:header-style><style:header-footer-properties fo:min-height="1cm"/></style:header-style>'
        '<style:footer-style><style:header-footer-properties fo:min-height="1cm"/></style:footer-style></style:page-layout>'
    )
    head = _para("Head", "上海市科技创新发展报告（2024年度）")
    foot = _para("Head", '第 <text:page-number text:select-page="current"/> 页')
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {_SPACES} office:version="1.3"'
        ' office:mimetype="application/vnd.oasis.opendocument.text">'
        f"<office:styles>{_styles()}</office:styles><office:automatic-styles>{page}"
        '<style:style style:name="Cell" style:family="table-cell"><style:table-cell-properties'
        ' fo:border="0.5pt solid #000000" fo:padding="0.1cm"/></style:style>'
        '<style:style style:name="Columns" style:family="section"><style:section-properties>'
        '<style:columns fo:column-count="2" fo:column-gap="0.8cm"><style:column style:rel-width="1*"/>'
        '<style:column style:rel-width="1*"/></style:columns></style:section-properties></style:style>'
        "</office:automatic-styles><office:master-styles>"
        '<style:master-page style:name="Standard" style:page-layout-name="A4">'
        f"<style:header>{head}</style:header><style:footer>{foot}</style:footer></style:master-page>"
        f"</office:master-styles><office:body><office:text>{_sample_body()}</office:text></office:body></office:document>"
    )


def _sample_body() -> str:
    a, b, c = _PARTS
    contents = (("一、总体情况", 1), ("（一）创新投入", 1), ("（二）创新产出", 2), ("二、各区进展", 3))
    noted = (
        a[:30]
        + "概念验证"
        + _note(
            1,
            "概念验证：对早期科技成果的技术可行性与商业价值进行验证，帮助其跨越从实验室到市场之间的“死亡之谷”的活动。",
        )
        + "与中试平台"
        + _note(2, "中试：产品正式投产前的试验，即中间阶段的试验。")
        + a[30:]
    )
    figures = (
        ("指标", "2023年", "2024年"),
        ("科技馆", "32", "35"),
        ("科普基地", "361", "377"),
        ("科普活动场次", "8120", "9044"),
    )
    parts = [
        _para("Cover", "上海市科技创新发展报告"),
        *(_para("CoverLine", x) for x in ("（2024年度）", "上海市科学技术委员会", "2025年3月")),
        _para("ContentsHead", "目　录"),
        *(_para("Contents", f"{name}<text:tab/>{page}") for name, page in contents),
        _para("NewPage", "一、总体情况"),
        *(_para("Body", x) for x in (a, b)),
        _para("H2", "（一）创新投入"),
        *(_para("Body", x) for x in (noted, c + c, b + a, c)),
        _para("H2", "（二）创新产出"),
        *(
            _para("Body", x)
            for x in (b + b + c, "主要产出如下：", "1.发表国际论文12.3万篇；", "2.授权发明专利5.1万件；")
        ),
        _para("Body", "3.技术合同成交额5200.5亿元，其中技术开发合同占六成以上，向长三角输出的比例逐年提高。"),
        _para("Body", "科普事业稳步发展，数字如下："),
        *(_para("Aligned", "<text:tab/>".join(row)) for row in figures),
        _para("Body", c + b),
        _para("H1", "二、各区进展"),
        _para("Body", "各区高新技术企业数量如表1所示。"),
        _para("Caption", "表1　各区高新技术企业数量"),
        _sample_table(),
        _para("Body", a + c),
        f'<text:section text:style-name="Columns" text:name="S">{"".join(_para("Flat", x) for x in (a + b, c + a, b))}</text:section>',
        _para("H1", "三、下一步工作"),
        *(_para("Body", x) for x in (b, a)),
    ]
    return "".join(parts)


def _sample_table() -> str:
    """Heads of two rows, repeated on the second page; numbers that follow from the district's place."""
    covered = "<table:covered-table-cell/>"
    heads = _row(
        _cell("序号", down=2), _cell("区", down=2), _cell("高新技术企业（家）", across=2), _cell("备注", down=2)
    )
    heads += _row(covered, covered, _cell("2023年"), _cell("2024年"), covered)
    rows = "".join(
        _row(
            *(
                _cell(x)
                for x in (
                    str(n),
                    name,
                    str(310 + 37 * n),
                    str(350 + 41 * n),
                    "含分园内的企业，数据截至年底" if n % 5 == 0 else "",
                )
            )
        )
        for n, name in enumerate(DISTRICTS, start=1)
    )
    return (
        '<table:table table:name="T"><table:table-column table:number-columns-repeated="5"/>'
        f"<table:table-header-rows>{heads}</table:table-header-rows>{rows}</table:table>"
    )


def _row(*cells: str) -> str:
    return f"<table:table-row>{''.join(cells)}</table:table-row>"


def _cell(text: str, across: int = 1, down: int = 1) -> str:
    spans = f'table:number-columns-spanned="{across}" table:number-rows-spanned="{down}"'
    cell = f'<table:table-cell table:style-name="Cell" {spans}>{_para("CellText", text)}</table:table-cell>'
    return cell + "<table:covered-table-cell/>" * (across - 1)


def _para(style: str, text: str) -> str:
    return f'<text:p text:style-name="{style}">{text}</text:p>'


def _note(number: int, text: str) -> str:
    return (
        f'<text:note text:id="f{number}" text:note-class="footnote"><text:note-citation>{number}</text:note-citation>'
        f"<text:note-body>{_para('Note', text)}</text:note-body></text:note>"
    )


def _styles() -> str:
    text = 'fo:text-indent="0.85cm" fo:text-align="justify" fo:line-height="21pt"'
    new = 'fo:break-before="page" fo:keep-with-next="always" fo:margin-bottom="0.3cm"'
    tabs = _TAB.replace(' style:leader-style="dotted" style:leader-text="."', "").replace('"right"', '"left"')
    aligned = tabs.replace("15cm", "5cm").replace("</style:tab-stops>", "") + tabs.replace("15cm", "9cm").replace(
        "<style:tab-stops>", ""
    )
    return "".join(
        (
            _style("Cover", _SANS, 26, 'fo:text-align="center" fo:margin-top="5cm"'),
            _style("CoverLine", _SERIF, 16, 'fo:text-align="center" fo:margin-top="2cm"'),
            _style("ContentsHead", _SANS, 16, 'fo:text-align="center" fo:break-before="page"'),
            _style("Contents", _SERIF, 12, 'fo:line-height="20pt"', _TAB),
            _style("NewPage", _SANS, 16, new),
            _style("H1", _SANS, 16, 'fo:margin-top="0.5cm" fo:margin-bottom="0.3cm" fo:keep-with-next="always"'),
            _style("H2", _SANS, 12, 'fo:text-indent="0.85cm" fo:line-height="21pt" fo:keep-with-next="always"'),
            _style("Body", _SERIF, 12, text),
            _style("Flat", _SERIF, 12, 'fo:text-align="justify" fo:line-height="21pt"'),
            _style("Aligned", _SERIF, 12, 'fo:line-height="21pt"', aligned),
            _style("Note", _SERIF, 9, 'fo:line-height="12pt"'),
            _style("CellText", _SERIF, 10.5, ""),
            _style("Caption", _SANS, 10.5, 'fo:text-align="center"'),
            _style("Head", _SERIF, 9, 'fo:text-align="center"'),
        )
    )


def _style(name: str, font: str, size: float, paragraph: str, tabs: str = "") -> str:
    fonts = f'fo:font-family="{font}" style:font-family-asian="{font}" fo:font-size="{size}pt" style:font-size-asian="{size}pt"'
    return (
        f'<style:style style:name="{name}" style:family="paragraph"><style:paragraph-properties {paragraph}>{tabs}'
        f"</style:paragraph-properties><style:text-properties {fonts}/></style:style>"
    )


# -- pages that are pictures ------------------------------------------------------------------------


def scan(source: Path, pictured: tuple[int, ...]) -> bytes:
    """A PDF with some of its pages (from 0, rising) as pictures of themselves, in black and white."""
    document = pdfium.PdfDocument(source)
    made = pdfium.PdfDocument.new()
    made.import_pages(document, [n for n in range(len(document)) if n not in pictured])
    for n in pictured:
        grey = document[n].render(scale=150 / 72, grayscale=True).to_numpy()
        made.import_pages(pdfium.PdfDocument(_picture_page(grey[:, :, 0] if grey.ndim == 3 else grey)), [0], index=n)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def _picture_page(grey: npt.NDArray[np.uint8]) -> bytes:
    """A page of A4 that is one picture."""
    height, width = grey.shape
    head = b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 1" % (width, height)
    picture = stream(np.packbits(grey > 150, axis=1).tobytes(), head)
    return one_page(stream(b"595 0 0 842 0 0 cm /X Do"), more={6: picture})


def main() -> None:
    folder = Path(sys.argv[1])
    library = Library(shipped_folder())
    for kind in ("chromium", "office", "columns"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for entry in library:
        document = library.read(entry)
        page = report_html(document)
        print_page(page, folder / "chromium" / f"{entry.id}.pdf")
        print_page(report_html(document, columns=True), folder / "columns" / f"{entry.id}.pdf")
        _convert_text(page, folder / "office", f"{entry.id}.html")
    _convert_text(sample(), folder, "sample.fodt")
    (folder / "scan.pdf").write_bytes(scan(folder / "office" / "shanghai-2015-districts.pdf", (1, 2, 5)))


def _convert_text(text: str, folder: Path, name: str) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / name
        source.write_text(text, encoding="utf-8")
        convert(source, folder)


if __name__ == "__main__":
    main()

"""How the files in this folder were made: the reports as HTML, as saved web pages, and as DOCX by LibreOffice.

    python -m tests.files.make FOLDER

writes `html/`, `pages/` and `docx/` into FOLDER, each holding the five reports under their ids.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from html import escape
from pathlib import Path

from corpus.elements import Element, Structure, split_row
from corpus.emphasis import bold_spans
from corpus.library import Library, shipped_folder
from corpus.structure import parse
from corpus.types import Document, Section, join_spans

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_MARK = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_STYLE = """
body { font-family: "Noto Serif CJK SC", SimSun, serif; font-size: 12pt; line-height: 1.6; }
h1 { font-size: 22pt; text-align: center; } h2 { font-size: 16pt; } h3 { font-size: 14pt; }
h4, h5, h6 { font-size: 12pt; } p { text-indent: 2em; margin: 0; }
p.note { font-size: 9pt; text-indent: 0; } table { border-collapse: collapse; } td, th { border: 1px solid; }
"""


def report_html(document: Document, structure: Structure, office: bool = False) -> str:
    """A report as clean HTML: headings by the level of their section (the restored ones too, as the print had
    them), paragraphs, tables, lists, and each footnote as `<p class="note">` where it stands.

    `office`: footnotes in the form that LibreOffice takes for real ones.
    """
    body = "\n".join(article(document, structure))
    body = _office_notes(body) if office else body
    return (
        f'<!DOCTYPE html>\n<html lang="zh-CN">\n<head>\n<meta charset="utf-8">\n<title>{escape(document.title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(document.title)}</h1>\n{body}\n</body>\n</html>\n"
    )


def _office_notes(body: str) -> str:
    notes = dict(re.findall(r'<p class="note"><sup>(\d+)</sup>\s*(.*?)</p>\n?', body))
    body = re.sub(r'<p class="note">.*?</p>\n?', "", body)
    for number, text in notes.items():
        anchor = f'<a class="sdfootnoteanc" name="sdfootnote{number}anc" href="#sdfootnote{number}sym"><sup>{number}</sup></a>'
        body = body.replace(f"<sup>{number}</sup>", anchor, 1)
        symbol = f'<a class="sdfootnotesym" name="sdfootnote{number}sym" href="#sdfootnote{number}anc">{number}</a>'
        body += f'\n<div id="sdfootnote{number}"><p class="sdfootnote">{symbol}{text}</p></div>'
    return body


def article(document: Document, structure: Structure, strong: bool = False) -> Iterator[str]:
    """The report's body as HTML elements. `strong`: headings are paragraphs in bold, as many sites have them."""
    for number, section in enumerate(structure.sections):
        if section.path:
            yield _heading(section, strong)
        for element in structure.elements:
            if element.section == number:
                yield from _element(document.text, element)


def _heading(section: Section, strong: bool) -> str:
    name, level = escape(section.path[-1]), min(section.level + 1, 6)
    return f"<p><strong>{name}</strong></p>" if strong else f"<h{level}>{name}</h{level}>"


def _element(text: str, element: Element) -> Iterator[str]:
    whole = join_spans(text, element.spans)
    lines = [x.strip() for x in whole.splitlines() if x.strip()]
    if element.kind == "footnote":
        yield f'<p class="note">{_inline("".join(lines))}</p>'
    elif element.kind == "table":
        yield from (f"<p>{_inline(x)}</p>" for x in lines if "\t" not in x)
        yield _table([split_row(x) for x in lines if "\t" in x])
    elif element.kind == "list":
        yield from _list(lines)
    else:
        yield from (f"<p>{_inline(x)}</p>" for x in lines)


def _table(rows: list[tuple[str, ...]]) -> str:
    head, *body = rows
    lines = ["<tr>" + "".join(f"<th>{_inline(x)}</th>" for x in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{_inline(x)}</td>" for x in row) + "</tr>" for row in body]
    return "<table>\n" + "\n".join(lines) + "\n</table>"


def _list(lines: list[str]) -> Iterator[str]:
    """Items as printed: `- ` makes `<ul>`, `1. ` makes `<ol>`; what bears no mark stays paragraphs."""
    items: list[str] = []
    tag = ""
    for line in [*lines, ""]:
        bullet, number = re.match(r"[-•]\s+", line), re.match(r"(\d{1,2})\.\s*", line)
        wanted = "ul" if bullet else "ol" if number else ""
        if items and (wanted != tag or (number and int(number.group(1)) != len(items) + 1)):
            yield f"<{tag}>\n" + "\n".join(items) + f"\n</{tag}>"
            items = []
        tag = wanted
        if mark := bullet or number:
            items.append(f"<li>{_inline(line[mark.end() :])}</li>")
        elif line:
            yield f"<p>{_inline(line)}</p>"


def _inline(text: str) -> str:
    """Bold and superscripts as tags."""
    parts, last = [], 0
    for start, end in bold_spans(text):
        parts += [escape(text[last:start]), f"<strong>{escape(text[start + 2 : end - 2])}</strong>"]
        last = end
    html = "".join([*parts, escape(text[last:])])
    return _MARK.sub(lambda m: f"<sup>{m.group().translate(SUPERSCRIPTS)}</sup>", html)


def report_page(document: Document, structure: Structure, charset: str = "utf-8", strong: bool = True) -> bytes:
    """The report as a government site's saved page: the article among navigation, lists of links and a footer."""
    body = "\n".join(article(document, structure, strong))
    page = _PAGE
    known = {"charset": charset, "title": escape(document.title), "body": body, "date": f"{document.year}-02-11"}
    for name, value in known.items():
        page = page.replace(f"[[{name}]]", value)
    return page.encode("gb18030" if charset.lower() in ("gb2312", "gbk") else charset)


def _links(names: Iterable[str]) -> str:
    return "".join(f'<li><a href="/art/{n}.html" target="_blank">{x}</a></li>' for n, x in enumerate(names))


_PAGE = f"""<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">
<html xmlns="http://www.w3.org/1999/xhtml">
<head>
<meta http-equiv="Content-Type" content="text/html; charset=[[charset]]" />
<title>[[title]]_科技政策_某市科学技术委员会</title>
<meta name="SiteName" content="某市科学技术委员会" />
<meta name="ArticleTitle" content="[[title]]" />
<meta name="PubDate" content="[[date]] 10:30" />
<meta name="ColumnName" content="科技政策" />
<link rel="stylesheet" href="/css/main.css" />
<script type="text/javascript" src="/js/jquery.js"></script>
<style>.con {{ width: 1200px }}</style>
</head>
<body>
<div class="topbar"><a href="/">无障碍浏览</a> <a href="/en">English</a> <a href="/login">登录</a></div>
<div class="header"><h2 class="logo"><a href="/">某市科学技术委员会</a></h2>
<form action="/search"><input type="text" value="请输入关键字" /><button>搜索</button></form></div>
<div class="nav"><ul>{_links(["首页", "机构概况", "政务公开", "政策法规", "办事服务", "互动交流", "科技专题", "数据开放"])}</ul></div>
<div class="position">当前位置：<a href="/">首页</a> &gt; <a href="/zw">政务公开</a> &gt; <a href="/zc">科技政策</a></div>
<div class="con clearfix">
<div class="left-side"><h3>政务公开</h3><ul>{_links(["公开指南", "公开制度", "法定主动公开内容", "公开年报", "依申请公开", "政策解读"])}</ul>
<p>邮箱：kjw@example.gov.cn　电话：12345</p></div>
<div class="detail">
<h1 class="article-title">[[title]]</h1>
<div class="info"><span>发布日期：[[date]]</span> <span>来源：某市科学技术委员会</span> <span>字体：[<a>大</a> <a>中</a> <a>小</a>]</span>
<span>浏览次数：<script>document.write(1234)</script></span></div>
<div class="TRS_Editor" id="zoom">
<div style="display:none">隐藏的检索摘要不应出现在正文中。这里写了两句话。</div>
[[body]]
<p style="text-align: center"><img src="/images/1.png" alt="" /></p>
</div>
<div class="share">分享到：<a>微信</a> <a>微博</a> <a>QQ空间</a> <a href="javascript:window.print()">打印</a> <a>关闭窗口</a></div>
<div class="related"><h3>相关文章</h3><ul>{_links(["关于印发《科技创新行动计划》的通知", "图解：一图读懂科技创新规划", "科技创新规划政策解读", "关于开展科技企业认定工作的通知"])}</ul></div>
</div>
</div>
<div class="footer"><p><a href="/about">网站地图</a> | <a href="/contact">联系我们</a> | <a href="/law">法律声明</a></p>
<p>主办单位：某市科学技术委员会　承办单位：某市科技信息中心</p>
<p>沪ICP备00000000号-1　沪公网安备 31000000000000号　网站标识码：3100000000　地址：人民大道1号　邮编：200000</p>
<p>建议使用1366*768分辨率以上的浏览器浏览本网站。</p></div>
<iframe src="https://example.com/ad.html"></iframe>
<script>var tracking = "统计代码不是正文。";</script>
</body>
</html>
"""


def to_docx(page: Path, folder: Path, filter_name: str = "docx:MS Word 2007 XML") -> None:
    """What LibreOffice makes of an HTML file, in `folder`."""
    office = shutil.which("soffice")
    if office is None:
        raise SystemExit("LibreOffice (soffice) is needed")
    with tempfile.TemporaryDirectory() as profile:
        command = [office, f"-env:UserInstallation={Path(profile).as_uri()}", "--headless"]
        command += ["--infilter=HTML (StarWriter)", "--convert-to", filter_name, "--outdir", str(folder), str(page)]
        subprocess.run(command, check=True, capture_output=True)


def main() -> None:
    target = Path(sys.argv[1])
    for name in ("html", "pages", "docx"):
        (target / name).mkdir(parents=True, exist_ok=True)
    library = Library(shipped_folder())
    for entry in library:
        document = library.read(entry)
        structure = parse(document)
        plain = target / "html" / f"{entry.id}.html"
        plain.write_text(report_html(document, structure), encoding="utf-8")
        (target / "pages" / f"{entry.id}.html").write_bytes(report_page(document, structure))
        with tempfile.TemporaryDirectory() as folder:
            office = Path(folder) / plain.name
            office.write_text(report_html(document, structure, office=True), encoding="utf-8")
            to_docx(office, target / "docx")


if __name__ == "__main__":
    main()

"""Files that are broken or mean harm, given to the real `kewen docs add`: each alone, and all of them in one folder.

    python -m tests.faults.hostile [--only WORD]

Each must come to its status with a message that names it, in ten seconds, while no process takes a gigabyte, nothing is
asked of the network, and the good files beside it are added.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pypdfium2

from tests.corpus import hostile_files, hostile_pdf
from tests.faults.common import ROOT, Bench, bench, kewen

SECONDS = 10.0
"""Of processor time: the machine may have other work."""
MEBIBYTES = 1024


@dataclass(frozen=True)
class Case:
    """A file to be made at a path; what may become of it; a text that the library then holds, and notes of how it was read."""

    name: str
    make: Callable[[Path], object]
    statuses: tuple[str, ...]
    text: str = ""
    note: str = ""
    cheap: bool = True
    seconds: float = SECONDS


@dataclass
class Outcome:
    """How one `kewen docs add` ended: seconds, and the most memory in MiB of it and of its processes."""

    code: int
    report: dict[str, Any] = field(default_factory=dict)
    said: str = ""
    wall: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0
    child_memory: float = 0.0


def cases(canary: str) -> Iterator[Case]:
    """The files; `canary` is an address that nobody may ask for."""
    yield from _pdf_cases()
    yield from _docx_cases(canary)
    yield from _page_cases(canary)
    yield from _text_cases()


def _pdf_cases() -> Iterator[Case]:
    scan = (ROOT / "tests" / "files" / "pdf" / "scan.pdf").read_bytes()
    dead = ("no_text_layer", "memory_limit", "timeout", "parser_crashed")
    operators = hostile_pdf.stream(b"BT /F 12 Tf 72 700 Td " + b"(ab) Tj " * 6_000_000 + b"ET")
    leaves = b" ".join(b"3 0 R" for _ in range(5_001))
    pages = hostile_pdf.one_page(hostile_pdf.stream(b"BT ET")).replace(
        b"/Kids[3 0 R]/Count 1", b"/Kids[%s]/Count 5001" % leaves
    )
    yield Case("密码.pdf", _bytes(hostile_pdf.encrypted(b"secret", b"owner")), ("encrypted",))
    yield Case("限改.pdf", _bytes(hostile_pdf.encrypted(b"", b"owner")), ("ok",), "quick brown fox")
    yield Case("空.pdf", _bytes(b""), ("empty",))
    yield Case("炸弹.pdf", lambda path: path.write_bytes(hostile_pdf.flate_bomb()), dead, cheap=False)
    yield Case("六百万字.pdf", _bytes(hostile_pdf.one_page(operators)), (*dead, "too_large"), cheap=False)
    yield Case("页树循环.pdf", _bytes(hostile_pdf.circular_pages()), ("corrupt",))
    yield Case("二十万页.pdf", _bytes(hostile_pdf.many_kids()), ("too_many_pages",))
    yield Case("五千零一页.pdf", _bytes(pages), ("too_many_pages",))
    yield Case("扫描.pdf", _bytes(_pages(scan, pictured=True)), ("no_text_layer",))
    yield Case("混合.pdf", _bytes(scan), ("ok",), note=r"第[\d、–]+页为扫描件")
    yield Case("截断.pdf", _bytes(scan[: len(scan) // 2]), ("corrupt",))
    yield Case("其实是网页.pdf", _bytes("<html><body><p>网页的话。</p></body></html>".encode()), ("ok",), "网页的话。")


def _docx_cases(canary: str) -> Iterator[Case]:
    made = {name: (data, statuses) for name, data, statuses in hostile_files.archives(canary)}
    yield Case("空.docx", _bytes(b""), ("empty",))
    yield Case("炸弹.docx", _docx_bomb, ("too_large",), cheap=False)
    for name in (
        "six-million-paragraphs.docx", "million-entries.docx", "nested.docx", "laughs.docx", "entity.docx", "file.docx", "dtd.docx",
        "template.docx", "truncated.docx", "deep.docx", "elf.docx", "sheet.docx", "locked.docx",
    ):  # fmt: skip
        data, statuses = made[name]
        cheap = name not in ("six-million-paragraphs.docx", "million-entries.docx")
        yield Case(name, _bytes(data), tuple(statuses), "正文。" if "ok" in statuses else "", cheap=cheap)


def _page_cases(canary: str) -> Iterator[Case]:
    for depth in (10_000, 100_000):
        page = f"<html><body>{'<div>' * depth}<p>深处的话。</p>{'</div>' * depth}<p>后面的话。</p>"
        yield Case(f"深{depth}.html", _bytes(page.encode()), ("ok",), "后面的话。", cheap=depth < 20_000)
    page = "<html><head><meta charset=utf-8></head><body><p>国标编码的网页，自称另一种编码。</p></body></html>"
    yield Case("自称.html", _bytes(page.encode("gb18030")), ("ok",), "国标编码的网页")
    remote = {name: data for name, data, _ in hostile_files.pages(canary)}
    yield Case("远程.html", _bytes(remote["remote.html"]), ("ok",), "正文。")
    yield Case("外部实体.xhtml", _bytes(remote["entity.xhtml"]), ("ok",), "正文")


def _text_cases() -> Iterator[Case]:
    yield Case("只有标记.txt", _bytes(b"\xef\xbb\xbf"), ("empty",))
    yield Case("三字.txt", _bytes("中国人".encode("gbk")), ("ok",), "中国人")
    yield Case("其实是PDF.txt", _bytes(hostile_pdf.hello()), ("ok",), "quick brown fox")
    yield Case("稀疏.txt", _sparse, ("too_large",))
    line = "一二三四五六七八九。".encode() * 660_000
    # 6.6 million characters are more than a document may have.
    yield Case("一行二十兆.txt", _bytes(line), ("too_large",), cheap=False)
    yield Case("管道.txt", os.mkfifo, ("unsupported",))
    yield Case("不可读.txt", lambda path: os.mkfifo(path, 0), ("unsupported", "corrupt"))


def _bytes(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


def _docx_bomb(path: Path) -> None:
    path.write_bytes(hostile_files.docx(hostile_files.paragraph("甲"), {"word/media/bomb.xml": bytes(600 << 20)}))


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 30)


def _pages(data: bytes, pictured: bool) -> bytes:
    """Of a PDF, the pages that are only pictures."""
    with pypdfium2.PdfDocument(data) as whole:
        chosen = [n for n, page in enumerate(whole) if (page.get_textpage().count_chars() == 0) == pictured]
        part, buffer = pypdfium2.PdfDocument.new(), io.BytesIO()
        part.import_pages(whole, chosen)
        part.save(buffer)
        return buffer.getvalue()


_GOOD = (
    Case("好一.txt", _bytes("好区报告\n\n一、基础\n\n好区2025年有企业77家。\n".encode()), ("ok",)),
    Case("好二.md", _bytes("# 好区规划\n\n好区到2030年有企业99家。\n".encode()), ("ok",)),
)

# -- running -----------------------------------------------------------------------------------------


@contextmanager
def canaries() -> Iterator[tuple[str, list[str]]]:
    """An address of this machine that nobody may ask for, and what was asked of it."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_POST = do_OPTIONS = do_GET

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def add(place: Bench, home: Path, *arguments: str, seconds: float = 300) -> Outcome:
    """`kewen docs add` as a process of its own, and what it and the processes that it started took."""
    command, how = kewen(place, home, "docs", "add", "--json", *arguments)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    peaks: dict[int, float] = {}
    with subprocess.Popen(command, **how) as process:
        done = threading.Event()
        watcher = threading.Thread(target=_watch, args=(process.pid, peaks, done))
        watcher.start()
        try:
            out, err = process.communicate(timeout=seconds)
        finally:
            process.kill()
            done.set()
            watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    memory = peaks.pop(process.pid, 0.0)
    try:
        report = json.loads(out)
    except ValueError:
        report = {}
    return Outcome(
        process.returncode, report, err, time.monotonic() - started, cpu, memory, max(peaks.values(), default=0.0)
    )


def _watch(parent: int, peaks: dict[int, float], done: threading.Event) -> None:
    """The high-water mark of each process, in MiB, looked up while it lives."""
    while not done.wait(0.02):
        children: list[str] = []
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with suppress(OSError):
                children += task.read_text().split()
        for pid in (parent, *map(int, children)):
            with suppress(OSError):
                match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
                peaks[pid] = max(peaks.get(pid, 0.0), int(match[1]) / 1024 if match else 0.0)


def alone(place: Bench, base: Path, case: Case) -> tuple[Outcome, list[str]]:
    """One file with two good ones beside it: how that ended, and what of it should not be."""
    folder, home = place.folder / "one", place.folder / "home-one"
    for path in (folder, home):
        shutil.rmtree(path, ignore_errors=True)
    folder.mkdir()
    shutil.copytree(base, home)
    for one in (case, *_GOOD):
        one.make(folder / one.name)
    outcome = add(place, home, str(folder))
    return outcome, [
        *judge(place, home, case, outcome),
        *_judge_cost(outcome, case.seconds),
        *_judge_good(outcome),
    ]


def judge(place: Bench, home: Path, case: Case, outcome: Outcome) -> list[str]:
    """What is wrong with the status and message of one file."""
    reports = [x for x in outcome.report.get("documents", ()) if x["file"] == case.name]
    if len(reports) != 1:
        return [f"{len(reports)} reports, exit code {outcome.code}: {outcome.said[-500:]}"]
    status, message = reports[0]["status"], reports[0]["message"]
    wrong = [] if status in case.statuses else [f"{status}, not {'|'.join(case.statuses)}: {message}"]
    if status == "ok":
        snapshot = place.assistant(home).retriever().snapshot
        document = snapshot.documents[reports[0]["id"]]
        wrong += [] if case.text in snapshot.text(document.id) else [f"the text lacks {case.text!r}"]
        wrong += (
            [] if re.search(case.note, "\n".join(document.notes)) else [f"no note like {case.note}: {document.notes}"]
        )
        wrong += [] if "root:" not in snapshot.text(document.id) else ["it holds a file of this machine"]
    elif not re.search("请|可读|不是|空的", message) or not re.search("[一-鿿]", message):
        wrong.append(f"the message doesn't say what to do: {message!r}")
    elif case.name not in message and status != "decode_error":
        wrong.append(f"the message doesn't name the file: {message!r}")
    return wrong


def _judge_cost(outcome: Outcome, seconds: float) -> list[str]:
    wrong = [f"{outcome.cpu:.1f} s of CPU"] if outcome.cpu > seconds else []
    return wrong + ([f"{outcome.child_memory:.0f} MiB in a child"] if outcome.child_memory > MEBIBYTES else [])


def _judge_good(outcome: Outcome) -> list[str]:
    found = {x["file"]: x["status"] for x in outcome.report.get("documents", ())}
    wrong = [f"{x.name} is {found.get(x.name)}" for x in _GOOD if found.get(x.name) != "ok"]
    wanted = 0 if set(found.values()) <= {"ok", "skipped"} else 3
    return wrong + ([f"exit code {outcome.code}, not {wanted}"] if outcome.code != wanted else [])


def together(place: Bench, base: Path, made: list[Case]) -> tuple[Outcome, list[str]]:
    """All of them and the good files in one folder, with links that lead out and round in circles."""
    folder, home = place.folder / "all", place.folder / "home-all"
    for path in (folder, home):
        shutil.rmtree(path, ignore_errors=True)
    (folder / "下级").mkdir(parents=True)
    shutil.copytree(base, home)
    for case in [*made, *_GOOD]:
        case.make(folder / "下级" / case.name)
    (folder / "下级" / "圆").symlink_to(folder)
    (folder / "外面").symlink_to("/etc")
    (folder / "passwd.txt").symlink_to("/etc/passwd")
    outcome = add(place, home, str(folder))
    wrong = [f"{case.name}: {fault}" for case in made for fault in judge(place, home, case, outcome)]
    names = {x["file"] for x in outcome.report.get("documents", ())}
    extra = names - {x.name for x in (*made, *_GOOD)}
    return outcome, wrong + _judge_good(outcome) + ([f"more than was there: {extra}"] if extra else [])


def bad_ones_last(text: str) -> bool:
    """Whether in what `kewen docs add` prints the files that failed stand behind the others, before the sum."""
    lines = [x for x in text.splitlines() if x and not x.startswith(" ")]
    failed = [x.startswith("未加入") for x in lines[:-1]]
    return any(failed) and failed == sorted(failed) and lines[-1].startswith("共 ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="files whose name holds this")
    only = parser.parse_args().only
    faults: list[str] = []
    with bench() as place, canaries() as (address, asked):
        base = place.home("base")
        made = [x for x in cases(address) if only in x.name]
        say(f"{'file':<30}{'status':<16}{'wall s':>7}{'CPU s':>7}{'MiB':>6}{'child':>6}")
        for case in made:
            outcome, wrong = alone(place, base, case)
            report = next((x for x in outcome.report.get("documents", ()) if x["file"] == case.name), {})
            row = f"{case.name:<30}{report.get('status', '-'):<16}{outcome.wall:>7.1f}{outcome.cpu:>7.1f}"
            say(f"{row}{outcome.memory:>6.0f}{outcome.child_memory:>6.0f}  {report.get('message', '')}")
            faults += [f"{case.name}: {x}" for x in wrong]
        outcome, wrong = together(place, base, made)
        faults += [f"together: {x}" for x in wrong]
        say(
            f"together: {outcome.wall:.1f} s, {outcome.cpu:.1f} s of CPU, {outcome.memory:.0f} MiB, child {outcome.child_memory:.0f} MiB, exit code {outcome.code}"
        )
        faults += [f"asked of the network: {x}" for x in asked]
    for fault in faults:
        say(f"MISS {fault}")
    say(f"{len(made)} files, {len(faults)} misses")
    sys.exit(1 if faults else 0)


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()

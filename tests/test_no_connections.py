"""Nothing leaves this machine: every command and its reader processes run under an audit hook, and an address listens in vain."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import httpx
import pytest

from tests.corpus import hostile_pdf
from tests.corpus.hostile_files import archives, docx, pages, paragraph
from tests.faults.common import MANIFEST, TEXTS
from tests.faults.hostile import canaries

# Run as `python AUDITED LOG MODULE ARGUMENTS…`: tells LOG, a named pipe, of all that could leave the machine. The process
# that reads a file is started with the same hook; it may write no file, but a pipe it may.
AUDITED = r"""
import os, runpy, subprocess, sys
script, log, module = sys.argv[:3]
told = os.open(log, os.O_WRONLY)
reader = [sys.executable, "-I", "-m", "corpus.readers.child"]
audited = [sys.executable, "-I", script, log, "corpus.readers.child"]
# Names that the machine itself answers.
here = {"127.0.0.1", "::1", "localhost", None}
watched = (
    "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo",
    "socket.sendto", "socket.sendmsg", "urllib.Request", "http.client.connect", "ftplib.connect", "smtplib.connect",
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn", "webbrowser.open",
)

def tell(line):
    os.write(told, f"{module} {line}\n".encode("utf-8", "replace")[:2000])

def hook(event, arguments):
    if event not in watched:
        return
    if event == "subprocess.Popen" and list(arguments[1])[:5] == audited:
        return
    if event == "socket.getaddrinfo" and arguments[0] in here:
        return
    tell(f"{event} {arguments!r}")

class Popen(subprocess.Popen):
    def __init__(self, command, *rest, **more):
        command = list(command)
        super().__init__(audited + command[4:] if command[:4] == reader else command, *rest, **more)

subprocess.Popen = Popen
sys.addaudithook(hook)
tell("started")
sys.argv = [module, *sys.argv[3:]]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


class Audit:
    """Starts modules under the hook, in a home of their own, and collects what they tell."""

    def __init__(self, folder):
        self.folder = folder
        self.script, self.log = folder / "audited.py", folder / "told"
        self.script.write_text(AUDITED, encoding="utf-8")
        os.mkfifo(self.log)
        self.pipe = os.open(self.log, os.O_RDWR)
        (folder / "reports").mkdir()
        (folder / "reports" / "reports.toml").write_text(MANIFEST, encoding="utf-8")
        (folder / "reports" / "a.txt").write_text(TEXTS["a"], encoding="utf-8")

    def command(self, *arguments):
        place = ["--home", str(self.folder / "home"), "--reports", str(self.folder / "reports")]
        return [sys.executable, str(self.script), str(self.log), "service.cli", *arguments, *place]

    def kewen(self, *arguments):
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=120, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def told(self):
        """What has been told since the last time, by module."""
        data = b""
        while select.select([self.pipe], [], [], 0)[0]:
            data += os.read(self.pipe, 1 << 16)
        return data.decode("utf-8").splitlines()


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    made = Audit(tmp_path_factory.mktemp("audit"))
    yield made
    os.close(made.pipe)


@pytest.fixture
def canary():
    with canaries() as (address, asked):
        yield address, asked


def pdf_of_references(address):
    """A page whose every link, action and outer file leads to the address."""
    url = address.encode()
    actions = (
        b"<</S/URI/URI(%s/uri)>>" % url,
        b"<</S/GoToR/F<</FS/URL/F(%s/remote.pdf)>>/D[0/Fit]>>" % url,
        b"<</S/Launch/F(%s/launch)/Win<</F(calc.exe)>>>>" % url,
        b"<</S/SubmitForm/F<</FS/URL/F(%s/form)>>>>" % url,
        b"<</S/ImportData/F<</FS/URL/F(%s/data)>>>>" % url,
        b"<</S/JavaScript/JS(app.launchURL\\('%s/js'\\))>>" % url,
    )
    links = b"".join(b"<</Type/Annot/Subtype/Link/Rect[0 0 9 9]/A%s/AA<</PO%s>>>>" % (x, x) for x in actions)
    outer = (
        b"<</Type/XObject/Subtype/Image/Width 1/Height 1/F<</FS/URL/F(%s/image)>>/FFilter/DCTDecode/Length 0>>\nstream\n\nendstream"
        % url
    )
    made = hostile_pdf.one_page(
        hostile_pdf.stream(b"BT /F 12 Tf 72 700 Td (Far away words of this page.) Tj ET /X Do"),
        page=b"/Annots[%s]/AA<</O%s>>" % (links, actions[5]),
        more={6: outer},
    )
    opening = b"<</Type/Catalog/OpenAction%s/AcroForm<</XFA(%s/xfa)>>/Pages 2 0 R>>" % (actions[0], url)
    objects = {int(m[1]): m[2] for m in hostile_objects(made)}
    return hostile_pdf.pdf({**objects, 1: opening})


def hostile_objects(data):
    return re.finditer(rb"(\d+) 0 obj\n(.*?)\nendobj", data, re.DOTALL)


def docx_of_references(address):
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    names = (
        "image",
        "hyperlink",
        "attachedTemplate",
        "aFChunk",
        "oleObject",
        "frame",
        "styles",
        "footnotes",
        "subDocument",
    )
    relations = "".join(
        f'<Relationship Id="x{n}" Type="{kinds}/{x}" Target="{address}/{x}" TargetMode="External"/>'
        for n, x in enumerate(names)
    )
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    body = (
        paragraph("远处的话。")
        + f'<w:altChunk xmlns:r="{kinds}" r:id="x3"/><w:subDoc xmlns:r="{kinds}" r:id="x8"/>'
        + f'<w:p><w:r><w:instrText>INCLUDEPICTURE "{address}/field"</w:instrText></w:r></w:p>'
    )
    return docx(body, {"word/_rels/document.xml.rels": f'<Relationships xmlns="{package}">{relations}</Relationships>'})


def page_of_references(address):
    head = (
        f'<base href="{address}/"><link rel="stylesheet" href="a.css"><link rel="preload" href="{address}/p" as="font">'
        f'<meta http-equiv="refresh" content="0;url={address}/refresh"><style>@import url({address}/i.css);</style>'
        f'<script src="{address}/a.js"></script><script>fetch("{address}/fetch")</script>'
    )
    body = (
        f'<img src="{address}/a.png" srcset="{address}/b.png 2x" onerror="fetch(1)"><iframe src="{address}/f"></iframe>'
        f'<p style="background:url({address}/bg)">远处的话。</p><object data="{address}/o"></object><embed src="{address}/e">'
        f'<video src="{address}/v"></video><svg><use href="{address}/s.svg#a"/></svg><a href="{address}/link" ping="{address}/ping">去</a>'
    )
    return f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>".encode()


def make_files(folder, address):
    folder.mkdir(exist_ok=True)
    (folder / "远.pdf").write_bytes(pdf_of_references(address))
    (folder / "远.docx").write_bytes(docx_of_references(address))
    (folder / "远.html").write_bytes(page_of_references(address))
    (folder / "远.md").write_text(
        f"# 远\n\n![图]({address}/m.png) 远处的话。<img src='{address}/n.png'>\n", encoding="utf-8"
    )
    small = ("entity.docx", "dtd.docx", "template.docx", "remote.html", "entity.xhtml")
    for name, data, _ in (*archives_of(address, small), *pages(address)):
        if name in small:
            (folder / name).write_bytes(data)
    return folder


def archives_of(address, names):
    return [x for x in archives(address) if x[0] in names]


def test_the_hook_hears_what_leaves(audit, canary):
    """The test can fail: of each kind one thing is done, and told."""
    address, asked = canary
    deeds = audit.folder / "deeds.py"
    deeds.write_text(
        "import os, socket, subprocess, sys\n"
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.1', 9))\n"
        f"c = socket.create_connection(('127.0.0.1', {address.rpartition(':')[2]})); c.sendall(b'GET /by-hand HTTP/1.0\\r\\n\\r\\n'); c.recv(9)\n"
        "os.system('true'); subprocess.run([sys.executable, '-c', ''])\n"
    )
    subprocess.run(
        [sys.executable, str(audit.script), str(audit.log), "deeds"],
        check=True,
        cwd=audit.folder,
        env={**os.environ, "PYTHONPATH": "."},
    )
    told = [x.split()[1] for x in audit.told()]
    assert told == ["started", "socket.sendto", "socket.connect", "os.system", "subprocess.Popen"]
    assert asked == ["/by-hand"]


def test_no_command_connects_to_anywhere(audit, canary):
    address, asked = canary
    folder = make_files(audit.folder / "files", address)
    added = audit.kewen("docs", "add", "--json", str(folder), f"{address}/by-name.pdf")
    assert added.returncode == 3
    assert added.stdout.count('"status": "ok"') >= 7, added.stdout
    assert audit.told().count("corpus.readers.child started") == 9
    for arguments in (
        ("ask", "甲区有多少家生物医药企业？"),
        ("search", "远处的话", "--json"),
        ("index", "build"),
        ("doctor",),
    ):
        done = audit.kewen(*arguments)
        assert done.returncode == 0, done.stderr + done.stdout
        assert audit.told() == ["service.cli started"], arguments
    assert asked == []


def test_the_service_connects_to_nowhere(audit, canary):
    address, asked = canary
    with serving(audit) as url, httpx.Client(base_url=url, timeout=60) as client:
        answer = client.post("/v1/ask", json={"question": "甲区有多少家生物医药企业？"}).json()
        assert "449" in answer["answer"]
        sent = client.post("/v1/documents", files={"file": ("远方.html", page_of_references(address + "/sent"))}).json()
        assert sent["documents"][0]["status"] == "ok"
    told = audit.told()
    assert sorted(told) == ["corpus.readers.child started", "service.cli started"]
    assert asked == []


@contextmanager
def serving(audit):
    """`kewen serve` under the hook, until the end of the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = audit.command("serve", "--port", str(port))
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            end = time.monotonic() + 30
            while True:
                try:
                    httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5)
                    break
                except httpx.TransportError:
                    assert process.poll() is None, process.stderr.read()
                    assert time.monotonic() < end
                    time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(30)

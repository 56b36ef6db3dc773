"""Several processes build side by side: the same index as alone, and whoever is killed leaves what can be gone on from."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from index import crew, gathering
from index.build import build_index
from index.crew import _jobs, size_of, workers_for
from index.generations import GenerationStore
from index.storage import IndexProblem
from service.errors import OK, STORAGE
from tests.index.pieces import cut, written

TEXTS = dict(list(cut().items())[:12])
# What `kewen` would start for a library of megabytes is started here for one of kilobytes.
DRIVER = """
import os, resource, sys
from index import crew
crew._LEAST_BYTES, crew._JOB_BYTES, crew.os.cpu_count = 1000, {job}, lambda: 2
limit = {limit}
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
from service.cli import main
main(sys.argv[1:])
"""


@pytest.fixture
def together(monkeypatch):
    """Two workers for a few kilobytes, and several jobs for each."""
    monkeypatch.setattr(crew, "_LEAST_BYTES", 1000)
    monkeypatch.setattr(crew, "_JOB_BYTES", 7_000)
    monkeypatch.setattr(crew.os, "cpu_count", lambda: 2)


def files(store: GenerationStore) -> Mapping[str, bytes]:
    return store.open()[0].files


def alone(folder: Path, texts: Mapping[str, str], encoder, monkeypatch) -> Mapping[str, bytes]:
    """The files of an index that one process makes."""
    store = GenerationStore(folder / "alone" / "index")
    with monkeypatch.context() as patch:
        patch.setattr(gathering, "workers_for", lambda size: 0)
        build_index(written(folder / "reports", texts), store, encoder)
    return files(store)


def until(true: Callable[[], object]) -> None:
    """Wait for something that comes soon, or never."""
    for _ in range(1200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come")


def test_work_is_parted_where_there_is_much_of_it(tmp_path):
    entries = list(written(tmp_path / "reports", TEXTS))
    assert workers_for(100) == 0
    assert workers_for(10**12) == min(os.cpu_count() or 1, 16)
    total = sum(map(size_of, entries))
    for workers in (1, 2, 5):
        jobs = _jobs(entries, workers)
        assert [x for job in jobs for x in job] == [entry.id for entry in entries]
        assert all(jobs)
        assert len(jobs) == workers
        sizes = {entry.id: size_of(entry) for entry in entries}
        assert max(sum(sizes[x] for x in job) for job in jobs) <= total / workers + max(sizes.values())


def test_what_is_made_side_by_side_is_what_one_process_makes(together, bundled, tmp_path, monkeypatch):
    texts = {**TEXTS, "broken": "x"}
    library = written(tmp_path / "reports", texts)
    (tmp_path / "reports" / "broken.txt").write_bytes(b"\xff\xfe\x00broken")
    (tmp_path / "reports" / f"{list(TEXTS)[3]}.txt").unlink()
    heard: list[tuple[int, int]] = []

    def progress(done: int, total: int, stage: str = "reading") -> None:
        if stage == "reading":
            heard.append((done, total))

    store = GenerationStore(tmp_path / "index")
    report = build_index(library, store, bundled, progress)
    bad = {x.id: x.code for x in report.documents if x.status != "ok"}
    assert set(bad) == {"broken", list(TEXTS)[3]}
    assert all(bad.values())
    assert report.embedded > 0
    assert not (store.folder / "building").exists()
    done = [x for x, _ in heard]
    assert done == sorted(done)
    assert len(set(done)) > len(TEXTS) / 2
    assert heard[-1][0] == heard[-1][1] == sum(map(size_of, library))
    sound = {name: text for name, text in TEXTS.items() if name not in bad}
    assert files(store) == alone(tmp_path, sound, bundled, monkeypatch)


def test_the_last_version_of_what_cannot_be_read_is_kept(together, bundled, tmp_path):
    """Of one that workers no longer find in the library too: that has changed since the build began."""
    store, names = GenerationStore(tmp_path / "index"), list(TEXTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gathering, "workers_for", lambda size: 0)
        build_index(written(tmp_path / "reports", TEXTS), store, bundled)
    changed = {name: text if name == names[2] else text + "\n再补一句。\n" for name, text in TEXTS.items()}
    library = written(tmp_path / "reports", changed)
    written(tmp_path / "reports", {name: text for name, text in changed.items() if name != names[5]})
    report = build_index(library, store, bundled)
    statuses = {x.id: x.status for x in report.documents}
    assert statuses.pop(names[5]) == "kept"
    assert set(statuses.values()) == {"ok"}
    texts = bytes(files(store)["000/texts.bin"]).decode("utf-8")
    assert texts == "".join(TEXTS[x] if x == names[5] else changed[x] for x in names)


def test_a_worker_that_is_killed_costs_nothing_that_is_done(together, bundled, tmp_path, monkeypatch):
    started: list[subprocess.Popen] = []

    class Recording(subprocess.Popen):
        def __init__(self, *args, **keywords):
            super().__init__(*args, **keywords)
            started.append(self)

    monkeypatch.setattr(crew.subprocess, "Popen", Recording)
    store = GenerationStore(tmp_path / "index")
    library = written(tmp_path / "reports", TEXTS)

    def killing(done: int, total: int) -> None:
        if list(store.folder.glob("building/seg-*")):
            started[0].kill()

    with pytest.raises(IndexProblem, match=r"子进程意外结束.*再次运行 kewen index build") as error:
        build_index(library, store, bundled, killing)
    assert error.value.code == "storage_error"
    assert all(x.poll() is not None for x in started)
    assert store.names() == []
    assert list(store.folder.glob("building/seg-*"))
    report = build_index(library, store, bundled)
    assert {x.reused for x in report.documents} == {True, False}
    assert report.reused > 0
    assert files(store) == alone(tmp_path, TEXTS, bundled, monkeypatch)


# -- the command ----------------------------------------------------------------------------------


class Stuck:
    """`kewen index build` that comes to a document which never ends: a pipe that nobody writes."""

    def __init__(self, folder: Path, job: int) -> None:
        self.folder, self.home = folder, folder / "home"
        self.stuck = list(TEXTS)[-1]
        self.library = written(folder / "reports", TEXTS)
        self.path = folder / "reports" / f"{self.stuck}.txt"
        self.path.unlink()
        os.mkfifo(self.path)
        self.process = command(folder, job)
        self.workers: list[int] = []
        self.writer = -1
        until(self._is_there)
        children = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        self.workers = [int(x) for path in children for x in path.read_text().split()]
        assert self.workers

    def _is_there(self) -> bool:
        assert self.process.poll() is None, self.process.communicate()
        try:
            self.writer = os.open(self.path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:  # nobody reads it yet
            return False
        return True

    def alive(self) -> list[int]:
        """The workers that have not ended."""

        def state(pid: int) -> str:
            try:
                return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                return "Z"

        return [x for x in self.workers if state(x) != "Z"]

    def end(self) -> None:
        os.close(self.writer)
        for pid in self.alive():
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()


def command(folder: Path, job: int = 7_000, limit: int = 0, **options) -> subprocess.Popen:
    driver = DRIVER.format(job=job, limit=limit)
    arguments = ["index", "build", "--home", str(folder / "home"), "--reports", str(folder / "reports")]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([sys.executable, "-c", driver, *arguments], **options)


@pytest.fixture
def stuck(tmp_path) -> Iterator[Stuck]:
    made = Stuck(tmp_path, 7_000)
    yield made
    made.end()


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_build_and_the_next_one_goes_on(stuck, bundled, number, monkeypatch):
    building = stuck.home / "index" / "building"
    until(lambda: list(building.glob("seg-*")))
    stuck.process.send_signal(number)
    assert stuck.process.wait(60) != OK
    until(lambda: not stuck.alive())
    assert "Traceback" not in stuck.process.stderr.read().decode("utf-8")
    stuck.path.unlink()
    library = written(stuck.folder / "reports", TEXTS)
    store = GenerationStore(stuck.home / "index")
    assert store.current_name() is None
    report = build_index(library, store, bundled)
    assert {x.reused for x in report.documents} == {True, False}
    assert files(store) == alone(stuck.folder, TEXTS, bundled, monkeypatch)
    assert not building.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="limits and terminals as on Linux")
def test_a_full_disk_is_said_and_a_terminal_shows_how_far_it_is(bundled, tmp_path, monkeypatch):
    library = written(tmp_path / "reports", TEXTS)
    store = GenerationStore(tmp_path / "home" / "index")
    small = command(tmp_path, limit=30_000)
    assert "磁盘空间不足" in small.communicate(timeout=60)[1].decode("utf-8")
    assert small.returncode == STORAGE
    assert store.names() == []
    parent, child = pty.openpty()
    termios.tcsetwinsize(child, (24, 80))
    building = command(tmp_path, stderr=child)
    os.close(child)
    shown = b""
    while True:
        try:
            more = os.read(parent, 4096)
        except OSError:  # its last holder is gone
            break
        if not more:
            break
        shown += more
    os.close(parent)
    building.communicate(timeout=60)
    assert building.returncode == OK
    for stage in ("建索引", "写入索引"):
        assert re.search(rf"{stage}:[ 0-9]*100%", shown.decode("utf-8", "replace"))
    assert not [x.name for x in store.folder.iterdir() if x.name.startswith(("tmp-", "building"))]
    assert files(store) == alone(tmp_path, TEXTS, bundled, monkeypatch)
    assert len(list(library)) == len(json.loads(bytes(files(store)["000/shares.json"]))["id"])

"""Generations survive kill -9 at any moment and any damage; readers never see half an index."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from index.generations import GenerationStore
from index.storage import IndexProblem

OLD = {"a.bin": b"old a" * 50, "sub/b.bin": b"old b" * 50}
NEW = {"a.bin": b"new a" * 60, "sub/b.bin": b"new b" * 60}


def publish(store: GenerationStore, files: dict[str, bytes]) -> str:
    with store.writer():
        return store.publish(files, {"note": "test"})


@pytest.fixture
def store(tmp_path: Path) -> GenerationStore:
    return GenerationStore(tmp_path / "home" / "index")


def test_what_is_published_is_what_is_read(store):
    name = publish(store, OLD)
    generation, problems = store.open()
    assert (generation.name, dict(generation.files), problems) == (name, OLD, [])
    assert generation.manifest["files"] == {k: hashlib.sha256(v).hexdigest() for k, v in OLD.items()}


def test_the_generation_before_the_current_one_is_kept_and_no_more(store):
    for n in range(4):
        publish(store, {"a.bin": str(n).encode()})
    assert store.names() == ["gen-000003", "gen-000004"]
    assert store.open()[0].files["a.bin"] == b"3"


def test_folders_and_files_are_the_owners_alone(store):
    publish(store, OLD)
    for path in [store.folder, *store.folder.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_no_index_yet(store):
    with pytest.raises(IndexProblem, match="kewen index build") as error:
        store.open()
    assert error.value.code == "index_missing"


KILLER = """
import os, signal, sys, pathlib
left = int(sys.argv[2])
def counted(call):
    def run(*a, **k):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*a, **k)
    return run
for module, name in ((os, "fsync"), (os, "open"), (os, "close"), (os, "replace"), (os, "rename"), (os, "mkdir"), (os, "unlink"), (os, "rmdir")):
    setattr(module, name, counted(getattr(module, name)))
from index.generations import GenerationStore
store = GenerationStore(pathlib.Path(sys.argv[1]))
left = int(sys.argv[2])
with store.writer():
    store.publish({"a.bin": b"new a" * 60, "sub/b.bin": b"new b" * 60}, {"note": "test"})
print("done")
"""


def test_a_writer_killed_at_any_step_leaves_the_old_index_or_the_new_one(tmp_path):
    killed = 0
    for step in range(1, 200):
        store = GenerationStore(tmp_path / str(step) / "index")
        for _ in range(2):
            publish(store, OLD)
        run = subprocess.run(
            [sys.executable, "-c", KILLER, str(store.folder), str(step)], capture_output=True, check=False
        )
        generation, problems = store.open()
        assert dict(generation.files) in (OLD, NEW)
        assert problems in ([], ["已清理 1 个未完成的索引"])
        assert store.open() == (generation, [])
        assert store.names()[-1] == generation.name == store.current_name()
        assert not list(store.folder.glob("tmp-*"))
        publish(store, {"a.bin": b"next"})
        assert store.open()[0].files["a.bin"] == b"next"
        if run.returncode == 0:
            assert run.stdout.strip() == b"done"
            break
        killed += 1
    assert killed >= 15


def damaged(data: bytes) -> dict[str, bytes | None]:
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    return {
        "flipped": flipped,
        "empty": b"",
        "half": data[:middle],
        "short": data[:-1],
        "long": data + b"x",
        "gone": None,
    }


@pytest.mark.parametrize("kind", ["flipped", "empty", "half", "short", "long", "gone"])
@pytest.mark.parametrize("file", ["a.bin", "sub/b.bin", "manifest.json"])
def test_damage_is_found_before_parsing_and_the_previous_generation_serves(store, file, kind):
    publish(store, OLD)
    name = publish(store, NEW)
    path = store.folder / name / file
    data = damaged(path.read_bytes())[kind]
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    generation, problems = store.open()
    assert dict(generation.files) == OLD
    assert len(problems) == 1
    assert Path(file).name in problems[0]
    assert "kewen index build" in problems[0]


def test_damage_without_a_previous_generation_is_named(store):
    name = publish(store, OLD)
    (store.folder / name / "a.bin").write_bytes(b"x")
    with pytest.raises(IndexProblem, match=r"a\.bin 已损坏.*sha256 应为.*实为") as error:
        store.open()
    assert error.value.code == "index_damaged"


def test_a_file_of_another_generation_is_no_substitute(store):
    first, second = publish(store, OLD), publish(store, NEW)
    shutil.copy(store.folder / first / "a.bin", store.folder / second / "a.bin")
    assert store.open()[0].name == first


@pytest.mark.parametrize("content", [b"", b"gen-000099", b"\xff\xfe", b"../../etc"])
def test_a_bad_current_file_does_not_lose_the_index(store, content):
    publish(store, OLD)
    publish(store, NEW)
    (store.folder / "CURRENT").write_bytes(content)
    generation, problems = store.open()
    assert dict(generation.files) == NEW
    assert "CURRENT" in problems[0]


def test_a_manifest_cannot_point_elsewhere(store, tmp_path):
    name = publish(store, OLD)
    (tmp_path / "secret").write_bytes(b"secret")
    path = store.folder / name / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["files"]["../../../secret"] = hashlib.sha256(b"secret").hexdigest()
    del manifest["sha256"]
    checksum = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**manifest, "sha256": checksum}), encoding="utf-8")
    with pytest.raises(IndexProblem, match="别处"):
        store.read(name)


def test_another_format_is_named(store):
    name = publish(store, OLD)
    path = store.folder / name / "manifest.json"
    manifest = json.loads(path.read_bytes()) | {"format": 99}
    del manifest["sha256"]
    checksum = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps({**manifest, "sha256": checksum}), encoding="utf-8")
    with pytest.raises(IndexProblem, match="格式为 99") as error:
        store.open()
    assert error.value.code == "index_incompatible"


def test_a_second_writer_is_told_who_holds_the_place(store):
    holder = subprocess.Popen(
        [sys.executable, "-c", "import sys,pathlib\nfrom index.generations import GenerationStore\nwith GenerationStore(pathlib.Path(sys.argv[1])).writer():\n    print('in', flush=True)\n    sys.stdin.read()", str(store.folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert holder.stdout
    assert holder.stdout.readline().strip() == b"in"
    with pytest.raises(IndexProblem, match=str(holder.pid)) as error:
        publish(store, OLD)
    assert error.value.code == "index_locked"
    holder.kill()
    holder.communicate()
    publish(store, OLD)


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "insufficient_storage"), (errno.EIO, "storage_error")])
def test_a_disk_that_fails_keeps_the_old_index(store, monkeypatch, number, code):
    publish(store, OLD)
    real = os.fsync
    for step in range(1, 12):
        calls = 0

        def failing(descriptor: int, step: int = step) -> None:
            nonlocal calls
            calls += 1
            if calls == step:
                raise OSError(number, os.strerror(number))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", failing)
        try:
            publish(store, NEW)
        except IndexProblem as problem:
            assert problem.code == code  # noqa: PT017 - some steps succeed
            assert dict(store.open()[0].files) in (OLD, NEW)
            assert not list(store.folder.glob("tmp-*"))
        else:
            assert step > 3
            break
        monkeypatch.setattr(os, "fsync", real)
    monkeypatch.setattr(os, "fsync", real)
    publish(store, NEW)
    assert dict(store.open()[0].files) == NEW


def test_a_small_disk_is_no_danger(store, tmp_path):
    """A file size limit stands in for a full disk: a real one, from the operating system."""
    publish(store, OLD)
    script = (
        "import resource, signal, sys, pathlib\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))\n"
        "from index.generations import GenerationStore\nfrom index.storage import IndexProblem\n"
        "store = GenerationStore(pathlib.Path(sys.argv[1]))\n"
        "try:\n"
        "    with store.writer():\n"
        "        store.publish({'a.bin': b'x' * 5000}, {})\n"
        "except IndexProblem as problem:\n"
        "    print(problem.code)\n"
    )
    run = subprocess.run(
        [sys.executable, "-B", "-c", script, str(store.folder)], capture_output=True, text=True, check=False
    )
    assert run.stdout.strip() == "insufficient_storage", run.stderr
    assert dict(store.open()[0].files) == OLD
    assert publish(store, NEW)


def test_what_a_killed_writer_left_is_cleared_away_and_said_once(store):
    publish(store, OLD)
    name = publish(store, NEW)
    shutil.copytree(store.folder / name, store.folder / "gen-000007")  # renamed, and never named by CURRENT
    (store.folder / "tmp-gen-000008").mkdir()
    generation, problems = store.open()
    assert (generation.name, problems) == (name, ["已清理 2 个未完成的索引"])
    assert store.open()[1] == []
    assert store.names() == ["gen-000001", name]
    assert publish(store, OLD) == "gen-000003"


def test_a_generation_that_no_current_file_speaks_of_is_never_cleared_away(store):
    publish(store, OLD)
    publish(store, NEW)
    for content in (b"", b"gen-000099\n"):
        (store.folder / "CURRENT").write_bytes(content)
        store.open()
        with store.writer():
            pass
        assert store.names() == ["gen-000001", "gen-000002"]


def test_another_writer_is_waited_for_as_long_as_is_said(store):
    with store.writer():
        started = time.monotonic()
        with pytest.raises(IndexProblem, match=rf"进程 {os.getpid()}，自 20\d\d-") as error, store.writer(wait=0.3):
            raise AssertionError("two writers")
        assert time.monotonic() - started >= 0.3
        assert error.value.code == "index_locked"
        waiting = threading.Thread(target=publish_after, args=(store,))
        waiting.start()
        time.sleep(0.1)
    waiting.join()
    assert store.open()[0].files == NEW


def publish_after(store: GenerationStore) -> None:
    with store.writer(wait=30):
        store.publish(NEW, {})


def test_too_little_room_is_said_before_anything_is_done(store, monkeypatch):
    publish(store, {"a.bin": bytes(3 << 20)})
    store.check_space(7 << 20)
    usage = shutil.disk_usage(store.folder)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=(64 + 6) << 20))
    store.check_space(6 << 20)
    with pytest.raises(IndexProblem, match="需要 71 MiB，只剩 70 MiB") as error:
        store.check_space(7 << 20)
    assert error.value.code == "insufficient_storage"


def test_content_may_come_in_pieces(store):
    assert publish(store, {"a.bin": [b"one", memoryview(b"-two-")[1:4], b""], "b.bin": []}) == "gen-000001"
    assert store.open()[0].files == {"a.bin": b"onetwo", "b.bin": b""}

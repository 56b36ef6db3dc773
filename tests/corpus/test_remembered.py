"""What is remembered of files spares reading them and never tells anything that reading them would not."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from corpus import manifest, remembered
from corpus.catalogue import Version
from corpus.expansions import expansions_path
from corpus.library import Library, shipped_folder
from corpus.manifest import LibraryError
from corpus.remembered import Memory
from corpus.store import DocumentStore
from corpus.types import EditorialHeading
from tests.corpus.test_store import keep, record

TEXT = "一、宝山区\n\n宝山区有生物医药企业449家。\n"
OTHER = TEXT.replace("449", "450")


@pytest.fixture
def settled(monkeypatch):
    """All files have lain unchanged for long."""
    monkeypatch.setattr(remembered, "_SETTLED_NS", -(10**18))


@pytest.fixture
def read(monkeypatch):
    """The names of files whose bytes are hashed, as that happens."""
    names: list[str] = []
    real = hashlib.file_digest

    def digest(file, kind):
        names.append(Path(file.name).name)
        return real(file, kind)

    monkeypatch.setattr(remembered.hashlib, "file_digest", digest)
    return names


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def in_place(path, text):
    """Other bytes in the same file, of the same number, and its times put back."""
    times = path.stat()
    with path.open("r+b") as file:
        file.write(text.encode("utf-8"))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


@pytest.fixture
def kept(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home" / "remembered.json"


def remember(kept, *paths):
    memory = Memory(kept)
    for path in paths:
        memory.sha256(path)
    memory.save(paths)


@pytest.mark.usefixtures("settled")
def test_the_next_process_need_not_read_a_file_again(path, kept, read):
    remember(kept, path)
    assert read == ["a.txt"]
    memory = Memory(kept)
    memory.refresh()
    assert memory.sha256(path) == sha256(TEXT)
    assert read == ["a.txt"]
    assert kept.stat().st_mode & 0o777 == 0o600 or os.name == "nt"


def test_a_file_that_was_written_just_now_is_not_trusted(path, kept, read):
    memory = Memory(kept)
    assert memory.sha256(path) == memory.sha256(path) == sha256(TEXT)
    assert read == ["a.txt", "a.txt"]
    assert not memory.knows(path)
    os.utime(path, (0, 0))  # its mtime is old, its ctime is not
    memory.sha256(path)
    assert not memory.knows(path)


@pytest.mark.usefixtures("settled")
@pytest.mark.skipif(os.name == "nt", reason="Windows tells no time of the last change of a file's state")
def test_a_change_is_noticed_though_size_and_mtime_are_as_before(path, kept):
    remember(kept, path)
    before = path.stat()
    in_place(path, OTHER)
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)
    memory = Memory(kept)
    memory.refresh()
    assert memory.sha256(path) == sha256(OTHER)


@pytest.mark.usefixtures("settled")
def test_another_file_under_the_same_name_is_noticed(path, kept):
    remember(kept, path)
    times = path.stat()
    other = path.with_name("b.txt")
    other.write_text(OTHER, encoding="utf-8")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)
    memory = Memory(kept)
    memory.refresh()
    assert memory.sha256(path) == sha256(OTHER)


@pytest.mark.usefixtures("settled")
def test_a_file_that_changes_while_it_is_read_is_not_remembered(path, kept, monkeypatch):
    real = hashlib.file_digest

    def digest(file, kind):
        found = real(file, kind)
        path.write_text(OTHER + "又一句。", encoding="utf-8")
        return found

    monkeypatch.setattr(remembered.hashlib, "file_digest", digest)
    memory = Memory(kept)
    memory.sha256(path)
    assert not memory.knows(path)


@pytest.mark.usefixtures("settled")
def test_a_file_that_was_touched_is_read_again_and_says_the_same(path, kept, read):
    remember(kept, path)
    os.utime(path)
    memory = Memory(kept)
    memory.refresh()
    assert memory.sha256(path) == sha256(TEXT)
    assert read == ["a.txt", "a.txt"]


@pytest.mark.usefixtures("settled")
def test_whatever_is_wrong_with_what_is_kept_files_are_read_and_it_is_written_anew(path, kept, read):
    remember(kept, path)
    sound = kept.read_bytes()
    content = sound.partition(b"\n")[2]

    def signed(content: bytes) -> bytes:
        return hashlib.sha256(content).hexdigest().encode("ascii") + b"\n" + content

    flipped = [sound[:n] + bytes([sound[n] ^ 1]) + sound[n + 1 :] for n in range(0, len(sound), 11)]
    foreign = [
        signed(x) for x in (b"[]", b"3", b"{}", b"x", b"[" * 100_000, content.replace(b'"format": 1', b'"format": 9'))
    ]
    shapes = [signed(json.dumps({"format": 1, "manifest": None, "files": x}).encode()) for x in ([], {"a": 1}, None)]
    for damaged in [b"", b"\n", sound[:-9], *flipped, *foreign, *shapes]:
        kept.write_bytes(damaged)
        read.clear()
        memory = Memory(kept)
        memory.refresh()
        assert memory.sha256(path) == sha256(TEXT)
        assert read == ["a.txt"], damaged
        memory.save([path])
        assert kept.read_bytes() == sound


@pytest.mark.usefixtures("settled")
def test_where_nothing_can_be_kept_nothing_is_said(path, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder" / "remembered.json" / "x").mkdir(parents=True)
    for place in (tmp_path / "nowhere" / "remembered.json", tmp_path / "file" / "remembered.json"):
        remember(place, path)
        assert not place.exists()
    memory = Memory(tmp_path / "folder" / "remembered.json")
    memory.refresh()
    assert memory.sha256(path) == sha256(TEXT)


@pytest.mark.usefixtures("settled")
def test_a_full_disk_leaves_what_was_kept_and_nothing_half_written(path, kept, monkeypatch):
    remember(kept, path)
    sound = kept.read_bytes()
    os.utime(path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    remember(kept, path)
    assert kept.read_bytes() == sound
    assert [x.name for x in kept.parent.iterdir()] == [kept.name]


@pytest.mark.usefixtures("settled")
def test_what_a_killed_process_left_is_removed_once_it_is_old(path, kept):
    old, new = (kept.with_name(f"{kept.name}.{n}-1.tmp") for n in range(2))
    for left in (old, new):
        left.write_bytes(b"half")
    os.utime(old, (0, 0))
    remember(kept, path)
    assert not old.exists()
    assert new.exists()  # another process may be writing it


@pytest.mark.usefixtures("settled")
def test_what_another_process_wrote_meanwhile_counts(path, kept, read):
    mine, other = Memory(kept), Memory(kept)
    mine.refresh()
    other.sha256(path)
    other.save([path])
    read.clear()
    mine.refresh()
    assert mine.sha256(path) == sha256(TEXT)
    assert read == []
    other.forget_files()
    other.save([path])
    mine.refresh()
    mine.sha256(path)
    assert read == ["a.txt"]


@pytest.mark.usefixtures("settled")
def test_files_that_left_the_library_are_forgotten(path, kept):
    gone = path.with_name("b.txt")
    gone.write_text("旧文", encoding="utf-8")
    remember(kept, path, gone)
    memory = Memory(kept)
    memory.refresh()
    memory.save([path])
    assert "b.txt" not in kept.read_text(encoding="ascii")


# -- a library ------------------------------------------------------------------------------------


def fingerprints(library):
    return [library.fingerprint(entry) for entry in library]


@pytest.mark.usefixtures("settled")
def test_fingerprints_are_the_same_with_and_without_it(kept, read):
    plain = fingerprints(Library(shipped_folder()))
    for _ in range(2):
        library = Library(shipped_folder(), None, Memory(kept))
        assert fingerprints(library) == plain
        library.remember()
    assert len(read) == 4 * len(plain)  # each report and its expansions, without it and at the first time


def test_a_fingerprint_is_what_it_always_was():
    """Another would have every index made anew."""
    library = Library(shipped_folder())
    for entry in library:
        about = asdict(entry) | {"path": entry.path.name, "read": hashlib.sha256(entry.path.read_bytes()).hexdigest()}
        about["expansions"] = hashlib.sha256(expansions_path(entry.folder, entry.id).read_bytes()).hexdigest()
        assert library.fingerprint(entry) == sha256(json.dumps(about, sort_keys=True))
    assert any(entry.editorial_headings for entry in library)


def test_the_state_of_the_users_own_documents_is_what_it_always_was(tmp_path):
    store = DocumentStore(tmp_path / "library")
    more = {"versions": (Version("0" * 64, "2025-01-01"),), "editorial_headings": (EditorialHeading("前", "长宁区"),)}
    kept = keep(store, record(store, **more, set_by_user=("title",)), record(store, b"other", "b"))
    own = [asdict(x) for x in kept.documents.values()]
    assert Library(shipped_folder(), store).state == sha256(json.dumps([own, []], sort_keys=True))


@pytest.mark.usefixtures("settled")
def test_what_is_said_of_a_report_follows_its_file(make_folder, kept):
    folder = make_folder({"a.txt": TEXT, "b.txt": "甲。"})
    library = Library(folder, None, Memory(kept))
    before = fingerprints(library)
    library.remember()
    library = Library(folder, None, Memory(kept))
    entry = library.entries[0]
    assert library.content(entry) == sha256(TEXT)
    assert not library.is_changed(entry, sha256(TEXT))
    (folder / "a.txt").write_text(OTHER, encoding="utf-8")
    assert library.content(entry) == sha256(OTHER)
    assert library.is_changed(entry, sha256(TEXT))
    assert [x == y for x, y in zip(before, fingerprints(library), strict=True)] == [False, True]
    expansions_path(folder, "b").write_bytes(b"{}")
    assert fingerprints(library)[1] not in ("", before[1])
    (folder / "a.txt").unlink()
    assert library.is_changed(entry, sha256(TEXT))
    assert library.content(entry) == fingerprints(library)[0] == ""


@pytest.mark.usefixtures("settled")
def test_a_disk_that_loses_bits_is_found_out_by_reading(make_folder, kept, monkeypatch):
    monkeypatch.setattr(remembered, "_stamp", lambda status: (status.st_size, 0, 0, 0))
    folder = make_folder({"a.txt": TEXT})
    library = Library(folder, None, Memory(kept))
    library.remember()
    (folder / "a.txt").write_text(OTHER, encoding="utf-8")
    entry = library.entries[0]
    assert not library.is_changed(entry, sha256(TEXT))
    assert library.read(entry).sha256 == sha256(OTHER)
    assert library.is_changed(entry, sha256(TEXT))  # it is known to be wrong by now
    (folder / "a.txt").write_text(TEXT, encoding="utf-8")
    assert library.is_changed(entry, sha256(TEXT))
    library.hash_again()
    assert not library.is_changed(entry, sha256(TEXT))


def test_nothing_is_written_where_nothing_changed(make_folder, kept, monkeypatch):
    monkeypatch.setattr(remembered, "_SETTLED_NS", -(10**18))
    folder = make_folder({"a.txt": TEXT})
    Library(folder, None, Memory(kept)).remember()
    written = kept.stat().st_mtime_ns, kept.stat().st_ino
    Library(folder, None, Memory(kept)).remember()
    assert (kept.stat().st_mtime_ns, kept.stat().st_ino) == written


# -- a manifest -----------------------------------------------------------------------------------


@pytest.fixture
def parsed(monkeypatch):
    """How often a manifest is parsed."""
    times: list[str] = []
    real = manifest.tomllib.loads
    monkeypatch.setattr(manifest.tomllib, "loads", lambda text: (times.append(text), real(text))[1])
    return times


def test_a_manifest_is_parsed_once_and_its_entries_are_the_same(kept, parsed):
    first = Library(shipped_folder(), None, Memory(kept))
    first.remember()
    second = Library(shipped_folder(), None, Memory(kept))
    assert second.entries == first.entries == Library(shipped_folder()).entries
    assert len(parsed) == 2


def test_a_changed_manifest_is_parsed_again(make_folder, kept, parsed):
    folder = make_folder({"a.txt": TEXT})
    Library(folder, None, Memory(kept)).remember()
    path = folder / "reports.toml"
    path.write_bytes(path.read_bytes().replace(b'id = "a"', b'id = "b"'))
    assert [x.id for x in Library(folder, None, Memory(kept))] == ["b"]
    assert len(parsed) == 2


def test_an_error_is_never_remembered(make_folder, kept, parsed):
    folder = make_folder({"a.txt": TEXT})
    path = folder / "reports.toml"
    path.write_bytes(path.read_bytes().replace(b'id = "a"', b'id = "a/b"'))
    memory = Memory(kept)
    for _ in range(2):
        with pytest.raises(LibraryError, match="斜杠"):
            Library(folder, None, memory)
    assert len(parsed) == 2


def test_what_the_disk_says_of_a_manifest_is_looked_at_each_time(make_folder, kept, parsed):
    folder = make_folder({"a.txt": TEXT})
    Library(folder, None, Memory(kept)).remember()
    (folder / "a.txt").unlink()
    (folder / "a.txt").symlink_to(shipped_folder() / "reports.toml")
    with pytest.raises(LibraryError, match="不在该文件夹内"):
        Library(folder, None, Memory(kept))
    assert len(parsed) == 1


@pytest.mark.parametrize("value", ["1979-05-27", "nan", "[07:32:00, 1]"])
def test_a_manifest_with_what_json_lacks_is_parsed_each_time(make_folder, kept, parsed, value):
    folder = make_folder({"a.txt": TEXT})
    with (folder / "reports.toml").open("a", encoding="utf-8") as file:
        file.write(f'\nrestored_headings = [{{ before = "宝山区有", heading = "长宁区", note = {value} }}]\n')
    for count in (1, 2):
        library = Library(folder, None, Memory(kept))
        assert library.entries[0].editorial_headings
        library.remember()
        assert len(parsed) == count


@pytest.mark.parametrize(
    ("name", "is_inside"),
    [
        ("a.txt", True), ("nowhere.txt", True), ("sub/a.txt", True), ("sub/../a.txt", True), (".", True), ("sub/.", True),
        ("x" * 300, True), ("..", False), ("../a.txt", False), ("sub/../../a.txt", False), ("sub/..", True),
        ("out", False), ("away/a.txt", False), ("away/back", True), ("in", True), ("a\0b", False), ("/etc/passwd", False),
        ("sub/../..", False), ("away/..", False), ("round", None),
    ],
)  # fmt: skip
def test_a_name_is_inside_where_its_links_lead_so(tmp_path, name, is_inside):
    folder, other = tmp_path / "reports", tmp_path / "other"
    (folder / "sub").mkdir(parents=True)
    other.mkdir()
    for place in (folder / "a.txt", folder / "sub" / "a.txt", other / "a.txt"):
        place.write_text("甲。", encoding="utf-8")
    links = {"out": other / "a.txt", "away": other, "in": folder / "sub" / "a.txt", "round": folder / "round"}
    for link, target in links.items():
        (folder / link).symlink_to(target)
    (other / "back").symlink_to(folder / "a.txt")
    place = manifest._Place(folder)

    def told(look):
        try:
            return look()
        except RuntimeError:  # a link that leads to itself, before Python 3.13
            return None

    plain = told(lambda: (folder / name).resolve().is_relative_to(folder.resolve()) if "\0" not in name else False)
    assert told(lambda: place.holds(name)) == told(lambda: place.holds(name)) == plain
    assert is_inside is None or plain == is_inside

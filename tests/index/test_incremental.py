"""Adding, changing, removing and reordering documents one build after another gives the index that one build gives."""

from __future__ import annotations

import itertools
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.expansions import Expansion, expansions_line, expansions_path
from corpus.library import Library, shipped_folder
from index import parts
from index.build import build_index, document_part, write_index
from index.generations import GenerationStore
from index.snapshot import Snapshot
from index.storage import IndexProblem

TEXTS = {
    "a": ["一、宝山区\n\n宝山区有生物医药企业449家。\n\n二、目标\n\n到2030年产值达到200亿元，G60科创走廊。\n", "一、宝山园\n\n先投后股。\n"],
    "b": ["嘉定区聚焦汽车新四化。", "嘉定区聚焦汽车新四化，打造世界级汽车产业中心。Medical robots 3.0。"],
    "c": ["一、总论\n\n（一）闵行区\n\n闵行区有企业12家。\n\n（二）漕河泾园\n\n龘靐齉。\n", "全文只有" + "很" * 300 + "长的一句。"],
    "d": ["表1 企业数量\n区域|家数\n宝山|449\n嘉定|300\n", "一、空\n"],
}  # fmt: skip


def write(folder: Path, documents: Sequence[tuple[str, int, bool]]) -> Library:
    """A library of documents as (id, version of its text, whether it has expansions); title and year follow the id."""
    folder.mkdir(exist_ok=True)
    lines = []
    for name, version, _ in documents:
        (folder / f"{name}.txt").write_text(TEXTS[name][version], encoding="utf-8", newline="")
        known = {"id": name, "file": f"{name}.txt", "title": f"报告{name}", "series": "系列", "kind": "报告"}
        lines += ["[[document]]", f"year = {2000 + ord(name)}", *(f'{k} = "{v}"' for k, v in known.items())]
    (folder / "reports.toml").write_text("\n".join(lines), encoding="utf-8")
    library = Library(folder)
    for entry, (name, _, enriched) in zip(library, documents, strict=True):
        path = expansions_path(folder, name)
        path.unlink(missing_ok=True)
        if enriched:
            asked = [Expansion("question", "zh", f"{name}有几家药厂，先投后股是什么", "测试")]
            path.write_bytes(b"".join(expansions_line(p, asked) for p in document_part(library.read(entry))[1]))
    return library


def files(store: GenerationStore) -> Mapping[str, bytes]:
    return store.open()[0].files


def fresh_files(library: Library, encoder, folder: Path) -> Mapping[str, bytes]:
    store = GenerationStore(folder / "fresh" / "index")
    build_index(library, store, encoder)
    return files(store)


document = st.tuples(st.sampled_from("abcd"), st.integers(0, 1), st.booleans())
libraries = st.lists(document, min_size=1, max_size=4, unique_by=lambda x: x[0])


@settings(max_examples=15, deadline=None)
@given(st.lists(libraries, min_size=2, max_size=3))
def test_any_sequence_of_changes_ends_where_one_build_begins(bundled, states):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        store = GenerationStore(folder / "index")
        before: dict[str, tuple[str, int, bool]] = {}
        for documents in states:
            library = write(folder / "reports", documents)
            report = build_index(library, store, bundled)
            assert [x.id for x in report.documents if x.reused] == [x[0] for x in documents if before.get(x[0]) == x]
            before = {x[0]: x for x in documents}
        assert files(store) == fresh_files(library, bundled, folder)


class Averaged:
    """The bundled encoder without its words: each passage is one piece."""

    def __init__(self, encoder):
        self.name, self.dim, self.fingerprint = "averaged", encoder.dim, "averaged"
        self.encode_queries, self.encode_passages = encoder.encode_queries, encoder.encode_passages


def test_an_encoder_without_words_too(bundled, tmp_path):
    store, encoder = GenerationStore(tmp_path / "index"), Averaged(bundled)
    for documents in ([("a", 0, True), ("b", 0, False)], [("c", 0, True), ("b", 0, False), ("a", 1, True)]):
        library = write(tmp_path / "reports", documents)
        report = build_index(library, store, encoder)
    assert [x.reused for x in report.documents] == [False, True, False]
    assert files(store) == fresh_files(library, encoder, tmp_path)


def test_the_shipped_reports_added_one_by_one(bundled, tmp_path):
    """In another order than the manifest's, then in its own: every byte of the index is that of one build."""
    from dataclasses import replace

    library = Library(shipped_folder())
    entries = list(library)
    order = [3, 0, 4, 2, 1]
    store = GenerationStore(tmp_path / "index")
    for count in (2, 5):
        library.entries = [entries[n] for n in order[:count]]
        build_index(library, store, bundled)
    library.entries = [*entries[:2], replace(entries[2], year=2000), *entries[3:]]
    build_index(library, store, bundled)
    library.entries = entries
    report = build_index(library, store, bundled)
    assert [x.reused for x in report.documents] == [True, True, False, True, True]
    assert files(store) == fresh_files(library, bundled, tmp_path)


def test_only_what_changed_is_read(bundled, tmp_path, monkeypatch):
    store = GenerationStore(tmp_path / "index")
    folder = tmp_path / "reports"
    build_index(write(folder, [("a", 0, False), ("b", 0, False), ("c", 0, True)]), store, bundled)
    library = write(folder, [("a", 0, False), ("b", 1, False), ("c", 0, True), ("d", 0, False)])
    read: list[str] = []
    real = Library.read
    monkeypatch.setattr(Library, "read", lambda self, entry: (read.append(entry.id), real(self, entry))[1])
    report = build_index(library, store, bundled)
    assert read == ["b", "d"]
    assert [x.status for x in report.documents] == ["ok"] * 4
    assert report.complete
    read.clear()
    report = build_index(library, store, bundled)
    assert read == []
    assert (report.embedded, all(x.reused for x in report.documents)) == (0, True)
    report = build_index(library, store, bundled, fresh=True)
    assert read == ["a", "b", "c", "d"]
    assert (report.embedded, any(x.reused for x in report.documents)) == (0, False)


def test_what_is_said_of_expansions_is_said_again_of_a_part_that_is_copied(bundled, tmp_path):
    library = write(tmp_path / "reports", [("a", 0, True)])
    path = expansions_path(tmp_path / "reports", "a")
    path.write_bytes(path.read_bytes() + b'{"half')
    store = GenerationStore(tmp_path / "index")
    first, second = build_index(library, store, bundled), build_index(library, store, bundled)
    assert "读不了" in first.documents[0].message
    assert second.documents[0].message == first.documents[0].message
    assert second.documents[0].reused


def test_a_document_of_which_nothing_can_be_known_is_never_copied(bundled, tmp_path):
    library = write(tmp_path / "reports", [("a", 0, False), ("b", 0, False)])
    expansions_path(tmp_path / "reports", "a").mkdir()
    store = GenerationStore(tmp_path / "index")
    for expected in ([False, False], [False, True]):
        assert [x.reused for x in build_index(library, store, bundled).documents] == expected


@pytest.fixture
def change_code(monkeypatch):
    """Call it, and the program is one whose packages are of other versions."""
    yield lambda: (monkeypatch.setattr(parts, "_version", lambda name: "other"), parts.code_fingerprint.cache_clear())
    monkeypatch.undo()
    parts.code_fingerprint.cache_clear()


def test_other_code_reads_everything_anew_and_embeds_nothing_twice(bundled, tmp_path, change_code):
    library = write(tmp_path / "reports", [("a", 0, True), ("b", 0, False)])
    store = GenerationStore(tmp_path / "index")
    build_index(library, store, bundled)
    change_code()
    report = build_index(library, store, bundled)
    assert not any(x.reused for x in report.documents)
    assert report.embedded == 0
    assert all(x.reused for x in build_index(library, store, bundled).documents)


def test_the_code_fingerprint_follows_the_sources(monkeypatch):
    known = parts.code_fingerprint()
    monkeypatch.setattr(parts, "_MODULES", parts._MODULES[1:])
    parts.code_fingerprint.cache_clear()
    assert parts.code_fingerprint() != known
    parts.code_fingerprint.cache_clear()


@pytest.mark.parametrize("change", ["code", "encoder"])
def test_a_document_that_is_kept_is_derived_anew_where_the_program_has_changed(bundled, tmp_path, change_code, change):
    folder = tmp_path / "reports"
    library = write(folder, [("a", 0, True), ("b", 0, False)])
    store = GenerationStore(tmp_path / "index")
    build_index(library, store, bundled)
    expected = dict(files(store))
    (folder / "a.txt").unlink()
    encoder = Averaged(bundled) if change == "encoder" else bundled
    if change == "code":
        change_code()
    report = build_index(library, store, encoder)
    assert [(x.status, x.reused) for x in report.documents] == [("kept", False), ("ok", False)]
    found = files(store)
    assert found["000/passages.jsonl"] == expected["000/passages.jsonl"]
    assert Snapshot.load(store.open()[0]).plain.pieces.size == Snapshot.load(store.open()[0]).plain.lexical.size
    if change == "code":
        # What tells of the code itself, and how many bytes it is.
        same = expected.keys() - {"000/documents.jsonl", "000/parts.jsonl", "000/shares.json"}
        assert {name: found[name] for name in same} == {name: expected[name] for name in same}
    # The file is back: what other code had split is read again.
    write(folder, [("a", 0, True), ("b", 0, False)])
    assert [x.reused for x in build_index(library, store, encoder).documents] == [change == "encoder", True]


def test_the_old_text_of_a_changed_document_is_archived_before_the_new_index_is_there(bundled, tmp_path):
    store, folder = GenerationStore(tmp_path / "index"), tmp_path / "reports"
    build_index(write(folder, [("a", 0, False), ("b", 0, False), ("c", 0, False)]), store, bundled)
    seen = []

    def archive(document_id: str, text: bytes) -> None:
        seen.append((document_id, text.decode("utf-8"), store.current_name()))

    library = write(
        folder, [("b", 1, False), ("a", 0, True), ("d", 0, False)]
    )  # c is removed, of a only expansions change
    build_index(library, store, bundled, archive=archive)
    assert seen == [("b", TEXTS["b"][0], "gen-000001")]

    def failing(document_id: str, text: bytes) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(IndexProblem) as error:
        build_index(write(folder, [("b", 0, False)]), store, bundled, archive=failing)
    assert error.value.code == "insufficient_storage"
    assert store.current_name() == "gen-000002"


def test_one_that_holds_the_writers_place_may_write(bundled, tmp_path):
    store = GenerationStore(tmp_path / "index")
    library = write(tmp_path / "reports", [("a", 0, False)])
    with store.writer():
        assert write_index(library, store, bundled).generation == "gen-000001"
        with pytest.raises(IndexProblem) as error:
            build_index(library, store, bundled)
    assert error.value.code == "index_locked"


def test_a_library_emptied_is_refused_and_loses_nothing(bundled, tmp_path):
    store = GenerationStore(tmp_path / "index")
    build_index(write(tmp_path / "reports", [("a", 0, False)]), store, bundled)
    with pytest.raises(IndexProblem) as error:
        build_index(write(tmp_path / "reports", []), store, bundled)
    assert error.value.code == "no_documents"
    assert list(Snapshot.load(store.open()[0]).documents) == ["a"]


def test_rows_of_a_document_stand_together_and_are_found_by_id(bundled, tmp_path, opened):
    snapshot = opened.retriever().snapshot
    for name in snapshot.documents:
        rows = snapshot.rows_of(name)
        assert {snapshot.rows[n].passage.document_id for n in rows} == {name}
        for n in itertools.islice(rows, 0, None, 9):
            passage = snapshot.rows[n].passage
            assert snapshot.row_of(passage.id) == n
            assert snapshot.passage(passage.id) is passage
    assert sum(len(snapshot.rows_of(name)) for name in snapshot.documents) == len(snapshot.rows)
    for unknown in ("", "nothing", "nothing:0-1", f"{name}:0-999999"):
        assert snapshot.row_of(unknown) is None
        assert snapshot.passage(unknown) is None
    assert snapshot.rows_of("nothing") == range(0)


def test_a_document_without_passages_has_its_place(bundled, tmp_path):
    library = write(tmp_path / "reports", [("a", 0, False), ("d", 1, False), ("b", 0, True)])
    store = GenerationStore(tmp_path / "index")
    build_index(library, store, bundled)
    snapshot = Snapshot.load(store.open()[0])
    assert json.loads(files(store)["000/shares.json"])["passages"][1] == len(snapshot.rows_of("d"))
    assert snapshot.text("d") == TEXTS["d"][1]

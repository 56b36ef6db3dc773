"""Building: everything is indexed, nothing is embedded twice, nothing is lost."""

from __future__ import annotations

import shutil

import pytest

from corpus.expansions import Expansion, expansions_line, expansions_path
from corpus.library import Library
from index.build import build_index, document_part
from index.generations import GenerationStore
from index.search import HybridRetriever
from index.snapshot import Snapshot
from index.storage import IndexProblem

TEXT = "一、基础\n\n宝山区有生物医药企业449家。园区扩容至5个。\n\n二、目标\n\n到2030年产值达到200亿元。\n"


class CountingEncoder:
    """The bundled encoder, counting what it is asked to encode."""

    def __init__(self, encoder):
        self._encoder = encoder
        self.name, self.dim, self.fingerprint = encoder.name, encoder.dim, encoder.fingerprint
        self.units, self.unit_vectors, self.unit_weights = encoder.units, encoder.unit_vectors, encoder.unit_weights
        self.encoded: list[str] = []

    def encode_queries(self, texts):
        return self._encoder.encode_queries(texts)

    def encode_passages(self, texts):
        self.encoded += texts
        return self._encoder.encode_passages(texts)


@pytest.fixture
def store(tmp_path) -> GenerationStore:
    return GenerationStore(tmp_path / "home" / "index")


def load(store: GenerationStore) -> Snapshot:
    return Snapshot.load(store.open()[0])


def test_what_is_indexed_is_what_the_corpus_holds(assistant, reports, passages):
    snapshot = assistant.retriever().snapshot
    assert [row.passage for row in snapshot.rows] == [p for name in reports for p in passages[name]]
    assert {name: snapshot.text(name) for name in snapshot.documents} == {n: d.text for n, d in reports.items()}


def enrich(folder, name: str, *texts: str) -> None:
    """Write expansions beside a document: the same for each of its passages."""
    library = Library(folder)
    (entry,) = (x for x in library if x.id == name)
    lines = [
        expansions_line(p, [Expansion("question", "zh", x, "测试") for x in texts])
        for p in document_part(library.read(entry))[1]
    ]
    expansions_path(folder, name).write_bytes(b"".join(lines))


def test_only_new_pieces_are_embedded(store, make_folder, bundled):
    encoder = CountingEncoder(bundled)
    folder = make_folder({"a.txt": TEXT})
    first = build_index(Library(folder), store, encoder)
    assert (first.embedded, first.reused) == (3, 0)
    make_folder({"a.txt": TEXT, "b.txt": "嘉定区聚焦汽车新四化，打造世界级汽车产业中心。"})
    encoder.encoded.clear()
    second = build_index(Library(folder), store, encoder)
    assert (second.embedded, second.reused) == (1, 3)
    (text,) = encoder.encoded
    assert "嘉定区聚焦汽车新四化" in text


def test_only_new_expansions_are_embedded(store, make_folder, bundled):
    encoder = CountingEncoder(bundled)
    folder = make_folder({"a.txt": TEXT})
    build_index(Library(folder), store, encoder)
    enrich(folder, "a", "药厂有几个")
    encoder.encoded.clear()
    report = build_index(Library(folder), store, encoder)
    assert set(encoder.encoded) == {"药厂有几个"}
    assert report.reused == 3
    assert [[x.text for x in row.expansions] for row in load(store).rows] == [["药厂有几个"]] * 2
    encoder.encoded.clear()
    build_index(Library(folder), store, encoder)
    assert encoder.encoded == []


def test_an_encoder_without_words_reads_each_passage_whole(store, make_folder, bundled):
    encoder = CountingEncoder(bundled)
    del encoder.units
    report = build_index(Library(make_folder({"a.txt": TEXT})), store, encoder)
    assert report.embedded == len(load(store).rows) == 2
    assert load(store).plain.words is None
    assert all("标题0" in text for text in encoder.encoded)


def test_what_is_wrong_with_expansions_is_said_and_costs_no_passage(store, make_folder, bundled):
    folder = make_folder({"a.txt": TEXT, "b.txt": "嘉定区聚焦汽车。"})
    enrich(folder, "a", "药厂有几个")
    path = expansions_path(folder, "a")
    path.write_bytes(path.read_bytes() + b'{"half')
    make_folder({"a.txt": TEXT.replace("449", "450"), "b.txt": "嘉定区聚焦汽车。"})
    report = build_index(Library(folder), store, bundled)
    assert [x.status for x in report.documents] == ["ok", "ok"]
    assert report.complete
    assert "a.expansions.jsonl" in report.documents[0].message
    assert "第 3 行读不了" in report.documents[0].message
    assert "1 段的原文已变" in report.documents[0].message
    assert report.documents[1].message == ""
    assert load(store).has_expansions.tolist() == [False, True, False]


def test_expansions_that_cannot_be_read_cost_no_passage(store, make_folder, bundled):
    folder = make_folder({"a.txt": TEXT})
    expansions_path(folder, "a").mkdir()
    report = build_index(Library(folder), store, bundled)
    assert "读不了" in report.documents[0].message
    assert not load(store).has_expansions.any()


def test_a_document_that_is_kept_keeps_its_expansions(store, make_folder, bundled):
    folder = make_folder({"a.txt": TEXT})
    enrich(folder, "a", "药厂有几个")
    build_index(Library(folder), store, bundled)
    (folder / "a.txt").unlink()
    make_folder({"b.txt": "嘉定区聚焦汽车。"})
    (folder / "reports.toml").write_text(
        (folder / "reports.toml").read_text(encoding="utf-8")
        + '\n[[document]]\nid = "a"\nfile = "a.txt"\ntitle = "标题0"\nyear = 2020\nseries = "系列"\nkind = "报告"\n',
        encoding="utf-8",
    )
    report = build_index(Library(folder), store, bundled)
    assert [(x.id, x.status) for x in report.documents] == [("b", "ok"), ("a", "kept")]
    assert load(store).has_expansions.tolist() == [False, True, True]


def test_reused_vectors_are_the_same_as_new_ones(store, make_folder, bundled, tmp_path):
    folder = make_folder({"a.txt": TEXT})
    build_index(Library(folder), store, bundled)
    make_folder({"b.txt": "嘉定区聚焦汽车。", "a.txt": TEXT})
    build_index(Library(folder), store, bundled)
    fresh = GenerationStore(tmp_path / "fresh")
    build_index(Library(folder), fresh, bundled)
    for query in ("生物医药企业", "汽车"):
        assert HybridRetriever(load(store), bundled).search(query) == HybridRetriever(load(fresh), bundled).search(
            query
        )


def test_building_twice_gives_the_same_bytes(store, make_folder, bundled):
    folder = make_folder({"a.txt": TEXT})
    build_index(Library(folder), store, bundled)
    first = store.open()[0]
    build_index(Library(folder), store, bundled)
    assert store.open()[0].files == first.files


def test_a_document_that_cannot_be_read_keeps_its_last_version(store, make_folder, bundled):
    folder = make_folder({"a.txt": TEXT, "b.txt": "嘉定区聚焦汽车。"})
    build_index(Library(folder), store, bundled)
    (folder / "a.txt").write_bytes(b"\x80\x81\x82\x83")
    report = build_index(Library(folder), store, bundled)
    assert [(x.id, x.status, x.code) for x in report.documents] == [("a", "kept", "decode_error"), ("b", "ok", "")]
    assert not report.complete
    hits = HybridRetriever(load(store), bundled).search("生物医药企业449家")
    assert hits[0].passage.document_id == "a"


def test_a_document_that_never_could_be_read_is_named_and_the_others_are_indexed(store, make_folder, bundled):
    report = build_index(Library(make_folder({"a.txt": b"", "b.txt": "嘉定区聚焦汽车。"})), store, bundled)
    assert [(x.status, x.code) for x in report.documents] == [("failed", "empty"), ("ok", "")]
    assert list(load(store).documents) == ["b"]


def test_nothing_to_index_is_an_error_and_loses_nothing(store, make_folder, bundled):
    folder = make_folder({"a.txt": TEXT})
    build_index(Library(folder), store, bundled)
    (folder / "reports.toml").write_text("", encoding="utf-8")
    with pytest.raises(IndexProblem, match="没有一份可用的报告") as error:
        build_index(Library(folder), store, bundled)
    assert error.value.code == "no_documents"
    assert list(load(store).documents) == ["a"]


def test_removed_documents_leave_the_index(store, make_folder, bundled):
    folder = make_folder({"a.txt": TEXT, "b.txt": "嘉定区聚焦汽车。"})
    build_index(Library(folder), store, bundled)
    make_folder({"b.txt": "嘉定区聚焦汽车。"})
    build_index(Library(folder), store, bundled)
    assert list(load(store).documents) == ["b"]


def test_parts_that_do_not_fit_are_damage(store, make_folder, bundled):
    build_index(Library(make_folder({"a.txt": TEXT})), store, bundled)
    generation = store.open()[0]
    lines = generation.files["000/passages.jsonl"].splitlines(keepends=True)
    files = {**generation.files, "000/passages.jsonl": b"".join(lines[:-1])}
    with store.writer():
        store.publish(files, {"encoder": {}})
    with pytest.raises(IndexProblem, match="数目不符"):
        load(store)


def test_progress_counts_the_bytes_of_the_files_then_what_is_written_and_reaches_both_ends(store, make_folder, bundled):
    seen: dict[str, list[tuple[int, int]]] = {"reading": [], "writing": []}

    def progress(done: int, total: int, stage: str = "reading") -> None:
        seen[stage].append((done, total))
        assert stage == "writing" or not seen["writing"]

    other = "嘉定区聚焦汽车。"
    folder = make_folder({"a.txt": TEXT, "b.txt": other})
    build_index(Library(folder), store, bundled, progress)
    size = len((TEXT + other).encode("utf-8"))
    for stage, end in (("reading", size), ("writing", 2)):
        assert seen[stage][-1] == (end, end)
        assert all(0 <= done <= end == total for done, total in seen[stage])
        assert [done for done, _ in seen[stage]] == sorted(done for done, _ in seen[stage])


def test_a_damaged_current_generation_does_not_cost_the_last_copy_of_a_document(store, make_folder, bundled):
    folder = make_folder({"a.txt": TEXT, "b.txt": "嘉定区聚焦汽车。"})
    build_index(Library(folder), store, bundled)
    build_index(Library(folder), store, bundled)
    damaged = store.folder / "gen-000002" / "000" / "passages.jsonl"
    assert damaged.exists()
    damaged.write_bytes(b"x")
    (folder / "a.txt").unlink()
    report = build_index(Library(folder), store, bundled)
    assert [(x.id, x.status) for x in report.documents] == [("a", "kept"), ("b", "ok")]
    assert store.names() == ["gen-000001", "gen-000003"]
    assert HybridRetriever(load(store), bundled).search("生物医药企业449家")[0].passage.document_id == "a"


def test_an_index_of_sound_files_with_senseless_content_can_be_rebuilt(store, make_folder, bundled):
    library = Library(make_folder({"a.txt": TEXT}))
    build_index(library, store, bundled)
    files = dict(store.open()[0].files)
    for name in (
        "000/plain/dense/vectors.npy",
        "000/expanded/dense/starts.npy",
        "000/plain/dense/keys.bin",
        "000/passages.jsonl",
        "000/parts.jsonl",
        "000/documents.jsonl",
        "000/texts.bin",
        "000/shares.json",
        "000/lines.npy",
        "000/sums.npy",
        "000/bounds.npy",
        "names.json",
        "000/plain/lexical/words.keys.npy",
        "000/expanded/words/terms.npy",
    ):
        assert name in files
        with store.writer():
            store.publish({**files, name: b"junk"}, {"encoder": {}})
        with pytest.raises(IndexProblem, match=r"不完整|数目不符"):
            load(store)
        build_index(library, store, bundled)
        assert load(store)


def test_a_full_disk_is_said_before_a_report_is_read(store, make_folder, bundled, monkeypatch):
    folder = make_folder({"a.txt": TEXT})
    usage = shutil.disk_usage(folder)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage._replace(free=1 << 20))
    monkeypatch.setattr(Library, "read", None)
    with pytest.raises(IndexProblem, match="需要 65 MiB，只剩 1 MiB") as error:
        build_index(Library(folder), store, bundled)
    assert error.value.code == "insufficient_storage"
    assert store.names() == []

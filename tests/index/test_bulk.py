"""Vectors that were made elsewhere: what is to be embedded, the files, and an index that embeds nothing again."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from corpus.library import Library, shipped_folder
from index.build import build_index
from index.bulk import library_texts, read_vectors, vectors_path, write_vectors
from index.encoders import SentenceTransformerEncoder
from index.generations import GenerationStore
from index.storage import IndexProblem


@pytest.fixture(scope="module")
def transformer(tiny_model) -> SentenceTransformerEncoder:
    return SentenceTransformerEncoder(str(tiny_model))


def embed(library, encoder, folder, in_pieces):
    """What the workers of a recipe do."""
    folder.mkdir(exist_ok=True)
    for texts in library_texts(library, {entry.id for entry in library}, in_pieces):
        write_vectors(vectors_path(folder, texts), texts, encoder.encode_passages(texts), encoder)


@pytest.mark.parametrize("kind", ["bundled", "transformer"])
def test_what_was_embedded_elsewhere_is_not_embedded_again(request, make_folder, tmp_path, kind):
    encoder = request.getfixturevalue(kind)
    texts = {
        "a.txt": "一、宝山区\n\n宝山区有生物医药企业449家。先投后股。\n\n二、目标\n\n到2030年产值达到200亿元。\n",
        "b.txt": "嘉定区聚焦汽车新四化，打造世界级汽车产业中心。\n",
    }
    library = Library(make_folder(texts))
    embed(library, encoder, tmp_path / "vectors", kind == "bundled")
    assert len(list((tmp_path / "vectors").iterdir())) == 2
    known = read_vectors(tmp_path / "vectors", encoder)
    report = build_index(library, GenerationStore(tmp_path / "index"), encoder, vectors=known)
    assert report.embedded == 0
    assert report.reused == sum(len(table.keys) for table in known) > 2


def test_the_recipe_for_ray_makes_what_a_build_takes(bundled, make_folder, tmp_path, monkeypatch):
    """Its worker, as Ray would call it; Ray itself is no part of the tests."""
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    path = Path(__file__).parents[2] / "docs" / "recipes" / "embed_with_ray.py"
    recipe = runpy.run_path(str(path), run_name="recipe")
    folder = make_folder({"a.txt": "一、宝山区\n\n宝山区有企业449家。\n", "b.txt": "嘉定区聚焦汽车新四化。\n"})
    vectors = tmp_path / "vectors"
    vectors.mkdir()
    worker = recipe["Embed"](str(folder), None, "bundled", str(vectors))
    counts = [worker({"id": np.array([x])}) for x in ("a", "b", "b")]
    assert [(int(x["made"][0]), int(x["known"][0])) for x in counts] == [(1, 0), (1, 0), (0, 1)]
    store = GenerationStore(tmp_path / "index")
    report = build_index(Library(folder), store, bundled, vectors=read_vectors(vectors, bundled))
    assert (report.embedded, report.reused) == (0, 2)


def test_expansions_are_among_what_is_embedded(bundled):
    library = Library(shipped_folder())
    first = next(iter(library))
    (texts,) = library_texts(library, {first.id}, True)
    document = library.read(first)
    from index.build import document_part

    passages = document_part(document)[1]
    asked = {x.text for group in library.expansions(first, passages)[0] for x in group}
    assert len(asked) > 100
    assert asked <= set(texts)


def test_an_index_of_given_vectors_is_the_one_that_a_build_makes(bundled, make_folder, tmp_path):
    library = Library(make_folder({"a.txt": "一、宝山区\n\n宝山区有生物医药企业449家。先投后股。\n"}))
    embed(library, bundled, tmp_path / "vectors", True)
    stores = [GenerationStore(tmp_path / name) for name in ("given", "made")]
    build_index(library, stores[0], bundled, vectors=read_vectors(tmp_path / "vectors", bundled))
    build_index(library, stores[1], bundled)
    given, made = ({name: bytes(x) for name, x in s.newest_sound()[0].files.items()} for s in stores)
    assert given.keys() == made.keys()
    assert [name for name in given if given[name] != made[name]] == []


def test_the_same_texts_are_the_same_file(tmp_path):
    assert vectors_path(tmp_path, ["甲", "乙"]) == vectors_path(tmp_path, ["甲", "乙"])
    assert vectors_path(tmp_path, ["甲", "乙"]) != vectors_path(tmp_path, ["乙", "甲"])


def test_vectors_of_another_encoder_are_refused(bundled, transformer, tmp_path):
    write_vectors(tmp_path / "x.safetensors", ["甲"], transformer.encode_passages(["甲"]), transformer)
    with pytest.raises(IndexProblem, match=r"由 .* 算出，现在的编码器是 bundled") as refused:
        read_vectors(tmp_path, bundled)
    assert refused.value.code == "vectors_unusable"


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 3.0])
def test_vectors_that_are_no_unit_vectors_are_refused(bundled, tmp_path, wrong):
    vectors = bundled.encode_passages(["甲", "宝山区"])
    write_vectors(tmp_path / "x.safetensors", ["甲", "宝山区"], vectors, bundled)
    assert len(read_vectors(tmp_path, bundled)[0].keys) == 2
    vectors[1, 0] = wrong
    write_vectors(tmp_path / "x.safetensors", ["甲", "宝山区"], vectors, bundled)
    with pytest.raises(IndexProblem, match="长度不是 1"):
        read_vectors(tmp_path / "x.safetensors", bundled)


def test_vectors_of_another_dimension_are_refused(bundled, tmp_path):
    write_vectors(tmp_path / "x.safetensors", ["甲"], np.eye(1, 8, dtype=np.float32), bundled)
    with pytest.raises(IndexProblem, match="不是 256 维"):
        read_vectors(tmp_path, bundled)


@pytest.mark.parametrize("left", [0, 7, 30, 200, -1])
def test_a_file_that_was_cut_is_refused(bundled, tmp_path, left):
    path = tmp_path / "x.safetensors"
    write_vectors(path, ["甲"], bundled.encode_passages(["甲"]), bundled)
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(IndexProblem, match="不是完整的向量文件"):
        read_vectors(path, bundled)


def test_a_folder_without_vectors_and_a_missing_file_are_refused(bundled, tmp_path):
    with pytest.raises(IndexProblem, match=r"没有 \.safetensors 文件"):
        read_vectors(tmp_path, bundled)
    with pytest.raises(IndexProblem, match="没有这个文件"):
        read_vectors(tmp_path / "x.safetensors", bundled)


def test_the_command_takes_them_and_says_what_is_wrong(kewen, bundled, make_folder, tmp_path):
    folder = make_folder({"a.txt": "一、宝山区\n\n宝山区有生物医药企业449家。\n"})
    embed(Library(folder), bundled, tmp_path / "vectors", True)
    where = ("--home", str(tmp_path / "h"), "--reports", str(folder))
    code, out, _ = kewen("index", "build", "--vectors", str(tmp_path / "vectors"), *where)
    assert code == 0
    assert "新编码 0 条" in out
    code, _, err = kewen("index", "build", "--vectors", str(tmp_path / "nowhere"), *where)
    assert code == 2
    assert "nowhere 不可用：没有这个文件。索引没有改动。" in err

"""The bundled encoder: sound files, what other libraries read in them, and both languages in one space."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

import index
from index.encoders import (
    BundledEncoder,
    EncoderUnavailable,
    SentenceTransformerEncoder,
    damaged_files,
    load_encoder,
    prompts_of,
)

FOLDER = Path(index.__file__).parent / "bundled"


def test_files_are_those_that_were_made():
    assert damaged_files(FOLDER) == []
    listed = json.loads((FOLDER / "files.json").read_text(encoding="utf-8"))
    assert {"model.safetensors", "tokenizer.json"} <= listed.keys()
    assert all(hashlib.sha256((FOLDER / x).read_bytes()).hexdigest() == y for x, y in listed.items())


def test_it_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 40_000_000


def test_the_files_are_of_the_format_that_the_code_reads(bundled):
    from index.interaction import THRESHOLD

    config = json.loads((FOLDER / "config.json").read_text(encoding="utf-8"))
    assert (config["dim"], config["threshold"]) == (bundled.dim, THRESHOLD)


def test_other_libraries_read_the_same_words_and_vectors(bundled):
    """Chinese words by `tokenizers`, vectors by `safetensors`: the average from its definition."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    tensors, tokenizer = load_file(FOLDER / "model.safetensors"), Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    assert len(tensors["embeddings"]) == len(tensors["scales"]) == len(tensors["weights"]) == bundled.size
    assert tokenizer.get_vocab_size() == bundled.size
    for text in ("先投后股", "大零号湾科技创新策源功能区建设", "宝山区有多少家生物医药企业"):
        ids = sorted({i for i in tokenizer.encode(text, add_special_tokens=False).ids if i})
        rows = tensors["embeddings"][ids].astype(np.float64) * tensors["scales"][ids, None]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        mean = tensors["weights"][ids] @ rows
        assert bundled.units([text])[0].tolist() == ids
        assert bundled.unit_vectors(np.array(ids)) == pytest.approx(rows, abs=1e-5)
        assert bundled.encode_passages([text])[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)


def test_numbers_and_names_that_it_lacks_match_themselves_alone(bundled):
    texts = ["8675309", "1234567", "qqzzxx", "wwyyvv"]
    units = [int(u) for (u,) in bundled.units(texts)]
    assert len(set(units)) == 4
    assert all(unit >= bundled.size for unit in units)
    assert [(unit - bundled.size) % 2 for unit in units] == [0, 0, 1, 1]
    cosines = bundled.unit_vectors(np.array(units)) @ bundled.unit_vectors(np.array(units)).T
    assert np.diag(cosines) == pytest.approx(np.ones(4), abs=1e-5)
    assert (cosines - np.eye(4)).max() < 0.9


@pytest.mark.parametrize(
    ("a", "b"), [("robots", "robot"), ("companies", "company"), ("Funded", "fund"), ("training", "train")]
)
def test_inflected_english_words_are_known(bundled, a, b):
    for word in (a, b):
        (unit,) = bundled.units([word])[0]
        assert unit < bundled.size
    assert float(np.multiply(*bundled.encode_queries([a, b])).sum()) > 0.5


def test_a_name_of_letters_and_digits_falls_into_its_parts(bundled):
    parts = set(bundled.units(["qqzzxx"])[0]) | set(bundled.units(["8675309"])[0])
    assert set(bundled.units(["qqzzxx-8675309"])[0]) == parts


def test_traditional_and_width_are_one(bundled):
    a, b = bundled.encode_queries(["寶山區生物醫藥企業Ｇ６０", "宝山区生物医药企业G60"])
    assert float(a @ b) > 0.9999


@pytest.mark.parametrize(
    ("question", "answer", "other"),
    [
        ("intellectual property", "知识产权", "邮轮旅游"),
        ("medical devices and hospitals", "高端医疗器械，医院", "超导材料、特种合金"),
        ("carbon emissions", "实时监测碳排放", "培养青年人才"),
        ("智能汽车", "自动驾驶车辆", "细胞治疗"),
    ],
)
def test_meaning_is_nearer_than_something_else(bundled, question, answer, other):
    q, a, o = bundled.encode_queries([question, answer, other])
    assert float(q @ a) > float(q @ o) + 0.1


def test_every_domain_word_has_a_vector(bundled):
    from index.segment import domain_words

    words = domain_words()
    vectors = bundled.encode_queries(words)
    assert [word for word, vector in zip(words, vectors, strict=True) if not vector.any()] == []


def test_the_card_gives_the_numbers_of_these_files():
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for needed in ("python -m index.training --data", "CC BY-SA 4.0", "CC-CEDICT", "T4"):
        assert needed in card
    size = (FOLDER / "model.safetensors").stat().st_size / 1e6
    assert f"{size:.1f} MB" in card
    rows = dict(re.findall(r"\| (T\d):[^|]*\|[^|]*\| ([\d. /]+) \|", card))  # late interaction alone
    reached = {name: [float(x) for x in cell.split(" / ")] for name, cell in rows.items()}
    # What the encoder has to reach by itself: near BM25 in one language, far above it across two.
    wanted = {"T1": (0.90, 0.98), "T2": (0.80, 0.95), "T3": (0.90, 0.98), "T4": (0.70, 0.94)}
    for name, (first, tenth) in wanted.items():
        assert reached[name][0] >= first
        assert reached[name][1] >= tenth


def test_a_damaged_encoder_says_so(tmp_path):
    (tmp_path / "files.json").write_text("{}", encoding="utf-8")
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EncoderUnavailable, match="不完整"):
        BundledEncoder(tmp_path)


@pytest.mark.parametrize(
    ("name", "configured", "prompts"),
    [
        ("intfloat/multilingual-e5-small", {}, ("query: ", "passage: ")),
        ("/models/multilingual-e5-base", {}, ("query: ", "passage: ")),
        (
            "intfloat/multilingual-e5-large-instruct",
            {},
            ("Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: ", ""),
        ),
        ("BAAI/bge-m3", {}, ("", "")),
        ("BAAI/bge-small-zh-v1.5", {}, ("为这个句子生成表示以用于检索相关文章：", "")),
        ("BAAI/bge-base-en-v1.5", {}, ("Represent this sentence for searching relevant passages: ", "")),
        ("Qwen/Qwen3-Embedding-0.6B", {"query": "Instruct: x\nQuery:", "document": ""}, ("Instruct: x\nQuery:", "")),
        (
            "Qwen/Qwen3-Embedding-0.6B",
            {},
            ("Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:", ""),
        ),
        ("sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", {"query": "", "document": ""}, ("", "")),
        ("my/model", {"query": "q: ", "passage": "p: "}, ("q: ", "p: ")),
    ],
)
def test_prompts_of_well_known_families(name, configured, prompts):
    assert prompts_of(name, configured) == prompts


def test_prompts_reach_the_model(tiny_model, tmp_path):
    folder = tmp_path / "multilingual-e5-tiny"
    shutil.copytree(tiny_model, folder)
    encoder = SentenceTransformerEncoder(str(folder))
    plain = SentenceTransformerEncoder(str(tiny_model))
    assert np.allclose(encoder.encode_queries(["宝山"]), plain.encode_queries(["query: 宝山"]), atol=1e-5)
    assert np.allclose(encoder.encode_passages(["宝山"]), plain.encode_passages(["passage: 宝山"]), atol=1e-5)
    assert not np.allclose(encoder.encode_queries(["宝山"]), plain.encode_queries(["宝山"]), atol=1e-3)
    assert encoder.fingerprint != plain.fingerprint


def test_the_library_that_a_model_needs_is_named(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(EncoderUnavailable, match=r"kewen\[transformers\]"):
        load_encoder("BAAI/bge-m3")

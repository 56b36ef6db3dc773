"""The contract of `index.types.Encoder`, over the bundled encoder and a real sentence-transformers model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index.encoders import BundledEncoder, SentenceTransformerEncoder
from index.types import Encoder

TEXTS = [
    "宝山区有多少家生物医药企业？",
    "which park works on medical robots?",
    "先投后股",
    "2026 年 449 家 4.69%",
    "寶山區生物醫藥",
    "宝山区有多少家生物医药企业？",
    "很长的一段话。" * 300,
]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model with a tiny random transformer, made here."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("tiny")
    vocabulary = [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
        *"宝山区有多少家生物医药企业先投后股很长的一段话",
        *"abcdefghijklmnopqrstuvwxyz0123456789",
    ]
    (folder / "vocab.txt").write_text("\n".join(dict.fromkeys(vocabulary)), encoding="utf-8")
    tokenizer = BertTokenizerFast(vocab_file=str(folder / "vocab.txt"))
    size = len(dict.fromkeys(vocabulary))
    config = BertConfig(
        vocab_size=size, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    tokenizer.save_pretrained(folder / "bert")
    BertModel(config).save_pretrained(folder / "bert")
    word = Transformer(str(folder / "bert"), max_seq_length=64)
    SentenceTransformer(modules=[word, Pooling(word.get_embedding_dimension())]).save(str(folder / "model"))
    return folder / "model"


@pytest.fixture(scope="session", params=["bundled", "sentence-transformers"])
def encoder(request: pytest.FixtureRequest, bundled: BundledEncoder) -> Encoder:
    if request.param == "bundled":
        return bundled
    return SentenceTransformerEncoder(str(request.getfixturevalue("tiny_model")))


@pytest.mark.parametrize("method", ["encode_queries", "encode_passages"])
def test_shape_type_and_length(encoder, method):
    vectors = getattr(encoder, method)(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), encoder.dim)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("method", ["encode_queries", "encode_passages"])
def test_a_text_has_one_vector_whatever_its_company(encoder, method):
    encode = getattr(encoder, method)
    together = encode(TEXTS)
    assert np.allclose(together[0], together[5], atol=1e-5)
    for text, vector in zip(TEXTS, together, strict=True):
        assert np.allclose(encode([text])[0], vector, atol=1e-5)


def test_different_texts_have_different_vectors(encoder):
    a, b = encoder.encode_passages(["宝山区有多少家企业", "先投后股"])
    assert float(a @ b) < 0.999


def test_no_text_and_no_meaning(encoder):
    assert encoder.encode_queries([]).shape == (0, encoder.dim)
    (vector,) = encoder.encode_queries([""])
    assert np.isfinite(vector).all()
    assert np.isclose(np.linalg.norm(vector), 1, atol=1e-5) or not vector.any()


def test_fingerprint_is_of_the_model(encoder):
    again = BundledEncoder() if isinstance(encoder, BundledEncoder) else SentenceTransformerEncoder(encoder.name)
    assert again.fingerprint == encoder.fingerprint
    assert len(encoder.fingerprint) == 64

"""The contracts of `index.types.Encoder` and `LateInteraction`: the bundled encoder, a real sentence-transformers model."""

from __future__ import annotations

import numpy as np
import pytest

from index.encoders import BundledEncoder, SentenceTransformerEncoder
from index.types import Encoder, LateInteraction

TEXTS = [
    "宝山区有多少家生物医药企业？",
    "which park works on medical robots?",
    "先投后股",
    "2026 年 449 家 4.69%",
    "寶山區生物醫藥",
    "宝山区有多少家生物医药企业？",
    "很长的一段话。" * 300,
]


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


def test_only_the_bundled_encoder_offers_words(encoder):
    assert isinstance(encoder, LateInteraction) is isinstance(encoder, BundledEncoder)


def test_words_of_a_text_are_distinct_and_its_own(bundled):
    together = bundled.units([*TEXTS, ""])
    assert together[0].tolist() == together[5].tolist()
    assert together[-1].shape == (0,)
    for text, units in zip(TEXTS, together, strict=False):
        assert units.dtype == np.int64
        assert units.size
        assert (np.diff(units) > 0).all()
        assert (bundled.units([text])[0] == units).all()
    assert bundled.units([]) == []


def test_words_have_unit_vectors_and_positive_weights(bundled):
    units = np.unique(np.concatenate(bundled.units(TEXTS)))
    vectors, weights = bundled.unit_vectors(units), bundled.unit_weights(units)
    assert (vectors.dtype, vectors.shape) == (np.float32, (len(units), bundled.dim))
    assert (weights.dtype, weights.shape) == (np.float32, (len(units),))
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert (weights > 0).all()
    assert np.allclose(bundled.unit_vectors(units[3:5]), vectors[3:5], atol=1e-6)
    assert bundled.unit_vectors(units[:0]).shape == (0, bundled.dim)
    assert bundled.unit_weights(units[:0]).shape == (0,)

"""Transformers: the precision for the processor and the accelerator, what tells them apart, and too little memory."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from index import quantised
from index.encoders import EncoderUnavailable, SentenceTransformerEncoder
from index.quantised import choose, offered

VNNI, AVX512, AVX2, ARM = (
    f"onnx/model_{x}.onnx" for x in ("qint8_avx512_vnni", "qint8_avx512", "quint8_avx2", "qint8_arm64")
)
OPENVINO = "openvino/openvino_model_qint8_quantized.xml"
XEON = {"architecture": "x86_64", "avx2": True, "avx512_f": True, "avx512_vnni": True}
TEXTS = ["宝山区有多少家生物医药企业", "先投后股", "which park", "很长的一段话" * 40]


@pytest.fixture
def engines(monkeypatch):
    """The engines that are said to be installed."""
    installed = {"optimum.onnxruntime", "optimum.intel"}
    monkeypatch.setattr(quantised, "_installed", installed.__contains__)
    return installed


@pytest.mark.parametrize(
    ("has", "files", "file"),
    [
        (XEON, [VNNI, AVX512, AVX2, ARM], VNNI),
        (XEON, [AVX2, "onnx/model.onnx"], AVX2),
        (XEON, [VNNI, OPENVINO], OPENVINO),
        ({"architecture": "x86_64", "avx2": True, "avx512_f": True}, [VNNI, AVX512, AVX2], AVX512),
        ({"architecture": "x86_64", "avx2": True}, [VNNI, AVX512, AVX2], AVX2),
        ({"architecture": "x86_64", "avx2": True}, [VNNI], None),
        ({"architecture": "x86_64"}, [VNNI, AVX512, AVX2, ARM, OPENVINO], None),
        ({"architecture": "aarch64"}, [AVX2, ARM], ARM),
        (XEON, ["onnx/model.onnx", "openvino/openvino_model.xml"], None),
    ],
)
def test_the_file_is_the_best_that_the_processor_runs(engines, has, files, file):
    chosen = choose(files, has)
    assert (chosen and chosen.file) == file


def test_a_file_without_its_engine_is_left_aside(engines):
    engines.discard("optimum.intel")
    assert choose([OPENVINO, VNNI], XEON).file == VNNI
    engines.clear()
    assert choose([OPENVINO, VNNI], XEON) is None
    assert offered([OPENVINO])
    assert not offered(["onnx/model.onnx"])


def test_an_engine_whose_parent_is_missing_is_not_installed():
    assert not quantised._installed("no_such_package.engine")
    assert quantised._installed("json.decoder")


class Library:
    """Stands for the library's constructor: always the float model, and remembers how it was asked."""

    def __init__(self, real: Any) -> None:
        self.real, self.calls, self.broken = real, [], False

    def __call__(self, source: str, **options: Any) -> Any:
        self.calls.append((source, options))
        if self.broken and "backend" in options:
            raise ValueError("no such graph")
        return self.real(source, device="cpu", local_files_only=True)


@pytest.fixture
def library(monkeypatch):
    import sentence_transformers

    made = Library(sentence_transformers.SentenceTransformer)
    monkeypatch.setattr(sentence_transformers, "SentenceTransformer", made)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: XEON)
    monkeypatch.setattr("sentence_transformers.util.get_device_name", lambda: "cpu")
    return made


@pytest.fixture
def both(tiny_model: Path, tmp_path: Path) -> Path:
    """A model's folder that has eight-bit files too."""
    folder = tmp_path / "both"
    shutil.copytree(tiny_model, folder)
    for name, content in ((VNNI, b"graph"), (OPENVINO, b"<net/>"), (OPENVINO.replace(".xml", ".bin"), b"weights")):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_eight_bit_weights_are_taken_by_themselves_on_a_processor(library, engines, both):
    encoder = SentenceTransformerEncoder(str(both))
    ((source, options),) = library.calls
    assert (source, options["backend"], options["device"]) == (str(both), "openvino", "cpu")
    assert options["model_kwargs"]["file_name"] == OPENVINO
    assert options["model_kwargs"]["export"] is False
    assert options["model_kwargs"]["ov_config"] == {"INFERENCE_PRECISION_HINT": "f32"}
    assert encoder.name == f"{both}@int8"


def test_onnx_runtime_is_given_one_text_at_a_time(library, engines, both, monkeypatch):
    """It quantises by the range of all that it is given, so that a text would have another vector in other company."""
    engines.discard("optimum.intel")
    encoder = SentenceTransformerEncoder(str(both))
    assert library.calls[-1][1]["model_kwargs"]["provider"] == "CPUExecutionProvider"
    encode, passes = encoder._model.encode, []
    monkeypatch.setattr(encoder._model, "encode", lambda *x, **y: passes.append(y["batch_size"]) or encode(*x, **y))
    encoder.encode_passages(TEXTS)
    assert passes == [1] * len(TEXTS)


def test_a_name_asks_for_a_precision(library, engines, both):
    encoder = SentenceTransformerEncoder(f"{both}@float")
    assert [options for _, options in library.calls] == [{"local_files_only": True}]
    assert encoder.name == f"{both}@float"
    engines.clear()
    assert SentenceTransformerEncoder(str(both)).name == f"{both}@float"
    with pytest.raises(EncoderUnavailable, match=r"int8 .*kewen\[onnx\]"):
        SentenceTransformerEncoder(f"{both}@int8")


def test_a_model_without_eight_bit_files_keeps_its_name(library, engines, tiny_model):
    assert SentenceTransformerEncoder(str(tiny_model)).name == str(tiny_model)
    with pytest.raises(EncoderUnavailable, match="int8"):
        SentenceTransformerEncoder(f"{tiny_model}@int8")


def test_an_accelerator_runs_the_float_weights(library, engines, both, monkeypatch):
    monkeypatch.setattr("sentence_transformers.util.get_device_name", lambda: "cuda:0")
    assert SentenceTransformerEncoder(str(both)).name == f"{both}@float"


def test_the_fingerprint_tells_the_weights_apart(library, engines, both):
    whole = SentenceTransformerEncoder(f"{both}@float").fingerprint
    assert whole == SentenceTransformerEncoder(str(both) + "@float").fingerprint
    seen = {whole, SentenceTransformerEncoder(str(both)).fingerprint}
    (both / OPENVINO.replace(".xml", ".bin")).write_bytes(b"other weights")
    seen.add(SentenceTransformerEncoder(str(both)).fingerprint)
    engines.discard("optimum.intel")
    seen.add(SentenceTransformerEncoder(str(both)).fingerprint)
    assert len(seen) == 4


def test_weights_that_do_not_load_are_left_with_a_line(library, engines, both, caplog):
    library.broken = True
    assert SentenceTransformerEncoder(str(both)).name == f"{both}@float"
    assert "改用浮点权重" in caplog.text
    with pytest.raises(EncoderUnavailable, match="载入不了"):
        SentenceTransformerEncoder(f"{both}@int8")


class Accelerated:
    """A model that says it is on an accelerator, which has room for `room` texts a pass."""

    def __init__(self, model: Any, room: int = 256, overflows: bool = False) -> None:
        self.model, self.room, self.overflows = model, room, overflows
        self.where, self.passes, self.halved = "cuda", [], False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    @property
    def device(self) -> torch.device:
        return torch.device(self.where)

    def half(self) -> None:
        self.halved = True

    def to(self, device: str) -> Any:
        self.where = device
        return self.model

    def encode(self, texts: list[str], **options: Any) -> Any:
        if self.where != "cpu" and len(texts) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        self.passes.append(len(texts))
        vectors = self.model.encode(texts, **options)
        if self.halved:
            vectors = vectors.astype(np.float16)
            return np.full_like(vectors, np.inf) if self.overflows else vectors
        return vectors


@pytest.fixture
def accelerated(monkeypatch, tiny_model):
    """Encoders whose models stand on an accelerator, and the models that they load, in order."""
    import sentence_transformers

    real = sentence_transformers.SentenceTransformer
    loaded: list[Accelerated] = []

    def encoder(**fields: Any) -> SentenceTransformerEncoder:
        def load(source: str, **_: Any) -> Accelerated:
            loaded.append(Accelerated(real(source, device="cpu"), **fields))
            return loaded[-1]

        monkeypatch.setattr(sentence_transformers, "SentenceTransformer", load)
        return SentenceTransformerEncoder(str(tiny_model))

    return encoder, loaded


def test_an_accelerator_computes_in_half_precision_under_the_same_fingerprint(accelerated, tiny_model):
    make, loaded = accelerated
    encoder = make()
    assert loaded[0].halved
    encoder.encode_passages(["先投后股"] * 600)
    assert loaded[0].passes[-3:] == [256, 256, 88]
    plain = [model.model for model in loaded]
    vectors = encoder.encode_passages(TEXTS)
    assert vectors.dtype == np.float32
    expected = plain[0].encode(TEXTS, normalize_embeddings=True)
    assert vectors == pytest.approx(expected, abs=2e-3)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(TEXTS)), abs=1e-5)


def test_a_model_that_half_precision_breaks_stays_whole(accelerated):
    make, loaded = accelerated
    encoder = make(overflows=True)
    assert [model.halved for model in loaded] == [True, False]
    assert np.isfinite(encoder.encode_queries(TEXTS)).all()


def test_too_little_memory_takes_fewer_texts_a_pass(accelerated, caplog):
    make, loaded = accelerated
    encoder = make(room=64)
    vectors = encoder.encode_passages(TEXTS * 50)
    assert loaded[0].where == "cuda"
    assert loaded[0].passes[-4:] == [64, 64, 64, 8]
    assert vectors[:4] == pytest.approx(vectors[-4:], abs=1e-6)
    assert caplog.text == ""


def test_an_accelerator_that_is_full_leaves_the_work_to_the_processor(accelerated, caplog):
    make, loaded = accelerated
    encoder = make(room=0)
    vectors = encoder.encode_passages(TEXTS * 3)
    assert loaded[0].where == "cpu"
    assert caplog.messages == ["加速卡的显存不够，改用处理器编码，会慢一些。"]
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(len(vectors)), abs=1e-5)


def test_other_failures_are_not_taken_for_too_little_memory(accelerated, monkeypatch):
    make, loaded = accelerated
    encoder = make()

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("device-side assert triggered")

    monkeypatch.setattr(loaded[0], "encode", broken)
    with pytest.raises(RuntimeError, match="assert"):
        encoder.encode_passages(TEXTS)


def test_batches_are_of_texts_of_like_length():
    """What a build hands to an encoder at a time: long texts together, short ones together, each row in its place."""
    from index.derive import Vectors

    class Remembering:
        name, dim, fingerprint = "x", 2, "0" * 64

        def __init__(self) -> None:
            self.batches: list[list[int]] = []

        def encode_passages(self, texts: Any) -> Any:
            self.batches.append([len(text) for text in texts])
            return np.array([[len(text), 1] for text in texts], dtype=np.float32)

    encoder = Remembering()
    texts = ["字" * (n * 37 % 601 + 1) for n in range(3000)]
    encode = lambda some: encoder.encode_passages([texts[n] for n in some])  # noqa: E731
    vectors, _ = Vectors(encoder, []).of(SimpleNamespace(texts=texts, encode=encode, together=1000))
    assert vectors[:, 0].tolist() == [len(text) for text in texts]
    assert len(encoder.batches) == 3
    assert all(min(longer) >= max(shorter) for longer, shorter in itertools.pairwise(encoder.batches))

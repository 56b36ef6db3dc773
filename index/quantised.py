"""Which of a model's own eight-bit files this processor can run, with the packages that are installed.

The names are those that sentence-transformers gives such files when it exports them, and under which models offer them:
https://sbert.net/docs/sentence_transformer/usage/efficiency.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal


@dataclass(frozen=True, slots=True)
class Quantised:
    """A file with eight-bit weights, as its path within the model's folder, and the engine that runs it."""

    engine: Literal["onnx", "openvino"]
    file: str

    @property
    def package(self) -> str:
        """What sentence-transformers runs it with."""
        return {"onnx": "optimum.onnxruntime", "openvino": "optimum.intel"}[self.engine]


_ARM = ("aarch64", "arm64")

_AVX512_VNNI = Quantised("onnx", "onnx/model_qint8_avx512_vnni.onnx")
_AVX512 = Quantised("onnx", "onnx/model_qint8_avx512.onnx")
_AVX2 = Quantised("onnx", "onnx/model_quint8_avx2.onnx")
_ARM64 = Quantised("onnx", "onnx/model_qint8_arm64.onnx")
_OPENVINO = Quantised("openvino", "openvino/openvino_model_qint8_quantized.xml")

# The best first. A file that was made for more than the processor has would run, but its sums of products overflow.
_FITS: tuple[tuple[Quantised, Callable[[Mapping[str, object]], object]], ...] = (
    (_OPENVINO, lambda has: has.get("avx2") or has.get("architecture") in _ARM),
    (_AVX512_VNNI, lambda has: has.get("avx512_vnni")),
    (_AVX512, lambda has: has.get("avx512_f")),
    (_AVX2, lambda has: has.get("avx2")),
    (_ARM64, lambda has: has.get("architecture") in _ARM),
)


def offered(files: Iterable[str]) -> bool:
    """Whether there is any such file among a model's `files`, paths within its folder."""
    names = set(files)
    return any(known.file in names for known, _ in _FITS)


def choose(files: Iterable[str], capabilities: Mapping[str, object]) -> Quantised | None:
    """The best of a model's `files` that fits here, or none.

    `capabilities` are those that `torch.cpu.get_capabilities()` tells: the architecture, and which instructions.
    """
    names = set(files)
    for known, fits in _FITS:
        if known.file in names and fits(capabilities) and _installed(known.package):
            return known
    return None


def _installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:  # not even what it is part of
        return False

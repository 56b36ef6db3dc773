"""Any sentence-transformers model: on the accelerator where there is one, else with eight-bit weights where it has them.

The library and torch are imported here and nowhere else, when an encoder is made.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from index.quantised import Quantised, choose, offered
from index.types import EncoderUnavailable, Floats
from index.vectors import unit_rows

_HUB_SECONDS = 5
_LOG = logging.getLogger("kewen")

# Texts a forward pass. A processor gains nothing from more; an accelerator has room for many.
_CPU_BATCH, _ACCELERATOR_BATCH, _LEAST_BATCH = 32, 256, 8

# What half precision must keep: texts of both languages, one longer than models read.
_PROBES = ("宝山区有多少家生物医药企业？", "which park works on medical robots?", "先投后股，2026年449家。" * 100)
_LEAST_COSINE = 0.999

_FLOAT, _INT8 = "@float", "@int8"

# Prompts of families whose models do not name them in their own configuration: query, passage.
_E5_TASK = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery: "
_PROMPTS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"e5-.*instruct", re.IGNORECASE), _E5_TASK, ""),
    (re.compile(r"(?:^|[/-])e5-", re.IGNORECASE), "query: ", "passage: "),
    (re.compile(r"bge-(?:small|base|large)-zh", re.IGNORECASE), "为这个句子生成表示以用于检索相关文章：", ""),
    (
        re.compile(r"bge-(?:small|base|large)-en", re.IGNORECASE),
        "Represent this sentence for searching relevant passages: ",
        "",
    ),
    (re.compile(r"qwen3-embedding", re.IGNORECASE), _E5_TASK.rstrip(" "), ""),
)


def prompts_of(name: str, configured: dict[str, str]) -> tuple[str, str]:
    """The query and the passage prompt of a model: those of its own configuration, else its family's."""
    query = configured.get("query") or ""
    passage = configured.get("passage") or configured.get("document") or ""
    if query or passage:
        return query, passage
    for pattern, family_query, family_passage in _PROMPTS:
        if pattern.search(name):
            return family_query, family_passage
    return "", ""


class SentenceTransformerEncoder:
    """Any sentence-transformers model, by name or path.

    On an accelerator it runs in half precision where that keeps the vectors (cosine 0.999), and on the processor when
    the accelerator's memory is not enough. On a processor it runs with eight-bit weights where the model's folder holds
    them for this processor and their engine is installed. A name that ends in `@float` or `@int8` asks for one of them;
    where a model offers both, `name` ends so whatever was asked for, and the fingerprints differ.

    In half precision and with OpenVINO's eight-bit weights one text's rows agree to some thousandths, whatever it is
    encoded together with, and not to 1e-5: both round what passes through them.
    """

    def __init__(self, name: str) -> None:
        base, asked = _parted(name)
        loaded = _load(base, asked)
        self._model, quantised = loaded.model, loaded.quantised
        self._query_prompt, self._passage_prompt = prompts_of(base, dict(self._model.prompts or {}))
        self.name = base + (_INT8 if quantised else _FLOAT) if loaded.offers_both or asked else base
        # ONNX Runtime scales by all that is given at once: a text alone and in company would have other vectors.
        self._batch = 1 if quantised and quantised.engine == "onnx" else _CPU_BATCH
        self.fingerprint = self._fingerprint(loaded)
        if not quantised:
            self._place(lambda: _load(base, _FLOAT).model)
        self.dim = int(self._encode([""], self._passage_prompt).shape[1])

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        """float32 `[len(texts), dim]`, as `Encoder` says."""
        return self._encode(texts, self._query_prompt)

    def encode_passages(self, texts: Sequence[str]) -> Floats:
        """float32 `[len(texts), dim]`, as `Encoder` says."""
        return self._encode(texts, self._passage_prompt)

    def _encode(self, texts: Sequence[str], prompt: str) -> Floats:
        """A batch is padded to its longest text: texts that are as long go together, by bytes, for a token is about three."""
        order = sorted(range(len(texts)), key=lambda n: -len(texts[n].encode("utf-8")))
        found: list[Floats] = []
        done = 0
        while done < len(order):
            some = [texts[n] for n in order[done : done + self._batch]]
            try:
                vectors = self._model.encode(
                    some, prompt=prompt, batch_size=len(some), convert_to_numpy=True, show_progress_bar=False
                )
            except RuntimeError as error:
                if self._model.device.type == "cpu" or not _is_out_of_memory(error):
                    raise
                self._take_less()
            else:
                found.append(np.asarray(vectors, dtype=np.float32))
                done += len(some)
        if not found:
            return np.zeros((0, self.dim), dtype=np.float32)
        together = np.concatenate(found)
        rows = np.empty_like(together)
        rows[order] = together
        return unit_rows(rows)

    def _take_less(self) -> None:
        """Fewer texts a pass; and where even few are too many, the processor from now on."""
        if self._batch > _LEAST_BATCH:
            self._batch //= 2
            return
        _LOG.warning("加速卡的显存不够，改用处理器编码，会慢一些。")
        self._batch = _CPU_BATCH
        self._model.to("cpu").float()

    def _place(self, anew: Callable[[], Any]) -> None:
        """Choose the precision and the batch for where the model is."""
        if self._model.device.type == "cpu":
            self._model.float()  # a processor computes in half precision slowly
            return
        self._batch = _ACCELERATOR_BATCH
        parameter = next(self._model.parameters(), None)
        if parameter is None or parameter.element_size() < 4:
            return  # saved in half precision
        whole = self._encode(_PROBES, "")
        self._model.half()
        with np.errstate(invalid="ignore"):  # what overflowed
            halved = self._encode(_PROBES, "")
        if not np.isfinite(halved).all() or float((whole * halved).sum(axis=1).min()) < _LEAST_COSINE:
            self._model = anew()

    def _fingerprint(self, loaded: _Loaded) -> str:
        """Of the weights themselves (a sample of every tensor), the prompts and the input limit: names lie.

        Half precision has that of the weights that it was made of. Eight-bit weights are in files of their own.
        """
        digest = hashlib.sha256(repr((self._query_prompt, self._passage_prompt, self._model.max_seq_length)).encode())
        for key, tensor in sorted(self._model.state_dict().items()):
            flat = tensor.detach().flatten()
            sample = flat[:: max(1, flat.numel() // 1024)].float().cpu().numpy()
            digest.update(repr((key, tuple(tensor.shape))).encode() + sample.tobytes())
        for path in loaded.weights():
            digest.update(repr(path.name).encode() + hashlib.sha256(path.read_bytes()).digest())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A model as the library has it, and the eight-bit file that it was loaded from, if any."""

    model: Any
    folder: Path | None
    quantised: Quantised | None
    offers_both: bool

    def weights(self) -> list[Path]:
        """The eight-bit file and what belongs to it: OpenVINO's weights, ONNX' external data."""
        if self.folder is None or self.quantised is None:
            return []
        file = self.folder / self.quantised.file
        return sorted(path for path in file.parent.iterdir() if path.name.startswith(file.stem + ".") or path == file)


def _parted(name: str) -> tuple[str, str]:
    """The name of the model, and the precision that it asks for, if any."""
    for asked in (_FLOAT, _INT8):
        if name.endswith(asked):
            return name.removesuffix(asked), asked
    return name, ""


def _is_out_of_memory(error: RuntimeError) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


def _load(base: str, asked: str) -> _Loaded:
    """The model `base` in the precision that is asked for, or the better one here.

    Raises:
        EncoderUnavailable: there is no such model here and it can't be fetched, its library is missing, or it has no
            eight-bit weights that would run here, where they are asked for.
    """
    library = _library(base)
    local = Path(base).expanduser()
    if base.startswith((".", "/", "~")) and not local.is_dir():
        raise EncoderUnavailable(f"没有模型文件夹 {base}。请检查路径，或改用随附的编码器：--encoder bundled")
    here = local if local.is_dir() else _cached(base)
    files = _files(here) if here else []
    quantised = None if asked == _FLOAT else _fitting(files)
    if asked == _INT8 and (quantised is None or here is None):
        raise EncoderUnavailable(
            f"模型 {base} 在本机没有可用的 int8 权重：模型文件夹中须有适合本机处理器的 onnx/ 或 openvino/ 文件，"
            '并已安装 "kewen[onnx]" 或 "kewen[openvino]"。'
        )
    both = offered(files)
    if here and quantised:
        try:
            return _Loaded(_open_quantised(library, here, quantised), here, quantised, both)
        except Exception as error:  # the engines raise many kinds
            if asked:
                raise EncoderUnavailable(f"载入不了 {base} 的 int8 权重（{type(error).__name__}）。") from error
            _LOG.warning("载入不了 %s 的 int8 权重（%s），改用浮点权重。", base, type(error).__name__)
    return _Loaded(_open_float(library, str(local) if local.is_dir() else base, base), here, None, both)


def _library(name: str) -> Any:  # noqa: ANN401 - the library has no types
    try:
        import sentence_transformers
    except ImportError as error:
        raise EncoderUnavailable(
            f'编码器 {name} 需要 sentence-transformers。请运行：python -m pip install "kewen[transformers]"'
        ) from error
    for library in ("huggingface_hub", "transformers", "sentence_transformers", "optimum"):
        logging.getLogger(library).setLevel(logging.CRITICAL)  # their retries are no message for a user
    return sentence_transformers


def _cached(name: str) -> Path | None:
    """Where the hub's client keeps what it has fetched of a model, if anything."""
    from huggingface_hub import try_to_load_from_cache

    for full in (name, f"sentence-transformers/{name}"):
        try:
            found = try_to_load_from_cache(full, "config.json")
        except ValueError:  # no name of a model
            continue
        if isinstance(found, str):
            return Path(found).parent
    return None


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.glob("*/*")]


def _fitting(files: Sequence[str]) -> Quantised | None:
    """The eight-bit file for this processor; none where there is an accelerator, which is faster with its own."""
    import torch
    from sentence_transformers.util import get_device_name

    return choose(files, torch.cpu.get_capabilities()) if get_device_name() == "cpu" else None


def _open_quantised(library: Any, folder: Path, quantised: Quantised) -> Any:  # noqa: ANN401
    options: dict[str, Any] = {"file_name": quantised.file, "export": False}
    if quantised.engine == "onnx":
        options["provider"] = "CPUExecutionProvider"
    else:
        # Processors with AMX would compute in bfloat16 by themselves, and then a text alone has another vector.
        options["ov_config"] = {"INFERENCE_PRECISION_HINT": "f32"}
    return library.SentenceTransformer(
        str(folder), backend=quantised.engine, device="cpu", model_kwargs=options, local_files_only=True
    )


def _open_float(library: Any, source: str, name: str) -> Any:  # noqa: ANN401
    try:
        return library.SentenceTransformer(source, local_files_only=True)  # what is here already needs no hub
    except Exception as error:  # the library raises many kinds, from OSError to its hub's own
        failure = error
    if not Path(source).is_dir() and _hub_answers():
        try:
            return library.SentenceTransformer(source)
        except Exception as error:
            failure = error
    raise EncoderUnavailable(
        f"载入不了模型 {name}：本机没有，也连不上模型站（{type(failure).__name__}）。"
        "请把模型文件夹拷到本机后写明路径，或改用随附的编码器：--encoder bundled"
    ) from failure


def _hub_answers() -> bool:
    """Whether the model hub can be reached at all: its own client would try for minutes."""
    if os.environ.get("HF_HUB_OFFLINE", "0").lower() in ("1", "true", "yes", "on"):
        return False
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True  # only the client knows the way
    address = urlsplit(os.environ.get("HF_ENDPOINT") or "https://huggingface.co")
    try:
        socket.create_connection((address.hostname or "", address.port or 443), timeout=_HUB_SECONDS).close()
    except OSError:
        return False
    return True

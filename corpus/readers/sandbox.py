"""Files that aren't ours are read in a process of their own, with bounds on time and memory.

A parser that hangs, crashes or is taken over ends with that process, and the file is refused by name.
"""

from __future__ import annotations

import json
import math
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import IO, Any

from corpus.readers.limits import MAX_BYTES, READING, RECOGNISING, Limits
from corpus.readers.types import STATUSES, ReadError, Reading, Step, reading_from, silent

_NAME_LENGTH = 200
_LONGEST_ANSWER = 512 << 20
_TIMES_UP = (signal.SIGKILL, getattr(signal, "SIGXCPU", signal.SIGKILL))


def read(name: str, data: bytes, step: Step = silent) -> Reading:
    """The text of a file. Pages that are only pictures are recognised where the extra `ocr` is installed.

    Raises:
        ReadError: with one of `STATUSES`.
    """
    if not can_recognise():
        return _read(name, data, step, READING)
    try:
        reading = _read(name, data, step, READING)
    except ReadError as error:
        if error.code != "no_text_layer":
            raise
    else:
        if not reading.pages_without_text:
            return reading
    return _read(name, data, step, RECOGNISING, ocr=True)


def can_recognise() -> bool:
    """Whether the extra `ocr` is installed."""
    return find_spec("rapidocr") is not None and find_spec("onnxruntime") is not None


def _read(name: str, data: bytes, step: Step, limits: Limits, ocr: bool = False) -> Reading:
    answer = run(name, data, {"task": "read", "ocr": ocr}, limits, step)
    with understood(name):
        return reading_from(answer["reading"])


def run(name: str, data: bytes, task: Mapping[str, Any], limits: Limits, step: Step = silent) -> dict[str, Any]:
    """What a process of its own answers to a task (see `child`) with a file. It is no more trusted than the file.

    Raises:
        ReadError: with one of `STATUSES`.
    """
    if len(data) > MAX_BYTES:
        raise ReadError(
            "too_large", f"{name} 有 {len(data) >> 20} MiB，超过上限 {MAX_BYTES >> 20} MiB。请拆成几份再加入。"
        )
    command = [sys.executable, "-I", "-m", "corpus.readers.child", name[:_NAME_LENGTH].replace("\0", "")]
    command += [str(limits.memory), str(math.ceil(limits.seconds)), json.dumps(task)]
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with subprocess.Popen(  # noqa: S603 - our own module, and the file's name as data
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as child:
        works = (lambda: _feed(child.stdin, data), lambda: _listen(child.stdout, lines))
        threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in threads:
            thread.start()
        try:
            answer = _wait(name, lines, step, limits)
        finally:
            child.kill()
            for thread in threads:
                thread.join()
    if answer is None:
        raise _ended(name, child.returncode)
    return _answer(name, answer)


def _feed(pipe: IO[bytes] | None, data: bytes) -> None:
    with suppress(OSError):  # it has died; its answer says why
        if pipe:
            pipe.write(data)
            pipe.close()


def _listen(pipe: IO[bytes] | None, lines: queue.SimpleQueue[bytes]) -> None:
    while pipe and (line := pipe.readline(_LONGEST_ANSWER)):
        lines.put(line)
    lines.put(b"")


def _wait(name: str, lines: queue.SimpleQueue[bytes], step: Step, limits: Limits) -> bytes | None:
    """The child's answer; None where it ended without one."""
    end = time.monotonic() + limits.seconds
    while True:
        try:
            line = lines.get(timeout=max(0.0, min(limits.stall, end - time.monotonic())))
        except queue.Empty:
            raise ReadError(
                "timeout", f"读 {name} 超过了时限，已中止。文件可能已损坏或过于复杂，请另存或拆分后再试。"
            ) from None
        if not line.startswith(b"step "):
            return line or None
        with suppress(ValueError):
            done, total = line.split()[1:]
            step(int(done), int(total))


def _ended(name: str, code: int) -> ReadError:
    if -code in _TIMES_UP:
        return ReadError("timeout", f"读 {name} 超过了时限或内存上限，已中止。请另存或拆分后再试。")
    return ReadError("parser_crashed", f"读 {name} 时解析程序意外终止（{code}）。文件可能已损坏，请另存后再试。")


def _answer(name: str, line: bytes) -> dict[str, Any]:
    with understood(name):
        answer: dict[str, Any] = json.loads(line)
        if "code" in answer:
            code = answer["code"] if answer["code"] in STATUSES else "corrupt"
            raise ReadError(code, str(answer["message"])[:1000])
        return answer


@contextmanager
def understood(name: str) -> Iterator[None]:
    """An answer that makes no sense is an end of the process like any other.

    Raises:
        ReadError: `parser_crashed`.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ReadError("parser_crashed", f"读 {name} 时解析程序的答复无法理解。请另存后再试。") from error

"""The process that reads one file and dies: `python -I -m corpus.readers.child NAME MEMORY SECONDS OCR < file`.

It answers on its standard output: a line `step DONE TOTAL` for each sign of life, and last a line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import IO, Any

from corpus import readers
from corpus.readers.limits import MAX_CHARACTERS


def main() -> None:
    name, memory, seconds, ocr = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "1"
    # What a library prints is no answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    _limit(memory, seconds)

    def step(done: int, total: int) -> None:
        answers.write(f"step {done} {total}\n")
        answers.flush()

    _answer(answers, _read(name, sys.stdin.buffer.read(), readers.ReadOptions(step, ocr)))


def _read(name: str, data: bytes, options: readers.ReadOptions) -> dict[str, Any]:
    try:
        reading = readers.read(name, data, options)
        if len(reading.text) > MAX_CHARACTERS:
            return _error("too_large", f"{name} 的文字超过 {MAX_CHARACTERS // 10_000} 万字。请拆成几份再加入。")
        return {"reading": asdict(reading)}
    except readers.ReadError as error:
        return _error(error.code, error.message)
    except MemoryError:
        return _error("memory_limit", f"{name} 展开后过大，读它所需的内存超过上限。请另存或拆分后再试。")
    except RecursionError:
        return _error("corrupt", f"{name} 的结构嵌套过深，无法读取。请另存后再试。")
    except Exception as error:  # whatever a parser meets in a broken file
        return _error("corrupt", f"{name} 已损坏或不合格式，无法读取（{type(error).__name__}）。请另存后再试。")


def _error(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message}


def _answer(answers: IO[str], answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
    os._exit(0)  # a parser's clean-up may crash or hang


def _limit(memory: int, seconds: int) -> None:
    if sys.platform == "win32":  # no such limits there; time is bounded by the parent
        return
    import resource

    for kind, limit in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),  # it writes no file
    ):
        _, hard = resource.getrlimit(kind)
        allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (allowed, allowed))


if __name__ == "__main__":
    main()

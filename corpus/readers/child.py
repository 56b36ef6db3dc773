"""The process that reads one file and dies: `python -I -m corpus.readers.child NAME MEMORY SECONDS TASK < file`.

TASK is JSON: `{"task": "read", "ocr": false}`, `{"task": "places", "page": 0, "sha256": "…"}` or `{"task": "picture",
"page": 0, "width": 1200}`. It answers on its standard output: a line `step DONE TOTAL` for each sign of life, and last a
line of JSON.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from dataclasses import asdict
from typing import IO, Any

from corpus import readers
from corpus.readers.limits import MAX_CHARACTERS
from corpus.readers.types import Step


def main() -> None:
    name, memory, seconds, task = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
    # What a library prints is no answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
    os.dup2(2, 1)
    _limit(memory, seconds)

    def step(done: int, total: int) -> None:
        answers.write(f"step {done} {total}\n")
        answers.flush()

    _answer(answers, _done(name, sys.stdin.buffer.read(), task, step))


def _done(name: str, data: bytes, task: dict[str, Any], step: Step) -> dict[str, Any]:
    try:
        return _TASKS[task["task"]](name, data, task, step)
    except readers.ReadError as error:
        return _error(error.code, error.message)
    except MemoryError:
        return _error("memory_limit", f"{name} 展开后过大，读它所需的内存超过上限。请另存或拆分后再试。")
    except RecursionError:
        return _error("corrupt", f"{name} 的结构嵌套过深，无法读取。请另存后再试。")
    except Exception as error:  # whatever a parser meets in a broken file
        return _error("corrupt", f"{name} 已损坏或不合格式，无法读取（{type(error).__name__}）。请另存后再试。")


def _read(name: str, data: bytes, task: dict[str, Any], step: Step) -> dict[str, Any]:
    reading = readers.read(name, data, readers.ReadOptions(step, task["ocr"]))
    if len(reading.text) > MAX_CHARACTERS:
        return _error("too_large", f"{name} 的文字超过 {MAX_CHARACTERS // 10_000} 万字。请拆成几份再加入。")
    return {"reading": asdict(reading)}


def _find_places(name: str, data: bytes, task: dict[str, Any], step: Step) -> dict[str, Any]:
    from corpus.readers import pdf_pictures

    return {"page": pdf_pictures.find_places(name, data, task["page"], task["sha256"], step)}


def _draw(name: str, data: bytes, task: dict[str, Any], step: Step) -> dict[str, Any]:
    from corpus.readers import pdf_pictures

    picture = pdf_pictures.draw_page(name, data, task["page"], task["width"])
    return {"picture": base64.b64encode(picture).decode("ascii")}


_TASKS = {"read": _read, "places": _find_places, "picture": _draw}


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

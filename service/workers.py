"""Several processes that serve from one socket, and the one that keeps them.

Each is a fresh interpreter, started anew when it dies: nothing that has threads (FAISS, tokenizers) is forked. What they
are to know goes in as one line of JSON, and their standard input stays open as long as the keeper lives: at its end,
however that came, they stop. One that is ready says so in a line; so does one that can't be.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from service.errors import OK, KewenError
from service.keeper import Notify
from service.settings import SETTINGS, Settings

READY = "ready"
_POLL_SECONDS = 0.1
_STOP_SECONDS = 9.0
_YOUNG_SECONDS = 10.0
"""One that dies younger than this is not started again at once: what killed it may still be there."""
_PAUSE_SECONDS = 2.0


def run_workers(settings: Settings, listener: socket.socket, notify: Notify, ready: Callable[[], None]) -> int:
    """Serve from a listening socket with `settings.workers` processes until told to stop; `ready` when all of them are.

    The first is started alone: it builds the index, where that is needed, and speaks for all of them.

    Raises:
        KewenError: `invalid_setting`, where the system can't share a socket so, or what kept the first from being ready.
    """
    if os.name != "posix":
        raise KewenError(
            "invalid_setting", "Windows 上只能用一个进程（workers 为 1）：几个进程无法共用一个监听的端口并逐个停止。"
        )
    keeper = _Keeper(settings, listener, notify)
    before = {number: signal.signal(number, keeper.stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        keeper.start()
        if not keeper.is_stopping:
            ready()
        keeper.keep()
    finally:
        keeper.end()
        for number, handler in before.items():
            signal.signal(number, handler)
    return OK


@dataclass(slots=True)
class _Worker:
    """A process, and the lines that it says."""

    process: subprocess.Popen[str]
    began: float
    said: queue.SimpleQueue[str] = field(default_factory=queue.SimpleQueue)

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None


class _Keeper:
    def __init__(self, settings: Settings, listener: socket.socket, notify: Notify) -> None:
        self._settings = settings
        self._listener = listener
        self._notify = notify
        self._workers: list[_Worker] = []
        self.is_stopping = False

    def stop(self, *_: object) -> None:
        """A signal's handler."""
        self.is_stopping = True

    def start(self) -> None:
        """Start all of them, the first before the others, until they are ready.

        Raises:
            KewenError: what kept one of them from being ready.
        """
        for first, last in ((0, 1), (1, self._settings.workers)):
            self._workers += [self._started(n) for n in range(first, last)]
            for worker in self._workers[first:]:
                self._await(worker)

    def keep(self) -> None:
        """Until told to stop, start each anew that ends."""
        due: dict[int, float] = {}
        while not self.is_stopping:
            time.sleep(_POLL_SECONDS)
            now = time.monotonic()
            for n, worker in enumerate(self._workers):
                if worker.is_alive or self.is_stopping:
                    continue
                if n not in due:
                    is_young = now - worker.began < _YOUNG_SECONDS
                    due[n] = now + (_PAUSE_SECONDS if is_young else 0.0)
                    self._notify(f"警告：第 {n + 1} 个工作进程意外结束（{worker.process.returncode}），重新启动。")
                if now >= due[n]:
                    del due[n]
                    self._close(worker)
                    self._workers[n] = self._started(n)

    def end(self) -> None:
        """Stop all of them; after so many seconds, kill those that remain."""
        for worker in self._workers:
            worker.process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for worker in self._workers:
            with suppress(subprocess.TimeoutExpired):
                worker.process.wait(max(deadline - time.monotonic(), 0))
        for worker in self._workers:
            worker.process.kill()
            worker.process.wait()
            self._close(worker)

    def _started(self, number: int) -> _Worker:
        handle = self._listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-m", "service.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            pass_fds=[handle],
            env={**os.environ, "PYTHONIOENCODING": "utf-8:replace"},
            start_new_session=True,  # Ctrl+C is for the keeper
        )
        worker = _Worker(process, time.monotonic())
        threading.Thread(target=_listen, args=(worker,), daemon=True).start()
        given = {setting.name: getattr(self._settings, setting.name) for setting in SETTINGS}
        if process.stdin:
            with suppress(OSError):  # it has died already
                process.stdin.write(json.dumps({"settings": given, "socket": handle, "number": number}, default=str))
                process.stdin.write("\n")
                process.stdin.flush()
        return worker

    def _await(self, worker: _Worker) -> None:
        """Until a worker is ready, or told to stop. Raises KewenError, what kept it from that."""
        while not self.is_stopping:
            try:
                line = worker.said.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if line == READY:
                return
            raise _failure(line)

    @staticmethod
    def _close(worker: _Worker) -> None:
        for pipe in (worker.process.stdin, worker.process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()


def _listen(worker: _Worker) -> None:
    """Pass on what a worker says; an empty line is its end."""
    with suppress(ValueError):  # closed
        for line in worker.process.stdout or ():
            worker.said.put(line.strip())
    worker.said.put("")


def failure_line(error: KewenError) -> str:
    """What keeps a worker from being ready, as it says so."""
    return json.dumps({"code": error.code, "message": error.message})


def _failure(line: str) -> KewenError:
    try:
        said: dict[str, Any] = json.loads(line)
        return KewenError(said["code"], said["message"])
    except (ValueError, KeyError, TypeError):
        return KewenError("internal_error", "工作进程没有启动就结束了。")

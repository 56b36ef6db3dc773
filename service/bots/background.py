"""The event loop of a platform's SDK, in a thread of its own, so that it can be stopped and its end be seen."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

_LOG = logging.getLogger("kewen")
_POLL_SECONDS = 0.1
_CLOSE_SECONDS = 0.5


class LoopThread:
    """Runs `work` in a new thread with a new event loop; `work` blocks until the connection is over for good.

    `fatal` are exceptions that end it even where the SDK raises them in a task that nobody awaits: it would go on
    and hear nothing any more. `close` is called last, with the loop idle.
    """

    def __init__(
        self,
        work: Callable[[asyncio.AbstractEventLoop], None],
        fatal: tuple[type[BaseException], ...] = (),
        close: Callable[[asyncio.AbstractEventLoop], None] = lambda loop: None,
    ) -> None:
        self._work = work
        self._fatal = fatal
        self._close = close
        self._loop = asyncio.new_event_loop()
        self._is_stopping = False
        self._is_over = False
        self.failure: BaseException | None = None
        """Why it ended by itself."""
        self._thread = threading.Thread(target=self._main, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> None:
        """Until it ends.

        Raises:
            BaseException: what ended it, where it was not stopped.
        """
        while self._thread.is_alive():
            self._thread.join(1.0)  # in pieces, so that a signal comes through
        if self.failure is not None:
            raise self.failure

    def stop(self, seconds: float = 5.0) -> None:
        """End it; after so many seconds it is left to itself."""
        self._is_stopping = True
        deadline = time.monotonic() + seconds
        while self._thread.is_alive() and time.monotonic() < deadline:
            # Again and again: while it connects, the SDK takes the end of its loop for an error and tries once more.
            with suppress(RuntimeError):  # closed meanwhile
                self._loop.call_soon_threadsafe(self._halt)
            self._thread.join(_POLL_SECONDS)

    def _halt(self) -> None:
        if not self._is_over:
            self._loop.stop()

    def _main(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(self._on_exception)
        if self._fatal:
            self._loop.set_task_factory(self._watched)
        try:
            self._work(self._loop)
        except BaseException as error:
            if not self._is_stopping and self.failure is None:
                self.failure = error
        finally:
            self._is_stopping = self._is_over = True
            self._finish()

    def _finish(self) -> None:
        for _ in range(3):  # an SDK may take the first cancellation for a lost connection
            tasks = asyncio.all_tasks(self._loop)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.wait(tasks, timeout=_CLOSE_SECONDS))
        self._close(self._loop)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def _watched(self, loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:  # noqa: ANN401
        task = asyncio.Task(work, loop=loop, **options)
        task.add_done_callback(self._on_done)
        return task

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, self._fatal):
            self._fail(error)
        elif error is not None:
            self._on_exception(self._loop, {"exception": error})

    def _fail(self, error: BaseException) -> None:
        if not self._is_stopping:
            self.failure = error
            self._halt()

    def _on_exception(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not self._is_stopping:
            _LOG.error("the connection's loop met an error: %s", type(context.get("exception")).__name__)


def run_until_stopped(worker: LoopThread, close: Callable[[], None]) -> None:
    """Run `worker` until it ends, or the process is told to stop; then `close`.

    Raises:
        BaseException: as `LoopThread.wait`.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    worker.start()
    try:
        worker.wait()
    except KeyboardInterrupt:
        _LOG.warning("stopping")
    finally:
        worker.stop()
        close()
        signal.signal(signal.SIGTERM, before)

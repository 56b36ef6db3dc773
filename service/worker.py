"""One of several processes that serve from one socket: `python -m service.worker`, started by `service.workers`."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading

from service.commands import notify
from service.errors import KewenError
from service.keeper import Notify
from service.server import serve
from service.settings import load_settings
from service.workers import READY, failure_line


def main() -> None:
    """Serve as the line on standard input says, until told to stop or until that is closed."""
    line = sys.stdin.readline()
    if not line:  # the keeper has gone
        return
    given = json.loads(line)
    threading.Thread(target=_stop_without_keeper, daemon=True).start()
    listener = socket.socket(fileno=given["socket"])
    try:
        serve(load_settings(given["settings"], {}), listener, _voice(given["number"]), lambda: _say(READY))
    except KewenError as error:
        _say(failure_line(error))
        sys.exit(error.exit_code)


def _voice(number: int) -> Notify:
    """The first of them speaks for all: what is to be said of the index, each of them would say."""
    return notify if number == 0 else lambda line: None


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - to the keeper


def _stop_without_keeper() -> None:
    os.read(sys.stdin.fileno(), 1)  # past the buffer, whose lock would be held when the interpreter ends
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()

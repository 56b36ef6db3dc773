"""Several writers of one library at once: each is done or told who is at work, and nothing is lost or doubled.

python -m tests.faults.writers --n 20
"""

from __future__ import annotations

import argparse
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from service.errors import LOCKED, OK
from tests.faults.common import (
    ROOT,
    TEXTS,
    Bench,
    Tally,
    bench,
    changed,
    copied,
    kewen,
    leftovers,
    opened,
    published,
    run,
    sound,
)
from tests.live import serving

_HOLDER = """
import sys, time, pathlib
from index.generations import GenerationStore
with GenerationStore(pathlib.Path(sys.argv[1])).writer():
    print("held", flush=True)
    time.sleep(600)
"""


def started(bench: Bench, home: Path, *arguments: str) -> subprocess.Popen[str]:
    command, how = kewen(bench, home, *arguments)
    return subprocess.Popen(command, **how)


def ended(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    outputs = [x.communicate(timeout=120) for x in processes]
    return [(x.returncode, out, err) for x, (out, err) in zip(processes, outputs, strict=True)]


def judge(bench: Bench, home: Path, right: dict[str, str], tally: Tally, moment: str) -> None:
    state = opened(bench.assistant(home))
    faults = [] if state == right else [f"holds {sorted(state)} and not {sorted(right)}"]
    faults += [*sound(bench.assistant(home)), *leftovers(bench, home, right)]
    for fault in faults:
        tally.fault(f"{moment}: {fault}")


def two_adders(bench: Bench, base: Path, tally: Tally) -> None:
    """Two that add wait for each other."""
    home = copied(base, bench.folder / "try")
    said = ended([started(bench, home, "docs", "add", str(bench.file(x)), "--json") for x in "de"])
    for code, _, err in said:
        if code != OK:
            tally.fault(f"two adders: {code} {err}")
    judge(bench, home, changed(published(base), "d", "e"), tally, "two adders")
    tally.count("two adders, both done")


def two_builders(bench: Bench, base: Path, tally: Tally) -> None:
    """A build does not wait: it is told who is at work, and since when."""
    home = copied(base, bench.folder / "try")
    said = ended([started(bench, home, "index", "build") for _ in range(2)])
    codes = sorted(code for code, _, _ in said)
    if codes not in ([OK, OK], [OK, LOCKED]):
        tally.fault(f"two builders: {said}")
    for code, _, err in said:
        if code == LOCKED and not re.search(r"进程 \d+，自 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d", err):
            tally.fault(f"two builders: the holder is not named: {err}")
    judge(bench, home, published(base), tally, "two builders")
    tally.count("two builders, one told to wait" if LOCKED in codes else "two builders, one after the other")


def held(bench: Bench, base: Path, tally: Tally) -> None:
    """While somebody holds the place, a build is refused with his name; once he is killed, the place is free at once."""
    home = copied(base, bench.folder / "try")
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(home / "index")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    if holder.stdout is None or holder.stdout.readline().strip() != "held":
        raise RuntimeError("nobody holds the place")
    code, _, err = run(bench, home, "index", "build")
    if code != LOCKED or f"进程 {holder.pid}，自 20" not in err:
        tally.fault(f"held: {code} {err}")
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    code, _, err = run(bench, home, "index", "build")
    if code != OK:
        tally.fault(f"after the holder was killed: {code} {err}")
    judge(bench, home, published(base), tally, "held")
    tally.count("a holder named, and killed: the next one has the place at once")


def upload(url: str, path: Path) -> dict[str, object]:
    mark = "kewen-faults"
    head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n\r\n'
    body = head.encode() + path.read_bytes() + f"\r\n--{mark}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={mark}", "Authorization": f"Bearer {KEY}"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/v1/documents", body, kind), timeout=60) as response:  # noqa: S310
        return dict(json.loads(response.read()))


KEY = "k" * 40


def command_and_service(bench: Bench, base: Path, tally: Tally) -> None:
    """A command adds one file while a service is sent another; the service then answers from both."""
    from dataclasses import replace

    from service.settings import load_settings

    home = copied(base, bench.folder / "try")
    settings = load_settings({"home": home, "reports": bench.reports}, {"KEWEN_API_KEY": KEY})
    serves = bench.assistant(home)
    serves.settings = replace(settings, rate_limit=0)
    with serving(serves.settings, serves) as url:
        process = started(bench, home, "docs", "add", str(bench.file("d")))
        said = upload(url, bench.file("e"))
        code, _, err = ended([process])[0]
        if code != OK or "ok" not in json.dumps(said):
            tally.fault(f"command and service: {code} {err} {said}")
        state = opened(serves)
    right = changed(published(base), "d", "e")
    if state != right:
        tally.fault(f"command and service: the service holds {sorted(state)}")
    judge(bench, home, right, tally, "command and service")
    tally.count("a command and a service, both done")


def eight_of_one(bench: Bench, base: Path, tally: Tally) -> None:
    """Eight who add the same file make one document."""
    home, path = copied(base, bench.folder / "try"), bench.file("d")
    said = ended([started(bench, home, "docs", "add", str(path), "--json") for _ in range(8)])
    statuses = sorted(x["status"] for _, out, _ in said for x in json.loads(out)["documents"])
    if statuses != ["ok", *["unchanged"] * 7]:
        tally.fault(f"eight of one: {statuses}")
    judge(bench, home, changed(published(base), "d"), tally, "eight of one")
    tally.count("eight who add one file, one document")


Try = Callable[[Bench, Path, Tally], None]
TRIES: dict[Try, float] = {two_adders: 1, two_builders: 1, held: 1, command_and_service: 1, eight_of_one: 0.25}
"""What is tried, and how many times for each of `--n`."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=20)
    given = parser.parse_args()
    begun, tally = time.monotonic(), Tally.named("writers at once")
    with bench() as place:
        base = place.home("base", "b")
        assert set(published(base)) <= set(TEXTS)
        for what, share in TRIES.items():
            for _ in range(max(1, round(share * given.n))):
                what(place, base, tally)
    return tally.close(begun)


if __name__ == "__main__":
    sys.exit(main())

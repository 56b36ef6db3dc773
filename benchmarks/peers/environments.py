"""A venv for each peer, so that none of them is a dependency of kewen: `python benchmarks/peers/environments.py FOLDER`.

What is installed is in `requirements/`, pinned. torch is the one that a registry gives: name a CPU build's in
`PIP_INDEX_URL` or `PIP_EXTRA_INDEX_URL` where the default would be gigabytes of CUDA.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"


def python_of(name: str, folder: Path) -> Path:
    """The Python of a peer's venv, which is made where it is missing or of other requirements."""
    wanted = REQUIREMENTS / f"{name}.txt"
    venv, mark = folder / name, folder / f"{name}.made"
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    python = venv / "bin" / "python"
    if not mark.exists() or mark.read_text(encoding="ascii") != digest:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)  # noqa: S603
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", wanted], check=True)  # noqa: S603
        mark.write_text(digest, encoding="ascii")
    return python


def versions(python: Path, name: str) -> dict[str, str]:
    """What is installed of a peer's requirements."""
    frozen = subprocess.run([python, "-m", "pip", "freeze"], capture_output=True, text=True, check=True)  # noqa: S603
    installed = dict(x.lower().split("==") for x in frozen.stdout.splitlines() if "==" in x)
    names = [x.split("==")[0] for x in (REQUIREMENTS / f"{name}.txt").read_text(encoding="utf-8").split()]
    return {x: installed.get(x.lower(), "?") for x in names}


if __name__ == "__main__":
    for path in sorted(REQUIREMENTS.glob("*.txt")):
        print(path.stem, python_of(path.stem, Path(sys.argv[1])))  # noqa: T201

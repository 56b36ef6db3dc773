"""Both READMEs say the same, and what they show is what the command prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
READMES = ("README.md", "README.zh-CN.md")
SHOWN = ("kewen ask", "kewen search", "kewen docs list")


def console(name: str) -> list[tuple[str, str]]:
    """Commands and the output shown below each, in order."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def test_both_show_the_same_commands_and_output():
    assert console(READMES[0]) == console(READMES[1])
    assert [command for command, _ in console(READMES[0])][:2] == [
        'python -m pip install -e . && kewen ask "宝山区有多少家生物医药企业？"',
        'python -m pip install -e ".[test]" && pytest',
    ]


@pytest.mark.parametrize("name", READMES)
def test_the_first_screen_shows_how_to_run_and_test(name):
    top = "\n".join((ROOT / name).read_text(encoding="utf-8").splitlines()[:25])
    assert "kewen ask" in top
    assert "pytest" in top
    assert "449 家" in top


def test_what_is_shown_is_what_is_printed(kewen, shared_home, monkeypatch):
    monkeypatch.setenv("KEWEN_HOME", str(shared_home))
    commands = [(command.rpartition("&& ")[2], output) for command, output in console(READMES[0])]
    shown = [x for x in commands if x[0].startswith(SHOWN)]
    assert len(shown) >= 3
    for command, output in shown:
        code, printed, err = kewen(*shlex.split(command)[1:])
        assert (code, err) == (0, "")
        assert printed == output


@pytest.mark.parametrize(
    "name", [*READMES, "ARCHITECTURE.md", "benchmarks/README.md", "index/bundled/README.md", "eval/README.md"]
)
def test_links_lead_somewhere(name):
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert ((ROOT / name).parent / target).exists(), target


def test_every_command_and_setting_is_described():
    from service.cli import kewen
    from service.settings import SETTINGS

    for name in READMES:
        text = (ROOT / name).read_text(encoding="utf-8")
        for command in kewen.commands:
            assert f"kewen {command}" in text
    architecture = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for command in kewen.commands:
        assert command in architecture
    assert all(setting.help for setting in SETTINGS)

"""The shape of the code: data flows corpus → index → service, and no import goes round in a circle."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ALLOWED = {
    "corpus": {"corpus"},
    "index": {"corpus", "index"},
    "service": {"corpus", "index", "service", "eval"},
    "eval": {"corpus", "index", "service", "eval"},
}
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for package in ALLOWED
    for path in sorted((ROOT / package).rglob("*.py"))
}


def imports(path: Path) -> set[str]:
    """Project modules that a module imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {
                f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in MODULES else node.module for a in node.names
            }
    return {name for name in found if name in MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_only_what_stands_before_it(module: str):
    package = module.split(".")[0]
    for name in imports(MODULES[module]):
        assert name.split(".")[0] in ALLOWED[package], f"{module} imports {name}"


def test_eval_is_imported_by_its_command_alone():
    for module, path in MODULES.items():
        if module.split(".")[0] != "eval" and any(x.startswith("eval") for x in imports(path)):
            assert module == "service.cli"


def test_no_import_cycle():
    graph = {module: imports(path) - {module} for module, path in MODULES.items()}
    list(TopologicalSorter(graph).static_order())  # raises CycleError


@pytest.mark.parametrize("module", MODULES)
def test_no_relative_import_and_no_long_file(module: str):
    text = MODULES[module].read_text(encoding="utf-8")
    assert "from ." not in text
    assert text.count("\n") <= 330, "a module has one subject"


@pytest.mark.parametrize("module", MODULES)
def test_functions_are_short_and_annotated(module: str):
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = (node.end_lineno or 0) - (body[0].lineno if body else node.lineno)
            assert length <= 60, f"{module}.{node.name} has {length} lines"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_loaded_that_could_run_code(module: str):
    text = MODULES[module].read_text(encoding="utf-8")
    for unsafe in (
        "import pickle",
        "import marshal",
        "import shelve",
        "allow_pickle=True",
        "trust_remote_code=True",
        "eval(",
        "exec(",
    ):
        assert unsafe not in text


def run_script(*lines: str) -> str:
    """What a script of those lines prints, in a fresh process that must end well."""
    command = [sys.executable, "-c", "\n".join(lines)]
    run = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


ASK = "from service.cli import main; main(['ask', '宝山区有多少家生物医药企业？'])"


def test_the_command_needs_nothing_that_only_an_extra_installs():
    extras = "('torch', 'transformers', 'sentence_transformers', 'httpx', 'fastapi', 'pydantic')"
    assert "449 家" in run_script(f"import sys; sys.modules.update(dict.fromkeys({extras}))", ASK)


def test_asking_imports_neither_torch_nor_transformers():
    heavy = "{'torch', 'transformers', 'sentence_transformers', 'fastapi', 'uvicorn', 'jieba', 'httpx'}"
    printed = run_script(
        "import sys", "try:", f"    {ASK}", "finally:", f"    print('HEAVY', sorted({heavy} & set(sys.modules)))"
    )
    assert "449 家" in printed
    assert "HEAVY []" in printed

"""What docs/integrations says is so: its settings, commands, models, addresses and links exist, and its programs run."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import tomllib
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import click
import httpx
import pytest

from service.bots.credentials import Credential, variable
from service.bots.webhook import webhook_app
from service.cli import kewen as command
from service.settings import LOOPBACK, PLATFORMS, SETTINGS, load_settings
from tests.live import serving

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "integrations"
PAGES = sorted(FOLDER.glob("*.md"))
CLIENTS = [page for page in PAGES if page.name != "README.md"]
HERE = "http://127.0.0.1:8765"
OURS = (*LOOPBACK, "host.docker.internal", "kewen.example.cn")
FENCE = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
ADDRESS = re.compile(r"https?://([\w.-]+)(?::(\d+))?(/[\w./-]*)?")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> list[str]:
    return [body for _, language, body in FENCE.findall(read(page)) if language in languages]


def spans(page: Path) -> list[str]:
    """What stands between backquotes in a line."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", FENCE.sub("", read(page)))


def commands(page: Path) -> list[list[str]]:
    """The words behind each `kewen`, without the variables before it."""
    found = []
    for text in [*spans(page), *(line for body in blocks(page, "sh") for line in body.splitlines())]:
        line = re.fullmatch(r"(?:[A-Z_]+=\S+ )*kewen (.+)", text.strip())
        if line:
            found.append(shlex.split(line.group(1)))
    return found


@pytest.fixture(scope="module")
def service(shared_home):
    settings = replace(load_settings({"home": shared_home}, {}), mcp="on")
    with serving(settings) as base:
        yield base


def has_route(base: str, path: str) -> bool:
    """Something answers there, whatever it says of an empty request."""
    return any(httpx.request(method, base + path, json={}).status_code != 404 for method in ("GET", "POST"))


# -- the pages --------------------------------------------------------------------------------------


def test_every_page_stands_in_the_index():
    assert {f"({page.name})" for page in CLIENTS} <= set(re.findall(r"\([\w-]+\.md\)", read(FOLDER / "README.md")))


@pages
def test_pages_are_short(page):
    assert len(read(page).splitlines()) <= 80


@pytest.mark.parametrize("page", CLIENTS, ids=lambda page: page.stem)
def test_the_last_line_says_what_was_tried_and_by_which_test(page):
    last = read(page).rstrip().splitlines()[-1]
    assert "试过" in last
    tests = re.findall(r"\]\(\.\./\.\./(tests/[\w/.]+)\)", last)
    assert tests
    assert all((ROOT / test).is_file() for test in tests)


@pages
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)]+)\)", FENCE.sub("", read(page))):
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), target
        if anchor:
            assert f"\n## {anchor}\n" in read(other), target


def test_the_readmes_lead_here():
    for name in ("README.md", "README.zh-CN.md"):
        assert "(docs/integrations/README.md)" in read(ROOT / name)


# -- what they say to type --------------------------------------------------------------------------


@pages
def test_json_and_toml_can_be_read(page):
    for body in blocks(page, "json"):
        assert json.loads(body)
    for body in blocks(page, "toml"):
        assert tomllib.loads(body)
    written = len(re.findall(r"```(?:json|toml)", read(page)))
    assert written == len(blocks(page, "json", "toml"))


@pytest.mark.parametrize("page", CLIENTS, ids=lambda page: page.stem)
def test_a_configuration_starts_a_command_or_names_an_address(page):
    for body in blocks(page, "json"):
        for server in json.loads(body)["mcpServers"].values():
            if "command" in server:
                assert Path(server["command"].replace("\\", "/")).stem == "kewen"
                resolve(server["args"])
            else:
                assert (server.get("url") or server["baseUrl"]).endswith("/mcp")


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_bots_table_holds_what_it_needs(platform):
    table = tomllib.loads(blocks(FOLDER / f"{platform}.md", "toml")[0])[platform]
    assert set(table) <= {x.name for x in credentials(platform)}
    exported = {name for name in known_variables() if name.startswith(f"KEWEN_{platform.upper()}_")}
    assert exported <= set(re.findall(r"KEWEN_\w+", read(FOLDER / f"{platform}.md")))


def credentials(platform: str) -> list[Credential]:
    module = import_module(f"service.bots.{platform}")
    return [x for value in vars(module).values() if isinstance(value, tuple) for x in value if type(x) is Credential]


def known_variables() -> set[str]:
    return {x.variable for x in SETTINGS} | {variable(p, x.name) for p in PLATFORMS for x in credentials(p)}


@pages
def test_every_variable_exists(page):
    assert set(re.findall(r"\bKEWEN_\w+", read(page))) <= known_variables()


@pages
def test_every_value_of_a_variable_will_do(page):
    settings = {x.variable: x for x in SETTINGS}
    for name, value in re.findall(r"\b(KEWEN_\w+)=(\S+?)(?=[\s`]|$)", read(page), re.MULTILINE):
        if name in settings:
            settings[name].read(value)


def resolve(words: list[str]) -> click.Command:
    """The command that the words name, with as many arguments as it takes and no option that it hasn't."""
    here: click.Command = command
    while isinstance(here, click.Group):
        assert words, f"kewen {here.name} alone does nothing"
        assert words[0] in here.commands, words
        here, words = here.commands[words[0]], words[1:]
    options = {name: x for x in here.params if isinstance(x, click.Option) for name in x.opts}
    given, waits = 0, False
    for word in words:
        if word.startswith("-"):
            assert word in options, f"{here.name} {word}"
            waits = not options[word].is_flag
        else:
            given, waits = given + (not waits), False
    assert given <= sum(isinstance(x, click.Argument) for x in here.params), words
    return here


@pages
def test_every_command_exists_and_takes_its_options(page):
    for words in commands(page):
        resolve(words)


def test_commands_are_found():
    assert ["keys", "add", "portal", "--widget"] in commands(FOLDER / "widget.md")
    assert ["bot", "feishu", "--webhook", "--port", "8766"] in commands(FOLDER / "feishu.md")
    assert ["serve", "--host", "0.0.0.0"] in commands(FOLDER / "dify.md")  # noqa: S104
    with pytest.raises(AssertionError):
        resolve(["serve", "--nosuch"])
    with pytest.raises(AssertionError):
        resolve(["keys", "add", "one", "two"])


@pages
def test_every_extra_exists(page):
    extras = tomllib.loads(read(ROOT / "pyproject.toml"))["project"]["optional-dependencies"]
    assert set(re.findall(r"kewen\[(\w+)\]", read(page))) <= set(extras)


# -- what the service must answer -------------------------------------------------------------------


def test_every_model_is_listed(service):
    listed = {x["id"] for x in httpx.get(f"{service}/v1/models").json()["data"]}
    named = {name for page in PAGES for name in re.findall(r"(?<![\w.-])kewen-[a-z]+(?:-[a-z]+)*", read(page))}
    named |= {name for page in PAGES for name in re.findall(r"model\"?[=:] ?\"([\w-]+)\"", read(page))}
    assert "kewen" in named
    assert named <= listed
    assert listed - {"kewen"} <= named


@pages
def test_every_address_is_answered(service, page):
    for host, port, path in ADDRESS.findall(read(page)):
        if host not in OURS or port == "8766":
            continue
        # A base is what a client puts a path of its own behind.
        ends = [path + end for end in ("", "/models", "/retrieval", "/openapi.json")]
        assert any(has_route(service, end or "/docs") for end in ends), path
    for path in spans(page):
        if re.fullmatch(r"/[\w./-]*", path) and path not in ("/", "/d/"):
            assert any(has_route(service, path + end) for end in ("", "/models", "/retrieval")), path


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_callbacks_address_is_the_bots(platform):
    paths = {path for host, port, path in ADDRESS.findall(read(FOLDER / f"{platform}.md")) if port == "8766"}
    assert paths == {route.path for route in webhook_app(platform, lambda *_: (200, "")).routes}


def test_nothing_is_answered_at_an_address_that_is_none(service):
    assert not has_route(service, "/v1/nosuch")


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("openai-api.md", ["449 家", "\n[1] 《", "'url_citation'", "2 256", "'index': 0"]),
        ("mcp.md", ["449 家", "《宝山区科技创新", "/d/baoshan-2026-innovation-plan?at="]),
    ],
)
def test_the_programs_run(service, name, printed):
    """As they stand, one after the other; only the address is the test's."""
    program = "\n".join(blocks(FOLDER / name, "python")).replace(HERE, service)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for text in printed:
        assert text in done.stdout

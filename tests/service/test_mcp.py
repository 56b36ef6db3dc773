"""MCP: every rule of the transport by raw HTTP, the tools by the official client, both eras, both transports."""

from __future__ import annotations

import base64
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import anyio
import httpx
import pytest
from fastapi.testclient import TestClient
from mcp import Client, StdioServerParameters
from mcp.shared.exceptions import MCPError

from service.app import create_app
from service.assistant import Assistant
from service.cli_mcp import mcp as command
from service.commands import ChineseCommand
from service.errors import KewenError
from service.links import Links
from service.mcp_server import McpEndpoint, mcp_server
from service.settings import Settings, load_settings
from service.turnstile import turnstile_for
from tests.live import serving

ROOT = Path(__file__).parent.parent.parent
QUESTION = "宝山区有多少家生物医药企业？"
MODERN = "2026-07-28"
MODES = ("legacy", MODERN)
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
STDIO = [sys.executable, "-m", "service.cli", "mcp"]


# -- a running service ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def address(shared_home: Path) -> Iterator[str]:
    with serving(load_settings({"home": shared_home}, {})) as base:
        yield f"{base}/mcp"


def message(method: str = "tools/call", params: dict | None = None, **changes: object) -> dict:
    if params is None:
        params = {"name": "search", "arguments": {"query": QUESTION}}
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": {**params, "_meta": META}, **changes}


def headers(method: str = "tools/call", name: str | None = "search", **changes: str | None) -> dict[str, str]:
    """What a modern client sends; `changes` with _ for -, None to leave one out."""
    wanted = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": MODERN,
        "mcp-method": method,
        "mcp-name": name,
        **{key.replace("_", "-"): value for key, value in changes.items()},
    }
    return {key: value for key, value in wanted.items() if value is not None}


def post(address: str, body: object, sent: dict[str, str]) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(address, content=content, headers=sent, timeout=20)


# -- the transport's rules (specification 2026-07-28, basic/transports) --------------------------


def test_a_modern_request_is_answered(address):
    response = post(address, message(), headers())
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert "mcp-session-id" not in response.headers
    answer = response.json()
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", 7)
    result = answer["result"]
    assert result["resultType"] == "complete"
    assert not result.get("isError")
    assert [json.loads(x["text"]) for x in result["content"]] == [result["structuredContent"]]
    assert result["structuredContent"]["results"][0]["id"].startswith("baoshan-2026-innovation-plan:")


@pytest.mark.parametrize("left_out", ["mcp_protocol_version", "mcp_method", "mcp_name"])
def test_a_missing_header_is_a_mismatch(address, left_out):
    response = post(address, message(), headers(**{left_out: None}))
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020
    assert response.json()["id"] == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"mcp_protocol_version": "2025-11-25"},
        {"mcp_protocol_version": "2025-06-18"},
        {"mcp_protocol_version": "2099-01-01"},
        {"mcp_method": "tools/list"},
        {"mcp_name": "fetch"},
        {"mcp_name": "Search"},
        {"mcp_name": "=?base64?!?="},
    ],
)
def test_a_header_that_is_not_what_the_body_says_is_a_mismatch(address, changes):
    response = post(address, message(), headers(**changes))
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020


def test_a_name_in_base64_is_decoded_before_it_is_compared(address):
    encoded = f"=?base64?{base64.b64encode(b'search').decode()}?="
    assert post(address, message(), headers(mcp_name=encoded)).status_code == 200
    chinese = message(params={"name": "检索", "arguments": {}})
    response = post(address, chinese, headers(mcp_name="=?base64?5qOA57Si?="))
    assert response.json()["error"]["code"] == -32602  # no such tool, but no mismatch


def test_a_version_that_is_not_spoken_is_named_with_those_that_are(address):
    body = message()
    body["params"]["_meta"] = {**META, "io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    response = post(address, body, headers(mcp_protocol_version="2099-01-01"))
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == -32022
    assert error["data"] == {"supported": [MODERN], "requested": "2099-01-01"}


@pytest.mark.parametrize("method", ["tools/destroy", "resources/list", "prompts/list", "subscriptions/listen"])
def test_an_unknown_method_is_not_found(address, method):
    params = {"notifications": {}} if method == "subscriptions/listen" else {}
    response = post(address, message(method, params), headers(method, None))
    assert response.status_code == 404
    assert response.json()["error"]["code"] == -32601


def test_an_unknown_tool_is_an_invalid_parameter(address):
    response = post(address, message(params={"name": "rm", "arguments": {}}), headers(name="rm"))
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["code"] == -32602
    assert error["message"] == "没有名为 rm 的工具。可用：search、fetch、ask。"


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("fetch", {"id": "nowhere:0-1"}, "没有编号为 nowhere:0-1 的段落"),
        ("search", {"query": "  "}, "问题是空的"),
        ("search", {"query": "问" * 2001}, "超过 2000 字"),
        ("search", {"query": "a\x00b"}, "控制字符"),
        ("search", {}, "请检查参数：query"),
        ("ask", {"question": "科普", "year_from": 2030}, "没有 2030 年的报告"),
    ],
)
def test_a_tool_that_fails_has_a_result_that_says_so(address, tool, arguments, said):
    response = post(address, message(params={"name": tool, "arguments": arguments}), headers(name=tool))
    assert response.status_code == 200
    result = response.json()["result"]
    assert result["isError"] is True
    assert "structuredContent" not in result
    assert len(result["content"]) == 1
    assert said in result["content"][0]["text"]


@pytest.mark.parametrize(
    "sent", [headers("notifications/cancelled", None), headers("x", None, mcp_protocol_version=None)]
)
def test_a_notification_is_accepted_without_a_body(address, sent):
    body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}
    response = post(address, body, sent)
    assert response.status_code == 202
    assert response.content in (b"", b"null")


def test_strangers_are_refused(address):
    for origin in ("https://evil.example", "http://127.0.0.1.evil.example", "null"):
        response = post(address, message(), headers(origin=origin))
        assert (response.status_code, response.json()["error"]["code"]) == (403, "origin_forbidden")
    for host in ("evil.example", "127.0.0.1.evil.example:80"):
        response = post(address, message(), headers(host=host))
        assert (response.status_code, response.json()["error"]["code"]) == (421, "host_forbidden")


def test_a_page_of_the_service_itself_and_each_name_of_this_machine_are_served(address):
    port = address.split(":")[2].split("/")[0]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", "localhost", "127.0.0.1", f"[::1]:{port}"):
        assert post(address, message(), headers(host=host)).status_code == 200
        assert post(address, message(), headers(host=host, origin=f"http://{host}")).status_code == 200


@pytest.mark.parametrize("version_header", [MODERN, "2025-11-25", None])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_there_are_no_streams_and_no_sessions_to_end(address, method, version_header):
    sent = headers(mcp_protocol_version=version_header, mcp_session_id="a", accept="text/event-stream")
    response = httpx.request(method, address, headers=sent)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("version_header", [MODERN, "2025-11-25"])
def test_a_session_id_is_ignored(address, version_header):
    body = (
        message()
        if version_header == MODERN
        else {**message(), "params": {"name": "search", "arguments": {"query": "科普"}}}
    )
    response = post(address, body, headers(mcp_protocol_version=version_header, mcp_session_id="not-ours"))
    assert response.status_code == 200
    assert response.json()["result"]["structuredContent"]["results"]
    assert "mcp-session-id" not in response.headers


@pytest.mark.parametrize("accept", ["application/json", "*/*"])
def test_a_client_that_reads_json_alone_is_served(address, accept):
    assert post(address, message(), headers(accept=accept)).status_code == 200


@pytest.mark.parametrize("version_header", [MODERN, "2025-11-25", None])
@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"7", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"jsonrpc":"2.0","id":1}', b"[{}]"],
    ids=range(10),
)
def test_what_is_no_request_is_refused_and_nothing_breaks(address, body, version_header):
    response = post(address, body, headers(mcp_protocol_version=version_header))
    assert response.status_code == 400
    assert response.json()["error"]["code"] in (-32700, -32600, -32602)
    assert "Traceback" not in response.text
    assert len(response.text) < 2000


def test_a_body_of_five_megabytes_is_refused(address):
    body = message(params={"name": "search", "arguments": {"query": "x" * 5_000_000}})
    assert post(address, body, headers()).status_code == 413


def test_another_content_type_is_refused(address):
    assert post(address, message(), headers(content_type="text/plain")).status_code == 415


def test_discovery(address):
    response = post(address, message("server/discover", {}), headers("server/discover", None))
    result = response.json()["result"]
    assert result["resultType"] == "complete"
    assert result["supportedVersions"] == [MODERN]
    assert list(result["capabilities"]) == ["tools"]
    assert (result["ttlMs"], result["cacheScope"]) == (3_600_000, "public")
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"] == {
        "name": "kewen",
        "title": "科问",
        "version": version("kewen"),
    }
    assert "所收报告中没有找到依据" in result["instructions"]


def test_the_list_of_tools_says_how_long_it_holds_and_is_always_the_same(address):
    replies = [post(address, message("tools/list", {}), headers("tools/list", None)) for _ in range(2)]
    assert replies[0].content == replies[1].content
    result = replies[0].json()["result"]
    assert (result["resultType"], result["ttlMs"], result["cacheScope"]) == ("complete", 3_600_000, "public")
    assert [tool["name"] for tool in result["tools"]] == ["search", "fetch", "ask"]
    for tool in result["tools"]:
        assert tool["annotations"]["readOnlyHint"] is True
        assert tool["annotations"]["idempotentHint"] is True
        assert tool["annotations"]["openWorldHint"] is False
        assert tool["inputSchema"]["type"] == tool["outputSchema"]["type"] == "object"
        assert len(re.findall(r"[一-鿿]", tool["description"])) > 20


def test_an_older_client_shakes_hands_first(address):
    sent = headers("x", None, mcp_protocol_version=None, mcp_method=None)
    params = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "old", "version": "1"}}
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    result = post(address, hello, sent).json()["result"]
    assert result["protocolVersion"] == "2025-03-26"
    assert list(result["capabilities"]) == ["tools"]
    assert result["serverInfo"]["name"] == "kewen"
    called = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "fetch", "arguments": {"id": "x"}}}
    assert post(address, called, sent).json()["result"]["isError"] is True  # no version header: taken for 2025-03-26


def test_other_names_of_the_service_need_a_key_and_are_served_with_it(settings):
    names = {"allowed_hosts": ("kewen.lan",), "allowed_origins": ("https://portal.example.cn",)}
    settings = replace(settings, **names, public_url="https://kewen.example.cn", api_key="secret", mcp="on")
    key = {"authorization": "Bearer secret"}
    with TestClient(create_app(Assistant(settings), settings)) as client:
        for host in ("kewen.lan", "KEWEN.lan.:8765", "kewen.example.cn", "LOCALHOST:1"):
            sent = headers(host=host)
            assert client.post("/mcp", json=message(), headers=sent).status_code == 401
            assert client.post("/mcp", json=message(), headers={**sent, **key}).status_code == 200
            for origin in ("https://portal.example.cn", f"https://{host}"):
                sent = headers(host=host, origin=origin)
                assert client.post("/mcp", json=message(), headers={**sent, **key}).status_code == 200


# -- a client that leaves -------------------------------------------------------------------------


class Talkative(Assistant):
    """Says something every moment, for five seconds, unless it is stopped."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.began, self.ended = threading.Event(), threading.Event()
        self.was_stopped = False

    def ask_events(self, *_: object, **__: object) -> Iterator[str]:
        def events() -> Iterator[str]:
            self.began.set()
            try:
                for _ in range(500):
                    time.sleep(0.01)
                    yield "一句"
                raise KewenError("internal_error", "没有人叫停。")
            except GeneratorExit:
                self.was_stopped = True
                raise
            finally:
                self.ended.set()

        return events()


@contextmanager
def asking(assistant: Talkative, version_header: str = MODERN) -> Iterator[tuple[str, http.client.HTTPConnection]]:
    """A service that is at work on a question, its address, and the connection that waits for the answer."""
    body = message(params={"name": "ask", "arguments": {"question": "问"}})
    if version_header != MODERN:
        del body["params"]["_meta"]
    with serving(assistant.settings, assistant) as base:
        connection = http.client.HTTPConnection(base.removeprefix("http://"))
        connection.request("POST", "/mcp", json.dumps(body), headers(name="ask", mcp_protocol_version=version_header))
        assert assistant.began.wait(10)
        yield f"{base}/mcp", connection
        connection.close()


@pytest.mark.parametrize("version_header", [MODERN, "2025-11-25"])
def test_a_client_that_leaves_stops_what_it_asked_for(settings, version_header):
    assistant = Talkative(settings)
    with asking(assistant, version_header) as (address, connection):
        connection.close()
        assert assistant.ended.wait(10)
        assert assistant.was_stopped
        assert post(address, message(), headers()).status_code == 200


def test_a_slow_question_keeps_nobody_waiting(settings):
    assistant = Talkative(settings)
    with asking(assistant) as (address, _):
        assert post(address, message(), headers()).status_code == 200
        assert not assistant.ended.is_set()


# -- the official client --------------------------------------------------------------------------


async def use(client: Client) -> dict:
    """One round through the tools, as an assistant would make it."""
    tools = (await client.list_tools()).tools
    found = await client.call_tool("search", {"query": QUESTION})
    fetched = await client.call_tool("fetch", {"id": found.structured_content["results"][0]["id"]})
    asked = await client.call_tool("ask", {"question": QUESTION, "year_from": 2026, "top_k": 2})
    absent = await client.call_tool("ask", {"question": "深圳2024年的GDP是多少？"})
    unknown = await client.call_tool("fetch", {"id": "nowhere:0-1"})
    with pytest.raises(MCPError) as refused:
        await client.call_tool("rm", {})
    return {
        "tools": [x.name for x in tools],
        "version": client.protocol_version,
        "server": client.server_info.name if client.server_info else None,
        "found": found,
        "fetched": fetched,
        "asked": asked,
        "absent": absent,
        "unknown": unknown,
        "refused": refused.value.error.code,
    }


def check(used: dict, mode: str) -> None:
    assert used["tools"] == ["search", "fetch", "ask"]
    assert used["version"] == (MODERN if mode == MODERN else "2025-11-25")
    for name in ("found", "fetched", "asked", "absent"):
        result = used[name]
        assert not result.is_error
        assert [json.loads(x.text) for x in result.content] == [result.structured_content]
    assert "449 家" in used["fetched"].structured_content["text"]
    asked = used["asked"].structured_content
    assert "449 家" in asked["answer"]
    assert asked["citations"][0]["quote"] in used["fetched"].structured_content["text"]
    assert asked["citations"][0]["passage_id"] == used["fetched"].structured_content["id"]
    assert len(asked["passages"]) == 2
    assert used["absent"].structured_content["abstained"] is True
    assert used["unknown"].is_error
    assert used["unknown"].content[0].text == "没有编号为 nowhere:0-1 的段落。"
    assert used["refused"] == -32602


@pytest.mark.parametrize("mode", MODES)
def test_the_official_client_over_http(address, mode):
    async def run() -> dict:
        async with Client(address, mode=mode) as client:
            return await use(client)

    check(anyio.run(run), mode)


@pytest.mark.parametrize("mode", MODES)
def test_the_official_client_over_stdio(shared_home, mode):
    async def run() -> dict:
        server = StdioServerParameters(command=STDIO[0], args=[*STDIO[1:], "--home", str(shared_home)], cwd=ROOT)
        async with Client(server, mode=mode) as client:
            return await use(client)

    check(anyio.run(run), mode)


def test_a_defect_is_told_without_anything_of_it(assistant, settings, monkeypatch, caplog):
    def broken(*_: object) -> None:
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(assistant, "search", broken)

    async def run():
        async with Client(mcp_server(assistant, Links(settings), turnstile_for(settings))) as client:
            return await client.call_tool("search", {"query": "问"})

    result = anyio.run(run)
    assert result.is_error
    assert [x.text for x in result.content] == ["服务内部出错，已记入日志。请稍后再试，或告诉维护者。"]
    assert "/secret/path" in caplog.text


def test_nothing_found_is_an_empty_list(assistant, settings, monkeypatch):
    found = assistant.search(QUESTION)
    monkeypatch.setattr(assistant, "search", lambda _: type(found)(QUESTION, found.generation, 0.0, ()))

    async def run():
        async with Client(mcp_server(assistant, Links(settings), turnstile_for(settings))) as client:
            return await client.call_tool("search", {"query": "问"})

    result = anyio.run(run)
    assert not result.is_error
    assert result.structured_content == {"results": []}


def test_an_endpoint_can_be_started_again(assistant, settings):
    endpoint = McpEndpoint(assistant, Links(settings), settings, turnstile_for(settings))
    given = {**headers(), "host": "localhost"}
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "headers": [(key.encode(), value.encode()) for key, value in given.items()],
    }

    async def status() -> int:
        """Of one request over ASGI itself."""
        messages = [{"type": "http.request", "body": b"{"}]
        sent: list[dict] = []

        async def receive() -> dict:
            if not messages:
                await anyio.sleep_forever()
            return messages.pop()

        async def send(message: dict) -> None:
            sent.append(message)

        await endpoint(scope, receive, send)
        return sent[0]["status"]

    async def run() -> None:
        for _ in range(2):
            async with endpoint.running():
                assert await status() == 400
            with pytest.raises(RuntimeError, match="not running"):
                await status()

    anyio.run(run)


# -- the command ----------------------------------------------------------------------------------


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen([*STDIO, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT) as process:
        try:
            yield process
        finally:
            process.kill()


def exchange(process: subprocess.Popen[bytes], sent: bytes) -> dict:
    """One line in, one line out."""
    process.stdin.write(sent + b"\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def test_stdout_holds_messages_alone_and_the_end_of_stdin_is_the_end(make_folder, tmp_path):
    reports = make_folder({"a.txt": "一、现状\n宝山区有生物医药企业449家。\n二、目标\n到2030年达到600家。\n"})
    home = tmp_path / "new"
    with started("--home", str(home), "--reports", str(reports)) as process:
        # Its index is built now, which stderr says and stdout doesn't.
        first = exchange(process, json.dumps(message("tools/list", {}), ensure_ascii=False).encode())
        assert [x["name"] for x in first["result"]["tools"]] == ["search", "fetch", "ask"]
        found = exchange(process, json.dumps(message()).encode())
        assert found["result"]["structuredContent"]["results"][0]["title"].startswith("《标题0》（2020）")
        long = message(params={"name": "search", "arguments": {"query": "长" * 1_700_000}})
        refused = exchange(process, json.dumps(long, ensure_ascii=False).encode())
        assert refused["result"]["isError"] is True
        assert "超过 2000 字" in refused["result"]["content"][0]["text"]
        out, err = process.communicate(b"this is no message\n", timeout=20)
        assert process.returncode == 0
        for line in out.splitlines():
            assert json.loads(line)["jsonrpc"] == "2.0"
        assert "索引" in err.decode()
        assert "Traceback" not in err.decode()


def test_a_client_that_is_gone_is_no_defect(shared_home):
    with started("--home", str(shared_home)) as process:
        listed = json.dumps(message("tools/list", {})).encode()
        exchange(process, listed)
        process.stdout.close()
        process.stdin.write(listed + b"\n")
        process.stdin.flush()
        time.sleep(0.2)  # its reply meets a closed pipe before its input ends
        process.stdin.close()
        assert process.wait(20) == 0
        assert process.stderr.read() == b""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_an_interrupt_ends_it_at_once(shared_home):
    with started("--home", str(shared_home)) as process:
        exchange(process, json.dumps(message("tools/list", {})).encode())
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == -signal.SIGINT
        assert process.stderr.read() == b""


def test_an_index_that_cannot_be_had_is_an_error_before_the_first_message(tmp_path):
    with started("--home", str(tmp_path / "home"), "--reports", str(tmp_path / "nowhere")) as process:
        out, err = process.communicate(timeout=20)
        assert process.returncode != 0
        assert out == b""
        assert err.decode().splitlines()[-1].startswith("错误（invalid_setting）：")


def test_without_the_sdk_one_is_told_what_to_install(kewen, shared_home, monkeypatch):
    monkeypatch.setitem(sys.modules, "service.mcp_server", None)
    code, out, err = kewen("mcp", "--home", str(shared_home))
    assert (code, out) == (7, "")
    assert err == '错误（missing_extra）：MCP 服务需要另装的组件。请运行：python -m pip install "kewen[mcp]"。\n'


def test_the_command_is_described_in_chinese(kewen):
    assert isinstance(command, ChineseCommand)
    code, out, _ = kewen("mcp", "--help")
    assert code == 0
    assert "search、fetch、ask" in out

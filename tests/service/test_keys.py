"""API keys: made, listed, revoked; what may be served to others at all; how often a key may ask."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from service.app import create_app
from service.errors import KewenError
from service.keys import FILE, KeyRing, check_exposure
from service.limits import RateLimit
from service.links import Links
from service.settings import load_settings


@pytest.fixture
def home(tmp_path):
    return load_settings({"home": tmp_path / "home"}, {})


def test_a_key_is_kept_as_a_hash_alone_and_by_its_owner_alone(home):
    key = KeyRing(home).add("dify", "full")
    path = home.home / FILE
    assert key not in path.read_text(encoding="utf-8")
    assert len(key) >= 32
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyRing(home).find(key).name == "dify"
    assert KeyRing(home).find(key[:-1]) is None
    assert KeyRing(home).find("") is None


def test_several_keys_at_once_and_one_revoked_while_another_ring_is_open(home):
    ring = KeyRing(home)
    first, second = ring.add("甲", "full"), ring.add("乙", "widget")
    other = KeyRing(home)
    assert [x.name for x in other.listed()] == ["甲", "乙"]
    ring.revoke("甲")
    assert other.find(first) is None
    assert other.find(second).scope == "widget"


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "长" * 61, "\x1b[31m"])
def test_a_name_that_will_not_do(home, name):
    with pytest.raises(KewenError) as caught:
        KeyRing(home).add(name, "full")
    assert caught.value.code == "invalid_request"


def test_a_name_is_taken_once(home):
    KeyRing(home).add("甲", "full")
    with pytest.raises(KewenError, match="已有名为 甲 的密钥"):
        KeyRing(home).add("甲", "full")


def test_what_can_not_be_revoked(home):
    with pytest.raises(KewenError) as caught:
        KeyRing(home).revoke("无此")
    assert caught.value.code == "not_found"
    with pytest.raises(KewenError, match="api_key"):
        KeyRing(replace(home, api_key="k" * 40)).revoke("api_key")


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"keys": [{}]}', '{"keys": [{"name": "a", "scope": "root", "created": "", "sha256": "é"}]}'],
)
def test_a_damaged_file_lets_nobody_in(assistant, settings, tmp_path, content):
    home = tmp_path / "home"
    home.mkdir()
    (home / FILE).write_text(content, encoding="utf-8")
    client = TestClient(create_app(assistant, replace(settings, home=home)), base_url="http://127.0.0.1")
    response = client.post("/v1/search", json={"query": "宝山"})
    assert response.status_code == 500
    assert "密钥文件" in response.json()["error"]["message"]
    assert client.get("/healthz").status_code == 200


def test_of_many_that_add_at_once_none_is_lost(home):
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: KeyRing(home).add(f"k{n}", "full"), range(8)))
    ring = KeyRing(home)
    assert sorted(x.name for x in ring.listed()) == [f"k{n}" for n in range(8)]
    assert all(ring.find(key) for key in made)


def test_a_file_that_vanishes_lets_nobody_in(home):
    ring = KeyRing(home)
    ring.add("甲", "full")
    assert ring.is_required
    (home.home / FILE).unlink()
    with pytest.raises(KewenError, match="读不了"):
        ring.listed()


def test_the_last_key_that_is_revoked_is_no_damage(home):
    ring = KeyRing(home)
    ring.add("甲", "full")
    other = KeyRing(home)
    assert other.is_required
    ring.revoke("甲")
    assert not other.is_required


def test_the_name_of_the_configured_key_is_taken(home):
    with pytest.raises(KewenError, match="已有名为 api_key"):
        KeyRing(home).add("api_key", "full")


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * 33])
def test_a_damaged_secret_signs_nothing(home, damage):
    KeyRing(home).add("甲", "full")
    (home.home / "link.key").write_bytes(damage)
    with pytest.raises(KewenError) as caught:
        Links(home).prepare()
    assert caught.value.code == "invalid_setting"


def test_a_home_that_can_not_be_written_is_said_at_the_start(kewen, tmp_path):
    (tmp_path / "home").write_text("no folder", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KEWEN_API_KEY", LONG)
        code, _, err = kewen("serve", "--home", str(tmp_path / "home"))
    assert code in (2, 6)
    assert "Traceback" not in err


def test_the_command_adds_lists_and_revokes(kewen, tmp_path):
    code, out, err = kewen("keys", "add", "门户")
    assert code == 0
    key = out.strip()
    assert key.startswith("kw-")
    assert key not in err
    code, out, _ = kewen("keys", "list")
    assert "门户　全部接口" in out
    assert key not in out
    code, out, _ = kewen("keys", "list", "--json")
    assert json.loads(out)["keys"][0].keys() == {"name", "scope", "created"}
    code, out, err = kewen("keys", "revoke", "门户")
    assert code == 0
    assert "不再需要密钥" in err
    code, _, err = kewen("keys", "revoke", "门户")
    assert code == 2
    assert "没有名为 门户 的密钥" in err


def test_a_widget_key_without_origins_is_pointed_out(kewen):
    _, _, err = kewen("keys", "add", "网页", "--widget")
    assert "KEWEN_ALLOWED_ORIGINS" in err


def test_a_key_that_may_only_read(kewen):
    key = kewen("keys", "add", "读者", "--scope", "read")[1].strip()
    assert "读者　只读" in kewen("keys", "list")[1]
    assert json.loads(kewen("keys", "list", "--json")[1])["keys"][0]["scope"] == "read"
    assert KeyRing(load_settings()).find(key).scope == "read"


def test_two_ways_to_say_a_scope_do_not_contradict_each_other(kewen):
    assert kewen("keys", "add", "甲", "--widget", "--scope", "widget")[0] == 0
    code, _, err = kewen("keys", "add", "乙", "--widget", "--scope", "read")
    assert code == 2
    assert "--scope" in err
    code, _, err = kewen("keys", "add", "丙", "--scope", "root")
    assert code == 2
    assert "--scope" in err


# -- what may be served to others -----------------------------------------------------------------

LONG = "k" * 32


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"host": "0.0.0.0"}, "kewen keys add"),  # noqa: S104 - that it is refused is the test
        ({"host": "0.0.0.0", "api_key": LONG[:-1], "allowed_hosts": "kewen.lan"}, "至少要 32 个字符"),  # noqa: S104
        ({"host": "0.0.0.0", "api_key": LONG}, "KEWEN_ALLOWED_HOSTS"),  # noqa: S104
        ({"host": "::", "api_key": LONG}, "KEWEN_ALLOWED_HOSTS"),
        ({"allowed_hosts": "kewen.lan"}, "kewen keys add"),
        ({"public_url": "https://kewen.example.cn"}, "kewen keys add"),
    ],
)
def test_unsafe_configurations_are_refused(given, says, kewen):
    options = [x for name, value in given.items() if name == "host" for x in ("--host", value)]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(f"KEWEN_{name.upper()}", value)
        code, _, err = kewen("serve", *options)
    assert code == 8
    assert says in err


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"host": "localhost", "api_key": "short"},
        {"public_url": "http://localhost:9000"},
        {"host": "0.0.0.0", "api_key": LONG, "allowed_hosts": ["kewen.lan"]},  # noqa: S104
        {"public_url": "https://kewen.example.cn", "api_key": LONG},
    ],
)
def test_safe_configurations_are_not(given, tmp_path):
    settings = load_settings({"home": tmp_path, **given}, {})
    check_exposure(settings, KeyRing(settings).listed())


def test_a_key_of_a_widget_alone_is_no_key_for_a_service(home):
    KeyRing(home).add("网页", "widget")
    exposed = replace(home, host="0.0.0.0", allowed_hosts=("kewen.lan",))  # noqa: S104
    with pytest.raises(KewenError, match="须先有密钥"):
        check_exposure(exposed, KeyRing(exposed).listed())


def test_a_key_that_reads_is_one(home):
    KeyRing(home).add("读者", "read")
    exposed = replace(home, host="0.0.0.0", allowed_hosts=("kewen.lan",))  # noqa: S104
    check_exposure(exposed, KeyRing(exposed).listed())


# -- how often ------------------------------------------------------------------------------------


def test_a_bucket_empties_and_fills():
    now = [0.0]
    limit = RateLimit(60, lambda: now[0])
    assert [limit.wait("a") for _ in range(60)] == [0.0] * 60
    assert limit.wait("a") == pytest.approx(1.0)
    assert limit.wait("b") == 0.0
    now[0] = 0.5
    assert limit.wait("a") == pytest.approx(0.5)
    now[0] = 1.0
    assert limit.wait("a") == 0.0
    now[0] = 10_000.0
    assert [limit.wait("a") for _ in range(60)] == [0.0] * 60
    assert limit.wait("a") > 0


def test_no_limit():
    limit = RateLimit(0)
    assert all(limit.wait("a") == 0.0 for _ in range(1000))


def test_a_key_that_asks_too_often_waits_and_another_does_not(assistant, settings, tmp_path):
    here = replace(settings, home=tmp_path, rate_limit=2)
    ring = KeyRing(here)
    busy, calm = ring.add("忙", "full"), ring.add("闲", "full")
    client = TestClient(create_app(assistant, here), base_url="http://127.0.0.1")

    def status(key: str, path: str = "/v1/documents") -> int:
        return client.get(path, headers={"Authorization": f"Bearer {key}"}).status_code

    assert [status(busy), status(busy), status(busy)] == [200, 200, 429]
    refused = client.get("/v1/documents", headers={"Authorization": f"Bearer {busy}"})
    assert refused.json()["error"]["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert status(calm) == 200


def test_the_doctor_looks_at_the_keys(kewen, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / FILE).write_text("{", encoding="utf-8")
    code, out, _ = kewen("doctor", "--home", str(home))
    assert code == 2
    assert f"✗ 密钥：数据目录中的密钥文件 {FILE} 读不了" in out

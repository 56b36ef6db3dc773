"""Settings: one table, a clear order of precedence."""

from __future__ import annotations

import pytest

from service.errors import KewenError
from service.settings import SETTINGS, Settings, load_settings


def test_precedence(tmp_path):
    (tmp_path / "config.toml").write_text("top_k = 7\nport = 9000\nhost = '::1'\n", encoding="utf-8")
    environment = {"KEWEN_HOME": str(tmp_path), "KEWEN_PORT": "9001", "KEWEN_ENCODER": ""}
    settings = load_settings({"host": "localhost", "top_k": None}, environment)
    assert (settings.home, settings.top_k, settings.port, settings.host) == (tmp_path, 7, 9001, "localhost")
    assert settings.encoder == "bundled"


def test_every_setting_of_the_table_is_a_field():
    assert {s.name for s in SETTINGS} == set(Settings.__slots__) - {"max_top_k"}
    assert all(s.help and s.variable.startswith("KEWEN_") for s in SETTINGS)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("top_k = 'x'", "config.toml"),
        ("colour = 1", "colour"),
        ("top_k = ", "读不了"),
        ("top_k = true", "应为整数"),
        ("encoder = ''", "不能为空"),
    ],
)
def test_a_bad_file_is_named(tmp_path, config, message):
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    with pytest.raises(KewenError, match=message) as error:
        load_settings({"home": tmp_path}, {})
    assert error.value.code == "invalid_setting"


def test_the_key_is_never_shown():
    assert "secret" not in repr(load_settings({"api_key": "secret", "llm_key": "secret"}, {}))


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("10.0.0.1", False), ("192.168.1.2", False)],
)
def test_what_is_local(host, local):
    assert load_settings({"host": host}, {}).is_local is local


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        (
            "allowed_hosts",
            "kewen.lan, KEWEN.example.cn.,10.0.0.5,[fd00::1]",
            ("kewen.lan", "kewen.example.cn", "10.0.0.5", "[fd00::1]"),
        ),
        ("allowed_hosts", ["a.cn", "a.cn", ""], ("a.cn",)),
        (
            "allowed_origins",
            "https://Portal.example.cn/,http://10.0.0.5:8080,app://lobe",
            ("https://portal.example.cn", "http://10.0.0.5:8080", "app://lobe"),
        ),
        ("allowed_origins", "file://", ("file://",)),
        ("public_url", "https://kewen.example.cn/kb/", "https://kewen.example.cn/kb"),
        ("public_url", "", ""),
        ("rate_limit", "0", 0),
    ],
)
def test_settings_of_the_service(name, given, read):
    assert getattr(load_settings({name: given}, {}), name) == read


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("allowed_hosts", "kewen.lan:80"),
        ("allowed_hosts", "http://kewen.lan"),
        ("allowed_hosts", "*"),
        ("allowed_hosts", "a b"),
        ("allowed_origins", "*"),
        ("allowed_origins", "null"),
        ("allowed_origins", "portal.example.cn"),
        ("allowed_origins", "https://portal.example.cn/path"),
        ("public_url", "kewen.example.cn"),
        ("public_url", "javascript:alert(1)"),
        ("public_url", "https://u:p@kewen.example.cn"),
        ("public_url", "https://kewen.example.cn/?a=b"),
        ("public_url", "https://科问.cn"),
        ("mcp", "yes"),
        ("rate_limit", "-1"),
    ],
)
def test_settings_of_the_service_that_will_not_do(name, given):
    with pytest.raises(KewenError) as caught:
        load_settings({name: given}, {})
    assert caught.value.code == "invalid_setting"
    assert name in caught.value.message

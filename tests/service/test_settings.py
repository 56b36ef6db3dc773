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

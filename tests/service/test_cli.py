"""The `kewen` command as a user runs it: what it prints, and what it exits with."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from corpus.library import shipped_folder
from service.errors import NOTHING, OK, PARTIAL, USAGE

QUESTION = "宝山区有多少家生物医药企业？"
LABEL = "《宝山区科技创新“十五五”规划（征求意见稿）》（2026）一、发展基础 › （四）创新链产业链融合发展，第78行"


@pytest.fixture
def ready(kewen, shared_home, monkeypatch):
    """The command over a home whose index is built."""
    monkeypatch.setenv("KEWEN_HOME", str(shared_home))
    return kewen


def test_first_use_builds_the_index_and_answers(kewen):
    code, out, err = kewen("ask", QUESTION)
    assert code == OK
    assert "正在为报告建立索引" in err
    understood, answer, head, evidence = out.rstrip("\n").split("\n\n")
    assert understood == "理解：优先讲宝山的段落。（加 --ignore 宝山 可去掉一条，加 --literal 则按字面检索）"
    assert re.fullmatch(r"【生物医药.*449 家.*】.*。 \[1\]\n（把握 \d+%）", answer)
    assert head == "依据："
    assert evidence.startswith(f"[1] {LABEL}\n")
    assert "【生物医药及合成生物领域企业 449 家，其中规上企业 74 家，上市企业 1 家。】" in evidence
    assert kewen("ask", QUESTION) == (OK, out, "")


def test_json_has_the_fields_of_the_contract(ready):
    code, out, err = ready("search", QUESTION, "--json", "-k", "2")
    assert (code, err) == (OK, "")
    result = json.loads(out)
    assert list(result) == ["query", "generation", "took_ms", "readings", "hits"]
    assert result["query"] == QUESTION
    (reading,) = result["readings"]
    assert reading == {
        "id": "place:宝山",
        "kind": "place",
        "surface": "宝山",
        "value": "宝山",
        "message": "优先讲宝山的段落",
    }
    first, second = result["hits"]
    assert (first["rank"], second["rank"]) == (1, 2)
    assert {"dense", "lexical"} <= set(first["signals"]) <= {"dense", "lexical", "expansion"}
    assert all(
        hit["expansion"] is None or list(hit["expansion"]) == ["text", "kind", "origin"] for hit in (first, second)
    )
    citation = first["citation"]
    assert citation["label"] == LABEL
    assert citation["section"] == ["一、发展基础", "（四）创新链产业链融合发展"]
    assert (citation["year"], citation["lines"], citation["pages"]) == (2026, [78, 78], None)
    source = (shipped_folder() / "baoshan-2026-innovation-plan.txt").read_text(encoding="utf-8")
    assert "".join(source[s:e] for s, e in citation["spans"]) == first["text"]
    assert ["449 家" in source[s:e] for s, e in first["highlights"]] == [True]
    start, end = citation["spans"][0][0], citation["spans"][-1][1]
    assert first["passage_id"] == f"baoshan-2026-innovation-plan:{start}-{end}"


def test_ask_names_the_question(ready):
    assert json.loads(ready("ask", QUESTION, "--json")[1])["question"] == QUESTION


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_modes(ready, mode):
    hits = json.loads(ready("search", "先投后股", "--mode", mode, "--json")[1])["hits"]
    assert all("先投后股" in hit["text"] for hit in hits[: 1 if mode == "dense" else 3])
    if mode != "hybrid":
        assert all({mode} <= set(hit["signals"]) <= {mode, "expansion"} for hit in hits)
    hits = json.loads(ready("search", "先投后股", "--mode", mode, "--no-expansion", "--json")[1])["hits"]
    assert all(set(hit["signals"]) == {"dense", "lexical"} if mode == "hybrid" else {mode} for hit in hits[:1])


def test_filters(ready):
    hits = json.loads(ready("search", "科创中心", "--year", "2022-2025", "--json", "-k", "50")[1])["hits"]
    assert {hit["citation"]["year"] for hit in hits} == {2022, 2024, 2025}
    hits = json.loads(ready("search", "宝山", "--document", "shanghai-2015-districts", "--json")[1])["hits"]
    assert {hit["citation"]["document_id"] for hit in hits} == {"shanghai-2015-districts"}


def test_restored_headings_are_shown_as_such(ready):
    for command in ("ask", "search"):
        out = ready(command, "普陀区与江苏省几市签署备忘录", "--year", "2025", "-k", "1")[1]
        assert "（2025）〔普陀区〕 › 加速沿沪宁产业创新带建设" in out


def test_batch_writes_a_line_for_each_line(ready, tmp_path):
    questions = [{"id": "a", "question": QUESTION}, {"id": 2, "question": "先投后股"}]
    file = tmp_path / "questions.jsonl"
    file.write_bytes(
        "\r\n".join(json.dumps(q, ensure_ascii=False) for q in questions).encode("utf-8-sig") + b"\r\n\r\n"
    )
    code, out, _ = ready("search", "--batch", str(file), "-k", "1")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == OK
    assert [line["id"] for line in lines] == ["a", 2]
    assert lines[0]["hits"][0]["citation"]["label"] == LABEL


def test_a_bad_line_of_a_batch_spoils_no_other(ready, tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_bytes(
        b'{"id": 1, "question": "\xff"}\n[1]\n{"id": 3}\n{"id": 4, "question": ""}\n'
        + '{"id": 5, "question": "先投后股"}'.encode()
    )
    code, out, _ = ready("ask", "--batch", str(file))
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == USAGE
    assert [line.get("error", {}).get("code") for line in lines] == ["invalid_request"] * 3 + ["empty_query", None]
    assert [line["id"] for line in lines] == [None, None, 3, 4, 5]
    assert lines[4]["hits"]


def test_nothing_found_exits_with_one(ready):
    code, out, _ = ready("search", "～～～")
    assert code == NOTHING
    assert "没有找到相关段落" in out
    code, out, _ = ready("ask", "～～～")
    assert code == NOTHING
    assert out.startswith("所收报告中没有找到依据。没有找到相关的段落。")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ask", ""], "empty_query", "空"),
        (["ask", "  \n "], "empty_query", "空"),
        (["ask", "长" * 2001], "query_too_long", "超过 2000 字（现为 2001 字）"),
        (["ask", "a\x00b"], "invalid_request", "控制字符"),
        (["ask", "a\x1b[31mb"], "invalid_request", "控制字符"),
        (["ask", "问", "-k", "0"], "invalid_request", "1 到 100"),
        (["ask", "问", "-k", "101"], "invalid_request", "1 到 100"),
        (["ask", "问", "--mode", "fuzzy"], "unknown_mode", "extractive、generative、passages"),
        (["ask", "问", "--mode", "hybrid"], "unknown_mode", "extractive、generative、passages"),
        (["search", "问", "--mode", "fuzzy"], "unknown_mode", "hybrid、dense、lexical"),
        (["search", "问", "--mode", "extractive"], "unknown_mode", "hybrid、dense、lexical"),
        (["ask", "问", "--after", ""], "empty_query", "空"),
        (["ask", "问", "--after", "a\x1b[31mb"], "invalid_request", "控制字符"),
        (["ask", "问", "--after", "长" * 2001], "query_too_long", "超过 2000 字"),
        (["ask", "问", "--year", "1999"], "unknown_year", "2015、2022、2024、2025、2026"),
        (["ask", "问", "--year", "今年"], "unknown_year", "2022-2025"),
        (["ask", "问", "--year", "2025-2022"], "unknown_year", "晚于"),
        (["ask", "问", "--document", "nope"], "unknown_document", "shanghai-2015-districts"),
        (["ask", "问", "--series", "nope"], "invalid_request", "上海科技创新年度报告"),
        (["ask"], "invalid_request", "--batch"),
        (["docs", "show", "nope"], "not_found", "nope"),
        (["ask", "问", "--reports", "/nowhere"], None, "reports.toml"),
    ],
)
def test_bad_use_is_one_chinese_line_with_a_code(ready, arguments, code, message):
    exit_code, out, err = ready(*arguments)
    if code is None:  # the index answers although its reports are gone, and says so
        assert exit_code == OK
        assert message in err
        return
    assert exit_code == USAGE
    assert out == ""
    assert err.startswith(f"错误（{code}）：")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["frob"], "没有命令 frob"),
        (["ask", "--frob"], "没有选项 --frob"),
        (["ask", "a", "b"], "参数过多"),
        (["ask", "a", "-k", "x"], "-k 的值不可用"),
        (["ask", "a", "--year"], "--year"),
        (["ask", "--batch", "/nowhere/x"], "--batch"),
        (["index", "frob"], "没有命令 frob"),
        (["docs", "show"], "编号"),
    ],
)
def test_a_wrong_command_line_is_explained_in_chinese(kewen, arguments, message):
    code, out, err = kewen(*arguments)
    assert (code, out) == (USAGE, "")
    assert err.startswith("用法有误：")
    assert message in err
    assert "--help" in err


def test_input_is_echoed_short_and_harmless(ready):
    err = ready("ask", "问", "--document", "\x1b[31m" + "x" * 500)[2]
    assert "\x1b" not in err
    assert "x" * 201 not in err


@pytest.mark.parametrize(
    "command",
    [
        *([], ["ask"], ["search"], ["index"], ["index", "build"], ["docs"], ["docs", "show"], ["docs", "enrich"]),
        *(["serve"], ["doctor"]),
    ],
)
def test_help_is_chinese(kewen, command):
    code, out, _ = kewen(*command, "--help")
    assert code == OK
    assert out.startswith("用法：kewen")
    assert "Usage" not in out
    assert "[OPTIONS]" not in out


def test_docs_list_and_show(ready):
    out = ready("docs", "list")[1]
    assert len(out.splitlines()) == 5
    assert "baoshan-2026-innovation-plan" in out
    shown = json.loads(ready("docs", "show", "shanghai-2022-districts", "--json")[1])
    assert list(shown) == ["document", "sections", "passages", "record"]
    assert shown["document"]["passages"] == len(shown["passages"]) == 17
    assert {"path": ["浦东新区"], "level": 1, "restored": True}.items() <= shown["sections"][0].items()
    assert {"passage_id", "text", "kind", "citation"} <= shown["passages"][0].keys()
    assert "〔浦东新区〕（1）" in ready("docs", "show", "shanghai-2022-districts")[1]


def test_index_build_status_verify(kewen):
    code, out, _ = kewen("index", "build")
    assert code == OK
    made = re.search(r"已建成 gen-000001：新编码 (\d+) 条，沿用 0 条", out)
    assert made
    assert int(made.group(1)) > 252, "pieces of passages, and expansions"
    report = json.loads(kewen("index", "build", "--json")[1])
    assert (report["generation"], report["embedded"], report["reused"]) == ("gen-000002", 0, int(made.group(1)))
    assert "现用：gen-000002" in kewen("index", "status")[1]
    assert json.loads(kewen("index", "status", "--json")[1])["generations"] == ["gen-000001", "gen-000002"]
    assert "252 条出处逐字与原文一致" in kewen("index", "verify")[1]


def test_index_verify_names_what_is_damaged(kewen, tmp_path):
    kewen("index", "build")
    path = tmp_path / "home/index/gen-000001/000/plain/dense/vectors.npy"
    assert path.is_file()
    path.write_bytes(b"x")
    code, _, err = kewen("index", "verify")
    assert code == 4
    assert "vectors.npy" in err


@pytest.mark.parametrize("damaged", ["gen-000001", "gen-000002"])
def test_index_verify_reads_the_tables_of_a_large_index_too(kewen, tmp_path, monkeypatch, damaged):
    """They are mapped, and nothing else reads them as a whole."""
    monkeypatch.setattr("index.generations.MAPPED", 0)
    kewen("index", "build")
    kewen("index", "build")
    assert kewen("index", "verify")[0] == OK
    path = tmp_path / "home/index" / damaged / "000/plain/dense/vectors.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    code, out, err = kewen("index", "verify")
    assert code != OK
    assert f"{damaged} 的 000/plain/dense/vectors.npy 已损坏" in out + err


def test_a_damaged_index_falls_back_loudly(kewen, tmp_path):
    expected = json.loads(kewen("ask", QUESTION, "--json")[1])["hits"]
    kewen("index", "build")
    (tmp_path / "home/index/gen-000002/000/passages.jsonl").write_bytes(b"{}")
    code, out, err = kewen("ask", QUESTION, "--json")
    assert code == OK
    assert "警告" in err
    assert "passages.jsonl" in err
    assert json.loads(out)["generation"] == "gen-000001"
    assert json.loads(out)["hits"] == expected


def test_a_damaged_index_without_a_previous_one_is_rebuilt(kewen, tmp_path):
    expected = json.loads(kewen("ask", QUESTION, "--json")[1])["hits"]
    (tmp_path / "home/index/gen-000001/000/passages.jsonl").write_bytes(b"{}")
    code, out, err = kewen("ask", QUESTION, "--json")
    assert code == OK
    assert "已损坏" in err
    assert "重建" in err
    assert json.loads(out)["hits"] == expected


def test_a_report_that_changed_is_named_and_the_indexed_text_still_answers(kewen, tmp_path):
    folder = tmp_path / "reports"
    shutil.copytree(shipped_folder(), folder)
    first = json.loads(kewen("ask", QUESTION, "--json", "--reports", str(folder))[1])["hits"]
    path = folder / "baoshan-2026-innovation-plan.txt"
    path.write_text(path.read_text(encoding="utf-8").replace("449 家", "944 家"), encoding="utf-8")
    code, out, err = kewen("ask", QUESTION, "--json", "--reports", str(folder))
    assert code == OK
    assert "警告：报告 baoshan-2026-innovation-plan 的文件在编入索引后有改动" in err
    assert json.loads(out)["hits"] == first
    code, out, _ = kewen("index", "build", "--reports", str(folder))
    assert code == PARTIAL
    assert "沿用原有版本" in out
    assert "sha256" in out
    assert "449 家" in kewen("ask", QUESTION, "--reports", str(folder))[1]


def test_an_index_of_another_encoder_is_refused(kewen, request, tmp_path):
    from safetensors.numpy import load_file, save_file

    import index.encoders
    from index.encoders import BundledEncoder

    kewen("index", "build")
    source = Path(index.encoders.__file__).parent / "bundled"
    other = tmp_path / "other"
    shutil.copytree(source, other)
    tensors = load_file(other / "model.safetensors")
    tensors["weights"] = tensors["weights"] * 2
    save_file(tensors, other / "model.safetensors")
    sums = json.loads((other / "files.json").read_text(encoding="utf-8"))
    (other / "files.json").write_text(json.dumps(sums | {"model.safetensors": "0" * 64}), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("service.keeper.load_encoder", lambda name: BundledEncoder(other))
        code, _, err = kewen("ask", QUESTION)
    assert code == 7
    assert err.startswith("错误（model_mismatch）：")
    assert "kewen index build" in err
    assert kewen("ask", QUESTION)[0] == OK


def test_a_model_that_is_not_here_is_explained(kewen):
    code, _, err = kewen("ask", QUESTION, "--encoder", "BAAI/bge-m3")
    assert code == 7
    assert "BAAI/bge-m3" in err
    assert "bundled" in err
    code, _, err = kewen("ask", QUESTION, "--encoder", "./no/such/model")
    assert code == 7
    assert "没有模型文件夹" in err


@pytest.mark.skipif(os.name == "nt", reason="POSIX paths")
def test_a_home_that_cannot_be_written(kewen, tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    for home in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/kewen")):
        code, _, err = kewen("ask", QUESTION, "--home", str(home))
        assert code == 6
        assert err.splitlines()[-1].startswith("错误（storage_error）：")
        assert "--home" in err


def test_a_folder_without_a_manifest_is_a_wrong_setting(kewen, tmp_path):
    code, _, err = kewen("index", "build", "--reports", str(tmp_path))
    assert code == USAGE
    assert err.startswith("错误（invalid_setting）：")
    assert "reports.toml" in err


def test_a_locked_index_says_who_writes(kewen, tmp_path):
    from index.generations import GenerationStore

    with GenerationStore(tmp_path / "home" / "index").writer():
        code, _, err = kewen("index", "build")
    assert code == 5
    assert str(os.getpid()) in err


def test_doctor(kewen, tmp_path):
    code, out, _ = kewen("doctor")
    assert code == OK
    assert out.count("✓") == 9
    kewen("index", "build")
    path = tmp_path / "home/index/gen-000001/000/plain/dense/vectors.npy"
    assert path.is_file()
    path.write_bytes(b"x")
    code, out, _ = kewen("doctor")
    assert code == 4
    assert "✗ 索引" in out
    checks = json.loads(kewen("doctor", "--json")[1])["checks"]
    assert [x["ok"] for x in checks] == [True] * 8 + [False]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [("KEWEN_TOP_K", "many", "应为整数"), ("KEWEN_TOP_K", "0", "1 到 100"), ("KEWEN_PORT", "70000", "65535")],
)
def test_a_bad_setting_is_named_with_its_source(kewen, monkeypatch, variable, value, message):
    monkeypatch.setenv(variable, value)
    code, _, err = kewen("ask", QUESTION)
    assert code == USAGE
    assert variable in err
    assert message in err


def test_serving_others_without_a_key_is_refused(kewen):
    code, _, err = kewen("serve", "--host", "0.0.0.0")  # noqa: S104 - that it is refused is the test
    assert code == 8
    assert "kewen keys add" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_onto_a_full_disk_is_an_error_in_one_line(shared_home):
    command = f'"{sys.executable}" -m service.cli docs list --home "{shared_home}" > /dev/full'
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, encoding="utf-8", check=False)
    assert run.returncode == 6
    assert run.stderr.startswith("错误（storage_error）：")
    assert run.stderr.count("\n") == 1


def test_a_defect_shows_no_traceback(ready, monkeypatch):
    monkeypatch.setattr("service.assistant.Assistant.search", lambda *arguments, **options: 1 / 0)
    monkeypatch.setattr("service.assistant.Assistant.answerer", lambda *arguments: 1 / 0)
    for command in ("ask", "search"):
        code, _, err = ready(command, QUESTION)
        assert code == 70
        assert "KEWEN_DEBUG" in err


def test_output_into_a_closed_pipe_is_no_error(shared_home):
    command = f'"{sys.executable}" -m service.cli docs show baoshan-2026-innovation-plan --json --home "{shared_home}" | head -c 10'
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, encoding="utf-8", check=False
    )
    assert run.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--home", ""], "文件夹"),
        (["--home", "~nosuchuser/x"], "没有这个用户"),
        (["--year", "2_022"], "2022-2025"),
        (["--year", "9" * 4000], "2022-2025"),
        (["--top-k", "9" * 400], "1 到 100"),
        (["--batch", "/nowhere/x"], "打不开"),
    ],
)
def test_odd_values_are_explained_shortly(ready, arguments, message):
    question = [] if "--batch" in arguments else ["问"]
    code, _, err = ready("ask", *question, *arguments)
    assert code == USAGE
    assert message in err
    assert len(err) < 300


def test_many_unknown_reports_make_no_long_message(ready):
    arguments = [x for n in range(300) for x in ("--document", f"nope-{n}")]
    assert len(ready("ask", "问", *arguments)[2]) < 600


@pytest.mark.parametrize(
    "line", ['{"id": NaN, "question": "问"}', '{"id": 1e999, "question": "问"}', '{"id": [1], "question": "问"}']
)
def test_an_id_that_is_no_json_value_is_refused(ready, tmp_path, line):
    file = tmp_path / "q.jsonl"
    file.write_text(line, encoding="utf-8")
    code, out, _ = ready("search", "--batch", str(file))
    assert code == USAGE
    assert json.loads(out, parse_constant=lambda x: pytest.fail(x))["error"]["code"] == "invalid_request"


def test_several_first_uses_at_once_all_answer(tmp_path):
    command = [sys.executable, "-m", "service.cli", "ask", QUESTION, "--home", str(tmp_path / "new")]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == OK, err.decode()
        assert "449 家" in out.decode()


def test_an_index_of_other_reports_is_not_asked(ready, make_folder):
    folder = make_folder({"a.txt": "嘉定区聚焦汽车新四化。"})
    code, _, err = ready("ask", "嘉定", "--reports", str(folder))
    assert code == 4
    assert "别的报告" in err


def test_closed_streams_are_no_defect(shared_home):
    for closed in (">&-", "2>&-"):
        command = f'"{sys.executable}" -m service.cli ask "{QUESTION}" --home "{shared_home}" {closed}'
        run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, encoding="utf-8", check=False)
        assert run.returncode == OK, run.stderr
        assert run.stderr == ""


def test_a_damaged_index_says_what_to_do(kewen, tmp_path):
    kewen("index", "build")
    (tmp_path / "home/index/gen-000001/manifest.json").write_bytes(b"{}")
    code, _, err = kewen("index", "verify")
    assert (code, "kewen index build" in err) == (4, True)


# -- what was understood, and why a passage was found -------------------------------------------------

MUCH = "请问minhang和徐汇2022年的大学"


def test_what_was_understood_is_shown_and_a_literal_question_is_not_understood(ready):
    out = ready("ask", MUCH)[1]
    first = out.splitlines()[0]
    assert first.startswith("理解：略去“请问”；“minhang”当作“闵行”；")
    for part in ("优先 2022 年的报告", "优先讲闵行的段落", "分成几问分别查：闵行；徐汇", "--ignore 徐汇", "--literal"):
        assert part in first
    assert "理解：" not in ready("ask", MUCH, "--literal")[1]


def test_readings_in_json(ready):
    result = json.loads(ready("search", MUCH, "--json")[1])
    assert result["query"] == MUCH
    assert {x["kind"] for x in result["readings"]} == {"filler", "name", "year", "place", "split"}
    assert all(list(x) == ["id", "kind", "surface", "value", "message"] for x in result["readings"])
    literal = json.loads(ready("search", MUCH, "--literal", "--json")[1])
    assert literal["readings"] == []
    assert literal["hits"] != result["hits"]


def test_a_question_that_says_no_more_than_its_words_has_no_readings(ready):
    assert json.loads(ready("search", "先投后股", "--json")[1])["readings"] == []
    assert ready("search", "先投后股")[1].startswith("[1] ")


def test_an_expansion_is_shown_as_a_reason_and_marked_as_no_quote(ready):
    question = "搞药的公司宝山一共有几家"
    with_ = json.loads(ready("search", question, "--json")[1])["hits"]
    without = json.loads(ready("search", question, "--no-expansion", "--json")[1])["hits"]
    reasons = [hit["expansion"]["text"] for hit in with_ if hit["expansion"]]
    assert reasons
    assert all(hit["expansion"] is None and "expansion" not in hit["signals"] for hit in without)
    text = ready("search", question)[1]
    assert all(f"    〔扩展问法，非原文〕{reason}" in text.splitlines() for reason in reasons)
    assert "扩展问法" not in ready("search", question, "--no-expansion")[1]
    assert all(reason not in hit["text"] for hit in with_ for reason in reasons)


def test_a_batch_takes_the_same_options(ready, tmp_path):
    file = tmp_path / "questions.jsonl"
    file.write_text(json.dumps({"id": 1, "question": MUCH}), encoding="utf-8")
    understood = json.loads(ready("search", "--batch", str(file))[1])
    literal = json.loads(ready("search", "--batch", str(file), "--literal", "--no-expansion")[1])
    assert understood["readings"]
    assert literal["readings"] == []
    assert all(hit["expansion"] is None for hit in literal["hits"])


def test_what_is_wrong_with_expansions_is_said_when_the_index_is_built(kewen, make_folder):
    folder = make_folder({"a.txt": "宝山区有生物医药企业449家。"})
    (folder / "a.expansions.jsonl").write_text('{"half', encoding="utf-8")
    code, out, err = kewen("index", "build", "--reports", str(folder))
    assert code == OK
    assert "a.expansions.jsonl" in out + err
    assert "第 1 行读不了" in out + err


def test_a_question_in_odd_letters_does_no_harm(ready):
    code, out, _ = ready("ask", "请问\u202eminhang\u2066有哪些园区")
    assert code in (OK, USAGE)
    assert "\u202e" not in out
    assert "\u2066" not in out

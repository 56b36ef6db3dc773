"""The shipped reports are the user's own documents: byte for byte."""

from __future__ import annotations

import hashlib

import pytest

from corpus.library import Library, LibraryError, shipped_folder

SHA256 = {
    "shanghai-2015-districts": "55a8dbd8361db4ddac399b5c20b77d26bd148687e9895bc501cf6c09a7cbb267",
    "shanghai-2022-districts": "b4f0742e27ffd73b02d065ac7c105a7c3ed4c64c4563d6f593733a2a991d8548",
    "shanghai-2024-zhangjiang-parks": "cc8d4af34f3d3da5208e1f8d35082406613d77a886e12d533caf98c33d9bf173",
    "shanghai-2025-districts": "ed0fb078407ec63190a6c77764b64185070ada3b42bd7db0565a6cfde72f4053",
    "baoshan-2026-innovation-plan": "27b704450e08a52074dd50944bec4867811010e49d7fcbd4c7c78fb003823633",
}


def test_bytes_are_unchanged():
    library = Library(shipped_folder())
    assert {entry.id: hashlib.sha256(entry.path.read_bytes()).hexdigest() for entry in library} == SHA256
    assert {entry.id: entry.sha256 for entry in library} == SHA256


def test_text_is_the_bytes_decoded(reports):
    for entry in Library(shipped_folder()):
        assert reports[entry.id].text.encode("utf-8") == entry.path.read_bytes()


def test_a_changed_report_is_refused_with_a_remedy(make_folder):
    folder = make_folder({"a.txt": "甲区建成三个园区。"}, sha256="0" * 64)
    library = Library(folder)
    with pytest.raises(LibraryError, match="kewen index build") as error:
        library.read(library.entries[0])
    assert error.value.code == "document_changed"


@pytest.mark.parametrize(
    ("manifest", "code", "named"),
    [
        (b"[[document]", "manifest_invalid", "TOML"),
        (b"\xff\xfe\x00", "manifest_invalid", "TOML"),
        (b'[[document]]\nid = "a"\n', "manifest_invalid", "file、title、year"),
        (b'[[document]]\nid="a"\nfile="../../etc/passwd"\ntitle="t"\nyear=1\nseries="s"\nkind="k"', "manifest_invalid", "文件夹内"),
        (b'[[document]]\nid="a"\nfile="a.txt"\ntitle="t"\nyear=1\nseries="s"\nkind="k"\n' * 2, "manifest_invalid", "重复：a"),
        (b'[[document]]\nid="a/b"\nfile="a.txt"\ntitle="t"\nyear=1\nseries="s"\nkind="k"', "manifest_invalid", "斜杠"),
        (b'[[document]]\nid="a"\nfile="a.txt"\ntitle="t"\nyear="x"\nseries="s"\nkind="k"', "manifest_invalid", "year"),
        (b'document = 3', "manifest_invalid", "document"),
        (b'[[document]]\nid="a"\nfile="a.txt"\ntitle="t"\nyear=1\nseries="s"\nkind="k"\nrestored_headings=[{before="x"}]', "manifest_invalid", "restored_headings"),
    ],
)  # fmt: skip
def test_a_broken_manifest_is_named(tmp_path, manifest, code, named):
    (tmp_path / "reports.toml").write_bytes(manifest)
    (tmp_path / "a.txt").write_text("甲。", encoding="utf-8")
    with pytest.raises(LibraryError, match=named) as error:
        Library(tmp_path)
    assert error.value.code == code


def test_a_missing_manifest_or_file_is_named(tmp_path, make_folder):
    with pytest.raises(LibraryError, match=r"reports\.toml"):
        Library(tmp_path / "nowhere")
    folder = make_folder({"a.txt": "甲。"})
    (folder / "a.txt").unlink()
    library = Library(folder)
    with pytest.raises(LibraryError, match=r"a\.txt") as error:
        library.read(library.entries[0])
    assert error.value.code == "document_missing"


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b"\xef\xbb\xbf \n", "empty"),
        ("a.txt", b"\xff\xfe\xff", "decode_error"),
        ("a.xls", b"x", "unsupported"),
    ],
)
def test_an_unreadable_document_is_named(make_folder, name, data, code):
    library = Library(make_folder({name: data}))
    with pytest.raises(LibraryError, match="a") as error:
        library.read(library.entries[0])
    assert error.value.code == code

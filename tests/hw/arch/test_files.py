"""Folders of files: all of them or none."""

from pathlib import Path

import pytest

from hw.arch.errors import RowforgeError
from hw.arch.files import write_files

FILES = {"b.txt": "one\ntwo é\n", "a.bin": b"\r\n\0", "below/c.txt": ""}


def contents(folder: Path) -> dict[str, bytes]:
    """All files there, by their place."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_files_are_written_as_they_are_and_others_stay(tmp_path):
    (tmp_path / "kept").write_text("mine")
    (tmp_path / "b.txt").write_text("old")
    names = [tmp_path / name for name in ("a.bin", "b.txt", "below/c.txt")]
    assert write_files(tmp_path, FILES) == names
    assert contents(tmp_path) == {
        "kept": b"mine",
        "a.bin": b"\r\n\0",
        "b.txt": "one\ntwo é\n".encode(),
        "below/c.txt": b"",
    }
    assert {path.name for path in tmp_path.iterdir()} == {"kept", "a.bin", "b.txt", "below"}


def test_the_folder_is_made(tmp_path):
    write_files(tmp_path / "one" / "two", FILES)
    assert contents(tmp_path / "one" / "two").keys() == FILES.keys()


def fail_to_write(*_: object, **__: object) -> int:
    """What a full disk does."""
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("in_the_way", "said"),
    [
        ("below/c.txt/folder", "below/c.txt is a folder there"),  # in place of a file
        ("below", "File exists"),  # in place of a folder
    ],
)
def test_what_is_in_the_way_leaves_all_as_it_was(tmp_path, in_the_way, said):
    (tmp_path / "b.txt").write_text("old")
    (tmp_path / in_the_way).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / in_the_way).write_text("")
    with pytest.raises(RowforgeError, match=f"output folder must be writable, not .*: {said}"):
        write_files(tmp_path, FILES)
    assert contents(tmp_path) == {"b.txt": b"old", in_the_way: b""}
    assert not list(tmp_path.glob(".*"))


def test_a_disk_that_is_full_leaves_all_as_it_was(tmp_path, monkeypatch):
    (tmp_path / "b.txt").write_text("old")
    monkeypatch.setattr(Path, "write_bytes", fail_to_write)
    with pytest.raises(RowforgeError, match="writable, not .*: No space left on device"):
        write_files(tmp_path, FILES)
    assert contents(tmp_path) == {"b.txt": b"old"}
    assert not list(tmp_path.glob(".*"))

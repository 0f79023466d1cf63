"""Whatever becomes of the files of kept results, one reads what was written, or nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compiler.cache.fingerprint import fingerprint
from compiler.cache.folder import CacheFolder, cache_folder

NAME, OTHER = fingerprint("a"), fingerprint("b")
VALUE = {"a": [1, 2.5, None, "x"], "b": {"c": [True, [12345678901234567890]]}}
ROOT = Path(__file__).parents[3]


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path / "new" / "one")
    assert folder.read(NAME) is None
    folder.write(NAME, VALUE)
    assert folder.read(NAME) == (VALUE,) and folder.read(OTHER) is None
    folder.write(NAME, None)
    assert folder.read(NAME) == (None,)
    assert len(files(tmp_path)) == 1


def test_a_damaged_entry_is_none(tmp_path: Path) -> None:
    """Any byte changed, cut off at any place, or under another name."""
    folder = CacheFolder(tmp_path)
    folder.write(NAME, {"a": [1, 2]})
    (path,) = files(tmp_path)
    right = path.read_bytes()
    for place in range(len(right)):
        for wrong in (
            right[:place],
            right[:place] + bytes([right[place] ^ 1]) + right[place + 1 :],
            right[:place] + b"\n" + right[place:],
        ):
            path.write_bytes(wrong)
            assert folder.read(NAME) is None, wrong
    path.write_bytes(right)
    assert folder.read(NAME) is not None
    folder.write(OTHER, {"a": [1, 2]})
    (other,) = set(files(tmp_path)) - {path}
    other.write_bytes(right)
    assert folder.read(OTHER) is None


def test_a_folder_in_place_of_an_entry_is_none(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path)
    folder.write(NAME, VALUE)
    (path,) = files(tmp_path)
    path.unlink()
    (path / "below").mkdir(parents=True)
    folder.write(NAME, VALUE)
    assert folder.read(NAME) is None
    assert not files(tmp_path)  # nor is anything left behind


def test_what_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = CacheFolder(tmp_path / "file")
    folder.write(NAME, VALUE)
    assert folder.read(NAME) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_left_alone(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path)
    tmp_path.chmod(0o500)
    folder.write(NAME, VALUE)
    assert folder.read(NAME) is None


def test_the_oldest_entries_go_first(tmp_path: Path) -> None:
    each, count = 1000, 64
    folder = CacheFolder(tmp_path, most_bytes=16 * 8 * each)
    names = [f"00f0{number:036x}" for number in range(count)]  # all in one of its folders
    for age, name in enumerate(names):
        folder.write(name, "x" * (each - 100))
        (path,) = (path for path in files(tmp_path) if path.name == name)
        os.utime(path, (age, age))
        if age == 2:
            assert folder.read(names[0]) is not None  # it is young again
    left = [name for name in names if folder.read(name) is not None]
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 8 * each
    assert len(left) >= 5
    assert left == [names[0], *names[count + 1 - len(left) :]]


_WRITER = """
import sys
from pathlib import Path
from compiler.cache.folder import CacheFolder
folder, name, own = CacheFolder(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
for number in range(100):
    folder.write(name, [own] * (1000 + number))
    (found,) = folder.read(name)
    assert len(found) >= 1000 and len(set(found)) == 1, found
"""


def test_processes_write_side_by_side(tmp_path: Path) -> None:
    """Each reads a whole value of one of them, at any time."""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path), NAME, str(own)],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        for own in range(3)
    ]
    for writer in writers:
        _, said = writer.communicate(timeout=60)
        assert writer.returncode == 0, said
    (path,) = files(tmp_path)
    assert path.name == NAME


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HOME": "/people/me"}, "/people/me/.cache/rowforge/searches"),
        ({"HOME": "/people/me", "XDG_CACHE_HOME": "/else"}, "/else/rowforge/searches"),
        (
            {"HOME": "/people/me", "XDG_CACHE_HOME": "relative"},
            "/people/me/.cache/rowforge/searches",
        ),
        ({"XDG_CACHE_HOME": "/else", "ROWFORGE_CACHE": "/there"}, "/there/searches"),
        ({"XDG_CACHE_HOME": "/else", "ROWFORGE_CACHE": ""}, None),
    ],
)
def test_the_environment_names_it(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str | None
) -> None:
    for name in ("HOME", "XDG_CACHE_HOME", "ROWFORGE_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    folder = cache_folder()
    assert (folder and str(folder.path)) == expected

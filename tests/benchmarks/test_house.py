"""The figures of the house, on a house of three rooms."""

import pytest

from benchmarks.house import figures, spread

FILES = {
    "hw/__init__.py": '"""Hardware."""\n',
    "hw/a/__init__.py": "",
    "hw/a/first.py": "import hw.b.second\n\n\nclass Same:\n    def f(self):\n        return 1\n",
    "hw/b/__init__.py": "",
    "hw/b/second.py": "from hw.a import first  # why\n\n\nclass _Same: ...\n\n\nclass Same: ...\n",
    "sim/__init__.py": "",
    "sim/third.py": "from hw.a.first import Same\n\n\nclass Own:\n    class Inner: ...\n",
    "tests/__init__.py": "",
    **{f"tests/test_{number}.py": "def test():\n    pass\n" for number in range(16)},
    "examples/not_counted.py": "class Same: ...\n",
}


@pytest.fixture
def found(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return figures(tmp_path)


def test_rooms(found):
    assert found["packages"] == ["hw", "sim"]
    assert found["files_a_folder"]["above_15"] == {"tests": 16}
    assert found["files_a_folder"]["folders"] == 4
    assert found["mutual_folder_pairs"] == {"count": 1, "pairs": [["hw/a", "hw/b"]]}


def test_names(found):
    assert found["class_names_used_twice"]["names"] == {"Same": ["hw.a.first", "hw.b.second"]}


def test_lengths_and_comments(found):
    lengths = found["lengths"]["packages"]
    assert lengths["file_lines"] == {"p50": 6, "p90": 7, "max": 7}
    assert lengths["function_lines"]["max"] == 2
    assert found["hw"] == {"lines": 14, "comments": 1, "comments_per_1000_lines": 71}


def test_spread():
    assert spread(range(1, 101)) == {"p50": 50, "p90": 90, "max": 100}
    assert spread([7]) == {"p50": 7, "p90": 7, "max": 7}

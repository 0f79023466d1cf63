"""What the site is made of, without building it: contents, references, checks, tutorials."""

import ast
import json
import re
import shlex
from pathlib import Path

import pytest

import rowforge
from rowforge.cli import COMMANDS, build_parser
from rowforge.configs import preset_names
from tests.support.packages import ROOT
from website import reference
from website.check import faults
from website.contents import REFERENCE, START, sections, tree
from website.run_pages import NOTEBOOKS, TUTORIALS, main, run, script

PAGES = sorted(TUTORIALS.glob("*.md"))


# ---- contents -----------------------------------------------------------------------------------


def test_every_page_is_in_the_site() -> None:
    """From the first page one reaches all pages of the documentation, and the README."""
    docs = {path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")}
    notebooks = {path.relative_to(ROOT) for path in NOTEBOOKS.glob("*.ipynb")}
    there = {START, *tree()}
    assert docs | notebooks <= there
    assert {Path("README.md"), Path("CONTRIBUTING.md"), Path("tb/README.md")} <= there


def test_sections_are_those_of_the_first_page() -> None:
    titles = [section.title for section in sections()]
    assert titles == ["", "Tutorials", "Concepts", REFERENCE, "Design and decisions", "Results"]
    assert all(section.pages for section in sections())


def test_decisions_are_below_their_index() -> None:
    index = Path("docs/decisions/README.md")
    below = {page for page, above in tree().items() if above == index}
    there = (ROOT / index).parent.glob("0*.md")
    assert below == {path.relative_to(ROOT) for path in there}


# ---- generated references -----------------------------------------------------------------------


def test_references_have_everything() -> None:
    pages = reference.pages(modules=False)
    text = pages[f"{reference.FOLDER}/configuration.md"]
    for name, _ in rowforge.Config.declared():
        section, _, field = name.partition(".")
        assert f"## [{section}]" in text and f"| `{field}` |" in text
    assert all(f"| `{name}` |" in text for name in preset_names())
    text = pages[f"{reference.FOLDER}/commands.md"]
    assert re.findall(r"^## ([\w-]+)$", text, re.MULTILINE) == list(COMMANDS)
    assert "--preset P" in text
    text = pages[f"{reference.FOLDER}/python.md"]
    assert set(re.findall(r"^## (\w+)$", text, re.MULTILINE)) == set(rowforge.__all__)
    assert ".. autoexception:: rowforge.RowforgeError" in text
    assert ".. autofunction:: rowforge.compile_model" in text
    assert "## Commands" in pages[f"{reference.FOLDER}/programs.md"]


def test_every_module_is_in_the_reference() -> None:
    text = "".join(reference.internals().values())
    named = set(re.findall(r"automodule:: ([\w.]+)", text))
    assert {"hw.pe.dense", "compiler", "rowforge.cli", "sim.cycles.predict"} <= named
    assert "rowforge.__main__" not in named


# ---- the check of a built site ------------------------------------------------------------------

GOOD = """<html><head><link rel="stylesheet" href="a.css"><script src="a.js"></script></head>
<body id="top"><a href="#top">a</a><a href="sub/b.html#here">b</a>
<a href="https://example.org/">a</a><img src="data:image/png;base64,AA"></body>
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.html").write_text(GOOD)
    (tmp_path / "sub" / "b.html").write_text('<p id="here"><a href="../a.html">a</a></p>')
    (tmp_path / "a.css").write_text("p { background: url(data:image/png;base64,AA) }")
    (tmp_path / "a.js").write_text("const see = 'https://example.org/'; // a text, not loaded")
    return tmp_path


def test_a_good_site_has_no_faults(site: Path) -> None:
    assert faults(site) == []


@pytest.mark.parametrize(
    ("name", "added", "fault"),
    [
        ("a.html", '<script src="https://cdn.example.org/x.js"></script>', "outside"),
        ("a.html", '<script src="//cdn.example.org/x.js"></script>', "outside"),
        ("a.html", '<link rel="preload stylesheet" href="http://example.org/x.css">', "outside"),
        ("a.html", '<img srcset="a.png 1x, https://example.org/b.png 2x" src="a.css">', "outside"),
        ("a.html", "<style>@import 'https://example.org/x.css';</style>", "outside"),
        ("a.html", '<p style="background:url(https://example.org/x.png)">', "outside"),
        ("a.html", "<script>fetch('https://example.org/x.json')</script>", "outside"),
        ("a.css", "@font-face { src: url('https://example.org/f.woff2') }", "outside"),
        ("a.js", "import('https://example.org/x.js')", "outside"),
        ("a.html", '<img src="none.png">', "none.png, which does not exist"),
        ("a.html", '<a href="none.html">a</a>', "none.html, which does not exist"),
        ("a.html", '<a href="sub/b.html#there">a</a>', "an anchor that is not there"),
        ("a.html", '<a href="#bottom">a</a>', "an anchor that is not there"),
    ],
)
def test_a_fault_is_found(site: Path, name: str, added: str, fault: str) -> None:
    path = site / name
    path.write_text(path.read_text() + added)
    found = faults(site)
    assert len(found) >= 1
    assert all(line.startswith(name) for line in found)
    assert any(fault in line for line in found)


def test_an_empty_site_is_a_fault(tmp_path: Path) -> None:
    assert faults(tmp_path) == [f"{tmp_path} has no pages"]


# ---- tutorials and notebooks --------------------------------------------------------------------


def test_blocks_become_a_script() -> None:
    page = "a\n```sh\none\n```\n```\ntwo\n```\n```python\nthree\n```\n"
    page += "```bash\npip install rowforge\n```\n"
    assert script(page) == "one\npython - <<'END_OF_PYTHON'\nthree\nEND_OF_PYTHON\n"
    assert script(page, fresh=True).endswith(f"pip install '{ROOT}'\n")
    extra = "```bash\npip install 'rowforge[bench]'\n```\n"
    assert script(extra, fresh=True) == f"pip install '{ROOT}[bench]'\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_tutorials_can_be_typed(page: Path) -> None:
    text = script(page.read_text(encoding="utf-8"))
    lines = [line.removeprefix("! ") for line in text.splitlines()]
    typed = [re.split(r" [>|&]", line)[0] for line in lines if line.startswith("rowforge ")]
    assert typed
    for line in typed:
        build_parser().parse_args(shlex.split(line)[1:])


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_hold_no_outputs(path: Path) -> None:
    """They are run where they are shown; kept outputs would grow old."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    for cell in code:
        ast.parse("".join(cell["source"]))
        assert cell["outputs"] == [] and cell["execution_count"] is None


def test_a_page_that_fails_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("website.run_pages.TUTORIALS", tmp_path)
    monkeypatch.setattr("website.run_pages.NOTEBOOKS", tmp_path)
    (tmp_path / "good.md").write_text('```sh\ntest -z "$(ls)"\n```\n```python\nprint(1)\n```\n')
    (tmp_path / "bad.md").write_text("```sh\necho before\nfalse\necho after\n```\n")
    assert main(["good"]) == 0
    assert main([]) == 1
    printed = capsys.readouterr().out
    assert "bad.md: status 1" in printed and "before" in printed
    assert "after" not in printed


def test_what_a_page_left_running_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("website.run_pages._TIMEOUT", 1)
    page = tmp_path / "page.md"
    page.write_text("```sh\necho mine\n(sleep 60; touch kept) &\nwait\n```\n")
    assert not run(page)
    printed = capsys.readouterr().out
    assert printed.startswith("mine\nnot done after 1 s\npage.md: status 1")

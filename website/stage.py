"""Lays out the source of the site: pages of the repository, notebooks, generated references."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from website import reference
from website.contents import REFERENCE, ROOT, START, files, sections, tree
from website.notebooks import as_markdown


def stage(target: Path, *, modules: bool = True) -> None:
    """Fills a folder with all sources of the site, in the folders that they have here.

    Links between pages therefore work as they do in a plain view of the repository. Notebooks are
    executed; an error in one raises. `modules`: with the docstrings of all modules.
    """
    shutil.rmtree(target, ignore_errors=True)
    above = tree()
    generated = reference.pages(modules=modules)
    for name, text in generated.items():
        _write(target / name, text)
    for page in [START, *above]:
        for path in files(page) if page.suffix == ".md" else []:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, target / path)
        below = [other for other, parent in above.items() if parent == page]
        if page.suffix == ".ipynb":
            text = as_markdown(ROOT / page)
        else:
            text = (ROOT / page).read_text(encoding="utf-8").replace(".ipynb)", ".md)")
        if page == START:
            text += _contents(generated)
        elif below:
            text += _toctree("", below)
        _write(target / page.with_suffix(".md"), text)


def _contents(generated: Iterable[str]) -> str:
    """The first page's tree, a caption for each of its sections."""
    shown = ""
    for section in sections():
        entries = [page for page in section.pages if page != START]
        if section.title == REFERENCE:
            own = [Path(name) for name in generated]
            top = [page for page in own if page.parent.stem == "reference" or page.stem == "index"]
            entries = top + entries
        shown += _toctree(section.title, entries)
    return shown


def _toctree(caption: str, pages: Iterable[Path]) -> str:
    lines = "\n".join(f"/{page.with_suffix('')}" for page in pages)
    named = f":caption: {caption}\n" if caption else ""
    return f"\n```{{toctree}}\n:hidden:\n{named}\n{lines}\n```\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

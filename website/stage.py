"""Lays out the source of the site: pages of the repository, notebooks, generated references."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from website import reference
from website.contents import REFERENCE, ROOT, START, files, sections, tree
from website.notebooks import as_markdown


def stage(target: Path, *, modules: bool = True) -> None:
    """Fills a folder with all sources of the site, in the folders that they have here.

    Links between pages therefore work as they do in a plain view of the repository. Notebooks are
    executed; an error in one raises. `modules`: with the docstrings of all modules. What has not
    changed since the folder was filled before is left alone, so that Sphinx need not read it again.
    """
    above = tree()
    generated = reference.pages(modules=modules)
    content = {Path(name): text.encode() for name, text in generated.items()}
    for page in [START, *above]:
        if page.suffix == ".ipynb":
            text = as_markdown(ROOT / page)
        else:
            content |= {path: (ROOT / path).read_bytes() for path in files(page)}
            text = (ROOT / page).read_text(encoding="utf-8").replace(".ipynb)", ".md)")
        below = [other for other, parent in above.items() if parent == page]
        if page == START:
            text += _contents(generated)
        elif below:
            text += _toctree("", below)
        content[page.with_suffix(".md")] = text.encode()
    _fill(target, content)


def _fill(target: Path, content: Mapping[Path, bytes]) -> None:
    """Makes the folder hold just these files."""
    for path in list(target.rglob("*")):
        if path.is_file() and path.relative_to(target) not in content:
            path.unlink()
    for name, data in content.items():
        path = target / name
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


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

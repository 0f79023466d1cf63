"""Figures of the house: `python -m benchmarks.house --commit C [--commit D] [-o FILE]`.

For each commit: Python files a folder, lengths of files and functions, folders that import each
other, public classes that share a name, and comments. Packages are the folders of the first level
with an `__init__.py`, apart from tests, benchmarks and examples.
"""

import argparse
import ast
import io
import json
import sys
import tokenize
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.checkout import checked_out, full_hash

_NO_PACKAGES = ("tests", "benchmarks", "examples")
_MOST_FILES = 15  # of a folder, which the architecture test holds


@dataclass(frozen=True)
class Source:
    """A Python file: its place below the root and its text."""

    path: Path
    text: str

    @property
    def folder(self) -> str:
        """Where it lies."""
        return self.path.parent.as_posix()

    @property
    def module(self) -> str:
        """What it is imported as."""
        parts = self.path.with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def lines(self) -> int:
        """How long it is."""
        return len(self.text.splitlines())


def sources(root: Path, *folders: str) -> list[Source]:
    """All Python files below some folders."""
    paths = [path for folder in folders for path in sorted((root / folder).rglob("*.py"))]
    return [Source(path.relative_to(root), path.read_text(encoding="utf-8")) for path in paths]


def figures(root: Path) -> dict[str, Any]:
    """All figures of the files of one commit."""
    packages = sorted(path.parent.name for path in root.glob("*/__init__.py"))
    packages = [name for name in packages if name not in _NO_PACKAGES]
    code = sources(root, *packages)
    tests = sources(root, "tests")
    pairs, shared = mutual_pairs(code), shared_classes(code)
    gateware = [source for source in code if source.path.parts[0] == "hw"]
    return {
        "packages": packages,
        "files_a_folder": files_a_folder([*code, *tests]),
        "lengths": {
            name: {"file_lines": spread(files), "function_lines": spread(functions)}
            for name, files, functions in (
                ("packages", _file_lengths(code), _function_lengths(code)),
                ("tests", _file_lengths(tests), _function_lengths(tests)),
            )
        },
        "mutual_folder_pairs": {"count": len(pairs), "pairs": pairs},
        "class_names_used_twice": {"count": len(shared), "names": shared},
        "hw": comments(gateware),
    }


def files_a_folder(found: Sequence[Source]) -> dict[str, Any]:
    """How many files folders have, `__init__.py` apart; all of those that have too many."""
    counts = Counter(source.folder for source in found if source.path.name != "__init__.py")
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {
        "folders": len(counts),
        **spread(list(counts.values())),
        "above_15": {name: count for name, count in ordered if count > _MOST_FILES},
        "largest": dict(ordered[:5]),
    }


def spread(values: Sequence[int]) -> dict[str, int]:
    """Median, nine tenths and the greatest: of each, the least value that so many do not exceed."""
    ordered = sorted(values)
    places = {"p50": 50, "p90": 90, "max": 100}
    return {name: ordered[-(-len(ordered) * part // 100) - 1] for name, part in places.items()}


def _file_lengths(found: Sequence[Source]) -> list[int]:
    return [source.lines for source in found if source.path.name != "__init__.py"]


def _function_lengths(found: Sequence[Source]) -> list[int]:
    """Lines of every function and method from `def` on, those inside others too."""
    return [
        (node.end_lineno or node.lineno) - node.lineno + 1
        for source in found
        for node in ast.walk(ast.parse(source.text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def mutual_pairs(found: Sequence[Source]) -> list[list[str]]:
    """Pairs of folders that import from each other."""
    places = {source.module: source.folder for source in found}
    arrows = {
        (source.folder, places[name])
        for source in found
        for name in _imports(source)
        if name in places and places[name] != source.folder
    }
    return sorted([one, other] for one, other in arrows if one < other and (other, one) in arrows)


def _imports(source: Source) -> Iterator[str]:
    """What a file imports, `from a import b` as both a and a.b."""
    for node in ast.walk(ast.parse(source.text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def shared_classes(found: Sequence[Source]) -> dict[str, list[str]]:
    """Names of public classes that are defined more than once, with the modules."""
    modules: dict[str, list[str]] = defaultdict(list)
    for source in found:
        for node in ast.walk(ast.parse(source.text)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                modules[node.name].append(source.module)
    return {name: places for name, places in sorted(modules.items()) if len(places) > 1}


def comments(found: Sequence[Source]) -> dict[str, Any]:
    """Lines with a comment, of all lines."""
    lines = sum(source.lines for source in found)
    count = sum(
        token.type == tokenize.COMMENT
        for source in found
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline)
    )
    return {
        "lines": lines,
        "comments": count,
        "comments_per_1000_lines": round(1000 * count / lines),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks.house", description=__doc__)
    parser.add_argument("--commit", action="append", required=True, help="oldest first")
    parser.add_argument("-o", dest="output", type=Path, help="a file instead of the terminal")
    options = parser.parse_args(arguments)
    found = []
    for commit in options.commit:
        with checked_out(commit) as root:
            found.append({"commit": full_hash(commit), **figures(root)})
    named = " ".join(f"--commit {item['commit'][:12]}" for item in found)
    document = {"command": f"python -m benchmarks.house {named}", "commits": found}
    text = json.dumps(document, indent=1) + "\n"
    if options.output is None:
        print(text, end="")
    else:
        options.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

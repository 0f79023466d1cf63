"""A name means one thing in the whole house: no two public classes share one."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields

from compiler.options import CompileOptions
from tests.support.packages import SHIPPED
from tests.test_architecture import parsed

PACKAGES = tuple(sorted({*SHIPPED, "tb"}))


def public_classes(tree: ast.AST) -> list[str]:
    """Public classes of a file, those inside classes and functions among them."""
    return [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]


def shared_names(files: Iterable[tuple[str, ast.AST]]) -> dict[str, list[str]]:
    """Class names that two modules (or one, twice) define, with the modules."""
    found: dict[str, list[str]] = defaultdict(list)
    for module, tree in files:
        for name in public_classes(tree):
            found[name].append(module)
    return {name: modules for name, modules in found.items() if len(modules) > 1}


def test_no_two_public_classes_share_a_name():
    files = [(module, tree) for _, module, tree in parsed(*PACKAGES)]
    assert sum(len(public_classes(tree)) for _, tree in files) > 300  # they are found at all
    assert shared_names(files) == {}


def test_a_shared_name_is_found():
    first = ast.parse("class Reader: ...\nclass _Hidden: ...\nclass Own: ...")
    second = ast.parse("class _Hidden: ...\ndef make():\n    class Reader: ...\n")
    assert shared_names([("a", first), ("b.c", second)]) == {"Reader": ["a", "b.c"]}


def test_compile_options_are_listed_once():
    """No function takes an option of the compiler apart from the others, save those it is for."""
    wanted = {field.name for field in fields(CompileOptions)}
    found = {}
    for _, module, tree in parsed(*SHIPPED):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                names = {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}
                if len(names & wanted) > 1:
                    found[f"{module}.{node.name}"] = names & wanted
    assert found == {}


# Ends of words that two Englishes spell apart; ours is British, other people's names are theirs.
_AMERICAN = re.compile(
    r"(quantiz|normaliz|optimiz|utiliz|initializ|materializ|synthesiz|behavior(?!s)|color|center"
    r"|neighbor|favor)",
    re.IGNORECASE,
)


def defined_names(tree: ast.AST) -> set[str]:
    """Names that a file gives to classes, functions, arguments and variables."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
            found.add(node.attr)
    return found


def test_names_are_spelled_one_way():
    """Identifiers and modules; the command `quantize` is spelled as its users know the word."""
    wrong = set()
    for _, module, tree in parsed(*PACKAGES):
        names = {module, *(f"{module}: {name}" for name in defined_names(tree))}
        wrong |= {name for name in names if _AMERICAN.search(name.split(": ")[-1])}
    assert wrong == {"rowforge.commands.quantize"}

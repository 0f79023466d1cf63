"""The rules of the house: who imports whom, what is never written, what every file is spared."""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from tests.campaigns.mutants.run import FOLDERS
from tests.support.packages import PROJECT, ROOT, SHIPPED, UNSHIPPED

PACKAGES = SHIPPED

# What the modules of a layer import of the project, beside the layer itself.
LAYERS = {
    "hw.arch": (),
    "hw": ("hw.arch",),
    "numerics": ("hw.arch",),
    "compiler": ("numerics", "hw.arch"),
    "sw_driver": ("numerics", "hw.arch"),
    "sim": ("numerics", "hw", "compiler", "sw_driver"),
    "boards": ("hw",),
    "tb": ("hw", "sim", "sw_driver.protocol"),
    "rowforge": ("numerics", "hw", "compiler", "sim", "boards", "sw_driver", "tb"),
}
WITHOUT_AMARANTH = ("numerics", "hw.arch", "compiler", "sw_driver", "sim.golden")

MOST_LINES = 400
MOST_FILES = 15  # of a folder, `__init__.py` apart

_NAMES_BANNED_FROM_AMARANTH = {
    "Record": "wiring.Component with a signature, or lib.data",
    "Settle": "async testbenches",
    "log2_int": "ceil_log2 or exact_log2",
}
_MODULES_BANNED = {
    "amaranth.asserts": "Assert and Assume from amaranth.hdl",
    "amaranth.hdl.rec": "lib.data",
    "amaranth.compat": "Amaranth itself",
}
_CALLS_BANNED = {
    "add_sync_process": "add_testbench with an async function",
    "add_process_legacy": "add_testbench with an async function",
}


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def layer_of(module: str) -> str | None:
    found = [layer for layer in LAYERS if is_within(module, layer)]
    return max(found, key=len, default=None)


def imports(tree: ast.AST) -> list[str]:
    """Every module that a file names in an import, `from a import b` as both a and a.b."""
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names.append(node.module or "")
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def parsed(*folders: str):
    for path in python_files(*folders):
        yield path, module_name(path), ast.parse(path.read_text(encoding="utf-8"), str(path))


# ---- layers -------------------------------------------------------------------------------------


def test_layers_import_only_what_they_may():
    wrong = []
    for _, module, tree in parsed(*PACKAGES):
        layer = layer_of(module)
        assert layer is not None, module
        allowed = (layer, *LAYERS[layer])
        for name in imports(tree):
            ours = name.split(".")[0] in (*PACKAGES, *UNSHIPPED)
            whole = name == "hw" and any(is_within(a, "hw") for a in allowed)
            if ours and not whole and not any(is_within(name, package) for package in allowed):
                wrong.append(f"{module} imports {name}")
    assert not wrong


def test_the_contract_is_found_by_the_layer_test():
    """A rule that matches nothing would pass: every layer has modules, some import another."""
    seen = {layer_of(module) for _, module, _ in parsed(*PACKAGES)}
    assert seen == set(LAYERS)


def folder_of(path: Path) -> str:
    return str(path.parent.relative_to(ROOT))


def folder_imports() -> dict[str, set[str]]:
    """The folders of the project that each folder imports from, itself apart."""
    places = {module: folder_of(path) for path, module, _ in parsed(*PACKAGES)}
    found: dict[str, set[str]] = {folder: set() for folder in places.values()}
    for path, _, tree in parsed(*PACKAGES):
        used = {places[name] for name in imports(tree) if name in places}
        found[folder_of(path)] |= used - {folder_of(path)}
    return found


def test_no_folder_imports_its_user():
    """At any depth: what a folder imports never leads back to it."""
    direct = folder_imports()
    assert direct["compiler/schedule"] >= {"compiler/operators", "compiler/stream"}
    for start in direct:
        reached, left = set(), list(direct[start])
        while left:
            folder = left.pop()
            if folder not in reached:
                reached.add(folder)
                left += direct[folder]
        assert start not in reached, f"{start} imports what imports it"


def test_folders_are_small():
    counts = Counter(
        folder_of(path) for path in python_files(*PACKAGES, "tests") if path.name != "__init__.py"
    )
    assert {name: count for name, count in counts.items() if count > MOST_FILES} == {}


def test_no_package_is_forgotten():
    """What lists packages has all of them: packaging, types, layers, mutants."""
    there = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert there - {*UNSHIPPED} == set(SHIPPED)
    assert {layer.split(".")[0] for layer in LAYERS} == set(PACKAGES)
    assert set(PROJECT["tool"]["mypy"]["files"]) == {*SHIPPED, "benchmarks", "website"}
    assert set(FOLDERS) <= set(SHIPPED)


def test_software_names_no_gateware_language():
    wrong = [
        f"{module} imports {name}"
        for _, module, tree in parsed(*PACKAGES)
        if any(is_within(module, package) for package in WITHOUT_AMARANTH)
        for name in imports(tree)
        if is_within(name, "amaranth")
    ]
    assert not wrong


def test_software_loads_no_gateware_language():
    modules = [
        module
        for _, module, _ in parsed(*PACKAGES)
        if any(is_within(module, package) for package in WITHOUT_AMARANTH)
    ]
    code = "import sys, importlib\n"
    code += f"for name in {modules!r}: importlib.import_module(name)\n"
    code += "sys.exit('amaranth' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr or "amaranth was loaded"


# ---- constructs -----------------------------------------------------------------------------


def test_amaranth_is_written_in_its_present_idiom():
    wrong = []
    for path, module, tree in parsed("hw", "boards", "tb", "tests"):
        for name in imports(tree):
            last = name.rpartition(".")[2]
            if is_within(name, "amaranth") and last in _NAMES_BANNED_FROM_AMARANTH:
                wrong.append(f"{module}: {name}; use {_NAMES_BANNED_FROM_AMARANTH[last]}")
            if name in _MODULES_BANNED:
                wrong.append(f"{module}: {name}; use {_MODULES_BANNED[name]}")
            if name in ("amaranth.hdl.Memory", "amaranth.Memory"):
                wrong.append(f"{module}: {name}; use lib.memory.Memory")
        wrong += [f"{path.name}:{line}: {what}" for line, what in banned_constructs(tree)]
    assert not wrong


def banned_constructs(tree: ast.AST):
    """(line, what) of everything that Amaranth accepts and ought not to."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
            if "Elaboratable" in bases:
                yield node.lineno, "a bare Elaboratable; use wiring.Component"
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else called
        if called == "Case" and not node.args:
            yield node.lineno, "m.Case() is never active; use m.Default()"
        if name == "Signal" and any(keyword.arg == "reset" for keyword in node.keywords):
            yield node.lineno, "reset= is init="
        if name in _CALLS_BANNED:
            yield node.lineno, f"{name}: use {_CALLS_BANNED[name]}"


@pytest.mark.parametrize(
    "source",
    [
        "m.Case()",
        "Signal(8, reset=1)",
        "simulator.add_sync_process(process)",
        "class Block(Elaboratable): pass",
    ],
)
def test_banned_constructs_are_seen(source):
    assert list(banned_constructs(ast.parse(source)))


# ---- text ---------------------------------------------------------------------------------------

_TEXT_SUFFIXES = {".py", ".md", ".toml", ".c", ".cpp", ".h", ".yml", ".txt", ".v", ".vlt"}
_TEXT_NAMES = {"Makefile", "NOTICE", "run"}
_SKIPPED = {".venv", ".git", "build", "dist", "rowforge-demo", ".cache"}

# Spelled in parts, so that this file does not contain them.
_FORBIDDEN = {
    "no" + "qa": "a rule that does not suit the project is left out of pyproject.toml",
    "TO" + "DO": "open ends are issues",
    "FIX" + "ME": "open ends are issues",
    "NotImplemented" + "Error": "what cannot be done is refused with a sentence",
    "/ho" + "me/": "a path of one machine",
    "/ro" + "ot/": "a path of one machine",
    "/wo" + "rk/": "a path of one machine",
    "/Use" + "rs/": "a path of one machine",
    "pypi" + ".org": "a package registry; the user's own settings name it",
    "python" + "hosted": "a package registry; the user's own settings name it",
}


def text_files() -> list[Path]:
    return sorted(
        path
        for path in ROOT.rglob("*")
        if path.is_file()
        and (path.suffix in _TEXT_SUFFIXES or path.name in _TEXT_NAMES)
        and not _SKIPPED & set(path.relative_to(ROOT).parts)
        and not any(part.endswith("_cache") for part in path.relative_to(ROOT).parts)
        and not any(part.endswith(".egg-info") for part in path.relative_to(ROOT).parts)
    )


def test_no_file_holds_what_it_should_not():
    wrong = [
        f"{path.relative_to(ROOT)}: {word} ({why})"
        for path in text_files()
        for word, why in _FORBIDDEN.items()
        if word in path.read_text(encoding="utf-8")
    ]
    assert not wrong


def test_files_hold_one_concept():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in python_files(*PACKAGES)
    }
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_every_module_says_what_it_is():
    silent = [
        module
        for _, module, tree in parsed(*PACKAGES)
        if isinstance(tree, ast.Module) and tree.body and not ast.get_docstring(tree)
    ]
    assert not silent


def test_every_dependency_is_justified():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    project = tomllib.loads("\n".join(lines))["project"]
    wanted = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        wanted += extra
    for requirement in wanted:
        found = [line for line in lines if line.strip().startswith(f'"{requirement}"')]
        assert len(found) == wanted.count(requirement)
        for line in found:
            assert re.search(r",\s+# \w", line), f"{requirement} has no reason"

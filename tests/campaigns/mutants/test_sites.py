"""Which changes the mutation tester makes, and that each of them is one."""

import ast
import random

import pytest

from hw.arch.errors import RowforgeError
from tests.campaigns.mutants.fingerprint import EMITTERS
from tests.campaigns.mutants.run import DESIGNS, all_sites, main, verilog_of
from tests.campaigns.mutants.sites import Site, sites
from tests.campaigns.mutants.tree import ROOT

SOURCE = '''\
"""A text with 1 + 2."""

from typing import Any

LIMIT = 8  # é: offsets count bytes


def span(a: int | None, b: "list[int]") -> int | str:
    """Another text, 3 < 4."""
    if not a or a >= LIMIT:
        raise ValueError(f"{a + 1} must be less than {LIMIT - 1}")
    wide = Signal(bits_for(a + LIMIT), init=True)
    other = Signal(signed(LIMIT))
    part = wide[a:] if isinstance(a, int | str) else ["x"] + ["y"]
    return ~wide & (part << 3)
'''


def found(kind: str) -> set[tuple[str, str]]:
    return {(site.old, site.new) for site in sites("s.py", SOURCE) if site.kind == kind}


def test_operators_comparisons_and_constants_change() -> None:
    assert found("operator") == {
        ("not a", "(a)"),
        ("or", "and"),
        ("+", "-"),
        ("~wide", "(wide)"),
        ("&", "|"),
        ("<<", ">>"),
    }
    assert found("comparison") == {(">=", ">")}
    assert found("constant") == {
        ("8", "9"),
        ("8", "7"),
        ("True", "False"),
        ("3", "4"),
        ("3", "2"),
    }


def test_widths_and_slices_change() -> None:
    assert found("width") == {
        ("bits_for(a + LIMIT)", "(bits_for(a + LIMIT) - 1)"),
        ("LIMIT", "LIMIT - 1"),
    }
    assert found("slice") == {("a", "a + 1")}


def test_a_change_is_made_at_its_place_alone() -> None:
    for site in sites("s.py", SOURCE):
        changed = site.apply(SOURCE)
        ast.parse(changed)
        assert changed != SOURCE
        before, after = SOURCE.splitlines(), changed.splitlines()
        differing = [
            n for n, pair in enumerate(zip(before, after, strict=True)) if len({*pair}) > 1
        ]
        assert differing == [site.line - 1]


def test_all_sources_have_sites_and_every_change_can_be_read() -> None:
    chosen: list[Site] = random.Random(5).sample(all_sites(), 60)
    for site in chosen:
        source = (ROOT / site.path).read_text()
        assert ast.dump(ast.parse(site.apply(source))) != ast.dump(ast.parse(source))


@pytest.mark.slow
def test_a_choice_follows_from_its_seed() -> None:
    first, second = (random.Random(9).sample(all_sites(), 30) for _ in range(2))
    assert first == second


def test_sites_are_those_of_the_paths_that_are_named() -> None:
    files = {site.path for site in all_sites(["compiler/schedule/tiling.py", "sim/functional"])}
    assert "compiler/schedule/tiling.py" in files
    assert "sim/functional/contents.py" in files
    assert all(name == "compiler/schedule/tiling.py" or "sim/functional/" in name for name in files)
    twice = all_sites(["compiler/schedule/tiling.py", "compiler/schedule"])
    assert len(twice) == len(set(twice))


@pytest.mark.parametrize(
    "path", ["compiler/nothing.py", "tests/campaigns/mutants", "README.md", "hw/../.."]
)
def test_a_path_without_sites_is_refused(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RowforgeError, match="paths must name sources"):
        all_sites([path])
    assert main(["--n", "1", "--seed", "1", "--paths", path]) == 2
    assert "paths must name sources" in capsys.readouterr().out


def test_what_an_accelerator_without_a_memory_lacks_is_made_by_itself() -> None:
    """Otherwise every mutant of it would be held for equivalent."""
    assert set(DESIGNS.values()) == EMITTERS.keys() - {"verilog"}
    for folder, kind in [*DESIGNS.items(), ("hw/control", None)]:
        assert {verilog_of(site) for site in all_sites([folder])} == {kind}

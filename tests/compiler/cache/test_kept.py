"""Results come from the folder if nothing has changed, and are those that a search would find."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compiler.cache import kept as kept_module
from compiler.cache import plans as kept_plans
from compiler.cache.kept import kept
from compiler.cache.plans import UNREAD, kept_flat_plans, kept_search
from compiler.cache.source import COMPILER, digest_files, source_digest
from compiler.compile import compile_graph
from compiler.ir.graph import Graph
from compiler.mapper.search import search
from compiler.mapper.space import Plan
from compiler.nest.flat import flat_plans
from compiler.operators.convolve import ConvOperation
from compiler.options import CompileOptions
from compiler.schedule import kept_tilings
from compiler.schedule.chunks import find_chunks
from compiler.schedule.goal import Goal
from compiler.schedule.kept_tilings import kept_chunks, kept_tiling
from compiler.schedule.space import Space
from compiler.schedule.tiling import find_tiling
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Host, Program
from tests.compiler.figures import CONFIGS, SHAPES
from tests.compiler.support import conv_graph

TINY = CONFIGS["tiny"]
NARROW = Config.of({"buffer.banks": 10, "buffer.depth": 64, "pe.psum_spad": 16})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the test's own."""
    monkeypatch.setenv("ROWFORGE_CACHE", str(tmp_path))
    return tmp_path


def forget() -> None:
    """As if the process had begun just now."""
    kept_search.cache_clear()
    kept_flat_plans.cache_clear()


def entries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def keep(find: Callable[[], Any], *, kind: str = "kind", key: Any = 1) -> Any:
    return kept(kind, key, find, pack=lambda value: value, unpack=lambda entry: entry)


def never(*given: Any, **named: Any) -> Any:
    raise AssertionError("it was found before")


# ---- any result ---------------------------------------------------------------------------------


def test_a_result_is_found_once(folder: Path) -> None:
    assert keep(lambda: [1, "a"]) == keep(never) == [1, "a"]
    assert keep(lambda: 2, key=2) == 2 and keep(lambda: 3, kind="other") == 3
    assert len(entries(folder)) == 3


def test_none_is_a_result(folder: Path) -> None:
    assert keep(lambda: None) is None and keep(never) is None


def test_nothing_is_kept_where_it_is_switched_off(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(lambda: 1)
    monkeypatch.setenv("ROWFORGE_CACHE", "")
    assert keep(lambda: 2) == 2
    assert len(entries(folder)) == 1


def test_another_source_finds_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = count()
    assert keep(lambda: next(numbers)) == 0
    monkeypatch.setattr(kept_module, "source_digest", lambda code: "another")
    assert keep(lambda: next(numbers)) == 1
    monkeypatch.undo()
    monkeypatch.setenv("ROWFORGE_CACHE", str(folder))
    assert keep(never) == 0


def test_the_digest_of_a_source_has_every_file(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    inner = tmp_path / "a" / "b" / "prices.toml"
    digests = []

    def digest() -> None:
        digests.append(digest_files(tmp_path, ("a",)))

    assert digest_files(tmp_path, ("a",)) is None
    (tmp_path / "a" / "x.py").write_text("1")
    digest()
    (tmp_path / "a" / "x.py").write_text("2")
    digest()
    inner.write_text("2")
    digest()
    inner.write_text("3")
    digest()
    inner.rename(tmp_path / "a" / "prices.toml")
    digest()
    assert len(set(digests)) == len(digests)
    (tmp_path / "a" / "x.pyc").write_text("4")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "y.py").write_text("5")
    assert digest_files(tmp_path, ("a",)) == digests[-1]


def test_nothing_is_kept_of_code_without_files(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an archive of compiled modules: who knows which version it is?"""
    monkeypatch.setattr(kept_module, "source_digest", lambda code: None)
    assert keep(lambda: 1) == 1 and keep(lambda: 2) == 2
    assert not entries(folder)


def test_every_folder_of_the_compiler_counts() -> None:
    assert len({source_digest(), *(source_digest((folder,)) for folder in COMPILER)}) == 4
    root = Path(kept_module.__file__).parents[2]
    assert source_digest() == digest_files(root, COMPILER)


# ---- mappings -----------------------------------------------------------------------------------


def facts(plan: Plan) -> tuple[Any, ...]:
    """All of a plan: blocks leave their load out when they are compared."""
    return plan, [block.load for block in plan.blocks]


@pytest.mark.parametrize("name", [name for name in SHAPES if name != "dense"])
def test_a_kept_plan_is_the_plan(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (TINY, SHAPES[name], 2048)
    forget()
    found = kept_search(*arguments)
    monkeypatch.setattr(kept_plans, "search", never)
    forget()
    again = kept_search(*arguments)
    assert again is not found
    assert facts(again) == facts(found) == facts(search(*arguments))
    assert again.load.busy.keys is found.load.busy.keys  # costs are added fast
    assert len(entries(folder)) == 1


def test_kept_flat_plans_are_the_plans(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (TINY, SHAPES["pointwise"], 2048, "cycles")
    forget()
    found = kept_flat_plans(*arguments)
    monkeypatch.setattr(kept_plans, "flat_plans", never)
    forget()
    again = kept_flat_plans(*arguments)
    assert [(facts(plan), pixel) for plan, pixel in again] == [
        (facts(plan), pixel) for plan, pixel in flat_plans(*arguments)
    ]
    assert again == found and again is not found


def test_a_refusal_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    for _ in range(2):
        forget()
        with pytest.raises(RowforgeError) as caught:
            kept_search(TINY, SHAPES["dense"], 0)  # no psum may wait
        said.append(str(caught.value))
        monkeypatch.setattr(kept_plans, "search", never)
    assert said[0] == said[1] != ""


def test_fields_that_no_mapping_depends_on_are_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fields that are never read in a search are the same layer; all others make another."""
    other = {"pe.psum_fifo": 4, "link.width": 32, "control.pipeline": 1, "noc.pipeline": 1}
    assert set(other) <= UNREAD
    forget()
    found = kept_search(TINY, SHAPES["plain"], 2048)
    monkeypatch.setattr(kept_plans, "search", never)
    for name, value in other.items():
        config = TINY.with_values({name: value})
        assert facts(kept_search(config, SHAPES["plain"], 2048)) == facts(found)
    with pytest.raises(AssertionError, match="found before"):
        kept_search(TINY.with_values({"link.rate": 0.5}), SHAPES["plain"], 2048)


def test_searches_read_none_of_these_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[str] = set()
    config = Config.of({"array.rows": 5, "buffer.banks": 9, "buffer.depth": 64})
    hash(config)  # of all fields

    class Watched:
        def __init__(self, name: str, section: Any) -> None:
            self.name, self.section = name, section

        def __getattr__(self, item: str) -> Any:
            read.add(f"{self.name}.{item}")
            return getattr(self.section, item)

    for name in {field.partition(".")[0] for field in config.values()}:
        object.__setattr__(config, name, Watched(name, getattr(config, name)))
    nest = conv_graph(np.random.default_rng(1), (20, 20, 32), 24, (3, 3), pad=(1, 1, 1, 1))
    (node,) = nest.nodes
    for objective in ("cycles", "energy"):
        operation = ConvOperation(config, node, True, objective)
        space, goal = Space(config), Goal(config, objective)
        assert find_tiling(space, operation, (False, False), space.limit(0), goal) is not None
        assert find_chunks(space, operation, goal) is not None
    assert {"pe.ifmap_spad", "link.rate", "buffer.depth", "control.row_patterns"} <= read
    assert not read & UNREAD


# ---- schedules ----------------------------------------------------------------------------------


def operations(objective: str) -> list[ConvOperation]:
    rng = np.random.default_rng(1)
    tiled = conv_graph(rng, (32, 30, 24), 20, (3, 3), pad=(1, 1, 1, 1))
    chunked = conv_graph(rng, (9, 8, 480), 40, (3, 3), pad=(1, 1, 1, 1))
    return [
        ConvOperation(config, graph.nodes[0], True, objective)
        for config, graph in ((TINY, tiled), (NARROW, chunked))
    ]


@pytest.mark.parametrize("objective", ["cycles", "edp"])
def test_kept_tiles_are_the_tiles(
    folder: Path, objective: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for operation in operations(objective):
        space, goal = Space(operation.config), Goal(operation.config, objective)
        tiling = (space, operation, (False, False), space.limit(0), goal)
        chunks = (space, operation, goal)
        found = kept_tiling(*tiling), kept_chunks(*chunks)
        assert found[1] is not None and (found[0] is None) == (operation.config == NARROW)
        with monkeypatch.context() as patch:
            patch.setattr(kept_tilings, "find_tiling", never)
            patch.setattr(kept_tilings, "find_chunks", never)
            assert (kept_tiling(*tiling), kept_chunks(*chunks)) == found
        assert (find_tiling(*tiling), find_chunks(*chunks)) == found


def test_that_there_are_no_tiles_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = operations("cycles")[0]
    space, goal = Space(TINY), Goal(TINY, "cycles")
    assert kept_tiling(space, operation, (False, False), 1, goal) is None
    monkeypatch.setattr(kept_tilings, "find_tiling", never)
    assert kept_tiling(space, operation, (False, False), 1, goal) is None


# ---- programs -----------------------------------------------------------------------------------


def program(graph: Graph, config: Config) -> Program:
    forget()
    return compile_graph(graph, config, CompileOptions(wrap=True))


def words(made: Program) -> Any:
    return np.concatenate([step.words for step in made.steps if not isinstance(step, Host)])


def same(one: Program, other: Program) -> bool:
    return np.array_equal(words(one), words(other)) and one.layers == other.layers


def test_a_program_is_the_same_with_and_without(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the first entries are there and others are damaged or missing."""
    graph = conv_graph(np.random.default_rng(1), (9, 8, 480), 40, (3, 3), pad=(1, 1, 1, 1))
    first = program(graph, NARROW)
    count = len(entries(folder))
    assert count > 2
    assert same(program(graph, NARROW), first)
    for number, path in enumerate(sorted(entries(folder))):
        if number % 2:
            path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    assert same(program(graph, NARROW), first)
    assert len(entries(folder)) == count
    monkeypatch.setenv("ROWFORGE_CACHE", "")
    assert same(program(graph, NARROW), first)

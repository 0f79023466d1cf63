"""The mesh without time: who is there, errors, copies that are not ready."""

import numpy as np
import pytest

from hw.arch.commands import RESULT, Opcode, ResultBlock, Status, begin, command
from hw.arch.config.file import config_hash
from hw.arch.errors import RowforgeError
from hw.arch.routes import Rectangle, RouteKind, route
from rowforge.configs import preset
from sim.mesh import FunctionalMesh
from sw_driver.identify import identify

MESH = preset("tiny_mesh")
ALL = Rectangle((0, 2), (0, 2))
HEAD = begin(config_hash(MESH))


def answers(*words: int) -> list[int]:
    link = FunctionalMesh(MESH)
    link.send(np.array(words, dtype=np.uint64))
    return link.take_all().tolist()


def test_the_first_cluster_says_who_is_there():
    assert identify(FunctionalMesh(MESH)).config == MESH


def test_all_clusters_end_a_program_with_one_status_block():
    end = command(Opcode.END)
    found = answers(*HEAD, route(RouteKind.LAST, ALL, len(end)), *end)
    assert found == [*RESULT.pack({"block": ResultBlock.STATUS, "length": 1}), 0]


def test_each_cluster_of_a_rectangle_answers():
    ask = command(Opcode.COUNTERS, fence=True)
    found = answers(*HEAD, route(RouteKind.ANSWERED, Rectangle((0, 2), (1, 2)), 1), *ask)
    header = RESULT.unpack(found[:1])
    assert header["block"] == ResultBlock.COUNTERS
    assert len(found) == 2 * (1 + header["length"])


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([route(RouteKind.WORDS, ALL, 1) ^ 1], Status.BAD_CHECKSUM),
        ([route(RouteKind.WORDS, Rectangle((0, 1), (2, 3)), 0)], Status.BAD_ADDRESS),
        ([route(RouteKind.COPIED, ALL, 0)], Status.WATCHDOG),
        ([route(RouteKind.WORDS, Rectangle.single(1, 1), 1), 31], Status.UNKNOWN_COMMAND),
    ],
)
def test_an_error_ends_the_program_for_all(words, status):
    end = command(Opcode.END)
    right = [*HEAD, route(RouteKind.LAST, ALL, len(end)), *end]
    found = answers(*HEAD, *words, 5, *right)
    assert RESULT.unpack(found[:1])["status"] == status
    assert found[2:] == [*RESULT.pack({"block": ResultBlock.STATUS, "length": 1}), 0]


@pytest.mark.parametrize(
    "field",
    [
        {"memory.kind": "ram", "memory.words": 1024},
        {"link.coding": "mask"},
        {"buffer.filters": True},
    ],
)
def test_what_is_not_built_is_refused_by_both_fields(field):
    name = next(iter(field))
    with pytest.raises(RowforgeError, match=rf"{name} must be .* with clusters\.y 2, not"):
        MESH.with_values(field)

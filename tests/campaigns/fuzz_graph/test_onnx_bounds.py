"""The bounds of ONNX Runtime's float32 numbers: they hold, and are 0 where they can be."""

from collections import Counter

import numpy as np
import onnx
import pytest

from tests.campaigns.fuzz_graph.onnx.explain import _at_an_edge, accounted
from tests.campaigns.fuzz_graph.onnx.format import ONNX
from tests.support.onnx.bounds import Bounded, Evaluator, grain_of
from tests.support.onnx.layerwise import every_value
from tests.support.onnx.models import ModelMaker

GRAPHS = range(120)
OPERATORS = ("Conv", "Gemm", "MatMul", "Add", "Sub", "BatchNormalization", "MaxPool", "Concat")


def evaluator_of(index: int) -> Evaluator:
    case = ONNX.make(11, index)
    model = onnx.load_from_string(case.content)
    names = [value.name for value in model.graph.input]
    return Evaluator(model, every_value(model, dict(zip(names, case.inputs, strict=True))))


def test_bounds_hold() -> None:
    """Every float tensor of random graphs lies within its bound; with a bound of 0 it is equal."""
    checked, exact = Counter[str](), Counter[str]()
    for index in GRAPHS:
        evaluator = evaluator_of(index)
        for node in evaluator.model.graph.node:
            name = node.output[0]
            value = evaluator.values[name]
            found = evaluator.bounded(name) if value.dtype == np.float32 else None
            if found is None:
                continue
            assert found.real.shape == value.shape
            assert np.all(np.abs(found.real - value) <= found.error), (index, name)
            checked[node.op_type] += value.size
            exact[node.op_type] += int(np.sum(found.error == 0))
    for operator in OPERATORS:
        assert checked[operator] > exact[operator] > 0, operator


def test_a_grain_divides() -> None:
    assert grain_of(np.array([0.75, -6.0, 1.0, 0.0])).tolist() == [0.25, 2.0, 1.0, np.inf]
    odd = np.float32(1) + np.float32(2**-23)
    assert grain_of(odd) == 2.0**-23


def conv_of(scale: float, bias: float) -> tuple[Evaluator, str, float]:
    """A Conv of many terms with a float bias; its output's name and the output's real number."""
    m, random = ModelMaker(), np.random.default_rng(5)
    x = m.dequantise(m.input("x", (1, 40, 1, 1), "int8"), (scale, 0, "int8"))
    stored = random.integers(-127, 128, (1, 40, 1, 1)).astype(np.int8)
    w = m.dequantise(m.constant(stored), (scale, 0, "int8"))
    y = m.op("Conv", x, w, m.constant(np.array([bias], np.float32)))
    model = m.model(m.quantise(y, (0.1, 0, "int8")))
    values = random.integers(-128, 128, (1, 40, 1, 1)).astype(np.int8)
    evaluator = Evaluator(model, every_value(model, {"x": values}))
    found = evaluator.bounded(y)
    assert found is not None
    return evaluator, model.graph.output[0].name, float(found.real.item())


@pytest.mark.parametrize(
    ("distance", "ours", "theirs", "excused"),
    [
        (2e-4, 3, 2, True),  # ours is the right one, float32 may miss the edge
        (2e-4, 2, 3, False),  # ours is the wrong one, as near as it is
        (-2e-4, 2, 3, True),
        (5e-3, 3, 2, False),  # so far from the edge float32 cannot err
        (2e-4, 4, 2, False),  # two steps
        (2e-4, 4, 3, False),  # another edge
        (2e-4, 3, 3, True),  # no difference
    ],
)
def test_only_the_right_side_of_a_near_edge_is_excused(
    distance: float, ours: int, theirs: int, excused: bool
) -> None:
    """The real number lies `distance` of a step above the edge between 2 and 3."""
    _, _, plain = conv_of(0.013, 0.0)
    evaluator, name, real = conv_of(0.013, (2.5 + distance) * 0.1 - plain)
    assert abs(real / 0.1 - 2.5 - distance) < 1e-4  # the bias is a float32 number
    sides = [np.full((1, 1, 1, 1), side, np.int8) for side in (ours, theirs)]
    assert accounted(evaluator, name, *sides).all() == excused


def test_nothing_is_excused_where_float32_is_exact() -> None:
    evaluator, name, _ = conv_of(2.0**-6, 0.0)
    found = evaluator.bounded(evaluator.writers[name].input[0])
    assert found is not None
    assert found.error.item() == 0


def test_a_sum_beyond_16_bits_is_clamped_as_both_sides_are() -> None:
    """32771 ± 10 may be stored as 32762 up to 32767, and ours is the nearest that there is."""
    found = Bounded(np.array([32771.0]), np.array([10.0]), np.ones(1), 0.0, product=True)
    ours = np.array([32767], np.int16)
    for theirs, near in ((32763, True), (32750, False)):
        said = _at_an_edge(found, np.ones(1), 0.0, ours, np.array([theirs], np.int16))
        assert said.tolist() == [near], theirs
    low = np.array([32766], np.int16)  # not what the real number rounds to
    assert not _at_an_edge(found, np.ones(1), 0.0, low, np.array([32763], np.int16)).any()

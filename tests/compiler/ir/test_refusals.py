"""All blockers of a model at once: grouped by operator, each with the one change that helps."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest

from compiler.frontends import load_model
from compiler.frontends.onnx.loader import SUPPORTED
from compiler.frontends.tflite.loader import SUPPORTED as SUPPORTED_TFLITE
from compiler.ir import remedies
from compiler.ir.refusals import (
    ModelRefusedError,
    OperatorRefusedError,
    Refusal,
    Refusals,
    located,
)
from hw.arch.errors import RowforgeError
from rowforge.cli import main
from sim.golden import run_graph
from tests.support.onnx.models import ModelMaker, graph_of, oracle, save
from tests.support.refusals import well_formed
from tests.support.tflite.writer import ModelWriter

Q8 = (0.03125, 7, "uint8")
IMAGE = (1, 4, 4, 4)


class Model:
    """A TFLite model of one-operator steps on tensors of one scale."""

    def __init__(self) -> None:
        self.writer, self.count = ModelWriter(), 0
        self.x = self.tensor(IMAGE)

    def tensor(self, shape: tuple[int, ...] = IMAGE, dtype: str = "int8", **given: object) -> int:
        quantised = {"scale": 0.1, "zero_point": 0} if dtype == "int8" else {}
        self.count += 1
        return self.writer.tensor(f"t{self.count}", shape, dtype, **(quantised | given))

    def step(
        self,
        op: str,
        *inputs: int,
        shape: tuple[int, ...] = IMAGE,
        dtype: str = "int8",
        scale: object = (0.1,),
        **options: object,
    ) -> int:
        output = self.tensor(shape, dtype, **({"scale": scale} if dtype == "int8" else {}))
        return self.writer.operator(op, inputs or [self.x], output, **options)

    def refusal(self, folder: Path, *outputs: int) -> list[str]:
        path = folder / "m.tflite"
        path.write_bytes(self.writer.finish([self.x], outputs))
        with pytest.raises(RowforgeError) as caught:
            load_model(path)
        assert well_formed(str(caught.value)), caught.value
        assert str(path) in str(caught.value)
        return str(caught.value).split("\n")


def test_an_operator_without_a_type_is_called_so() -> None:
    error = OperatorRefusedError(3, "", "no such operator is supported", "name it")
    assert str(error) == "operator 3 (no type) cannot run: no such operator is supported; name it"
    refusals = Refusals()
    for index, op in ((3, ""), (5, "Conv")):
        refused = OperatorRefusedError(index, op, "no such operator is supported", "name it")
        refusals.add(refused, refused.parts)
    with pytest.raises(ModelRefusedError) as caught:
        refusals.raise_any()
    assert well_formed(str(caught.value))
    assert "1 x (no type) (operator 3)" in str(caught.value)


def test_one_blocker_is_one_sentence(tmp_path: Path) -> None:
    model = Model()
    (line,) = model.refusal(tmp_path, model.step("RELU", model.step("GELU")))
    assert "operator 0 GELU cannot run: no such operator is supported; train with RELU6" in line


def test_blockers_are_grouped_with_count_position_and_remedy(tmp_path: Path) -> None:
    model = Model()
    a = model.step("SIGN", model.step("RELU"))
    for _ in range(4):
        a = model.step("RELU_0_TO_1", model.step("RELU", a))
    heading, *groups = model.refusal(tmp_path, model.step("SIGN", a))
    assert heading.endswith("m.tflite: 6 operators cannot run:")
    assert [line.split(":")[0] for line in groups] == [
        "  2 x SIGN (operators 1, 10)",
        "  4 x RELU_0_TO_1 (operators 3, 5, 7 and 1 more)",
    ]
    assert groups[1].endswith("train with RELU6 in its place")


def test_blockers_after_a_blocker_are_found_and_what_is_fine_is_not_named(tmp_path: Path) -> None:
    """The file declares what a refused operator would write, so that the rest can be judged."""
    model = Model()
    a = model.step("SIGN")
    b = model.step("ADD", a, model.tensor((1, 1, 1, 3)))
    window = {"FilterHeight": 1, "FilterWidth": 1, "StrideH": 1, "StrideW": 1}
    c = model.step("MAX_POOL_2D", a, **window)
    d = model.step("CONCATENATION", c, model.step("RELU", a), shape=(1, 4, 4, 8), Axis=3)
    e = model.step("MEAN", d, model.tensor((2,), "int32"), shape=(1, 8))
    _, *groups = model.refusal(tmp_path, b, e)
    assert [line.split(" (")[0] for line in groups] == ["  1 x SIGN", "  1 x ADD", "  1 x MEAN"]


def test_what_only_follows_from_a_blocker_is_not_named(tmp_path: Path) -> None:
    """A shape that an unsupported operator computes, and a type that was refused already."""
    model = Model()
    shape = model.step("SHAPE", dtype="int32", shape=(4,))
    wanted = model.step("CUMSUM", shape, dtype="int32", shape=(4,))
    a = model.step("RESHAPE", model.x, wanted)
    b = model.step("RELU", a, scale=())
    c = model.step("RELU", b)
    _, *groups = model.refusal(tmp_path, c)
    assert [line.split(" (")[0] for line in groups] == ["  1 x CUMSUM", "  1 x RELU"]


def test_custom_operators_are_told_apart(tmp_path: Path) -> None:
    model = Model()
    a = model.step("CUSTOM(Detect)", model.step("CUSTOM(Other)", model.step("CUSTOM(Detect)")))
    _, *groups = model.refusal(tmp_path, a)
    assert [line.split(":")[0] for line in groups] == [
        "  2 x CUSTOM(Detect) (operators 0, 2)",
        "  1 x CUSTOM(Other) (operator 1)",
    ]
    assert all("end the model before it" in line for line in groups)


def _lines(found: list[tuple[str, int]], reason: str, remedy: str) -> list[str]:
    refusals = Refusals()
    for op, place in found:
        refusals.add(RowforgeError("one"), Refusal(op, str(place), reason, remedy))
    with pytest.raises(RowforgeError) as caught:
        refusals.raise_any()
    return str(caught.value).split("\n")


def test_names_cannot_break_lines_nor_fill_the_screen() -> None:
    found = [(f"CUSTOM(a\nb{n})", n) for n in range(200)]
    heading, *groups = _lines(found, "un\nknown", "cut")
    assert heading == "200 operators cannot run:"
    assert len(groups) == 31
    assert groups[0] == "  1 x CUSTOM(a b0) (operator 0): un known; cut"
    assert groups[-1] == "  and 170 more kinds"
    assert well_formed("\n".join([heading, *groups]))


def test_reasons_that_differ_in_a_number_are_one_group_and_the_greatest_demand_is_told() -> None:
    refusals = Refusals("layer")
    for width in (20, 22, 21):
        refusals.add(
            RowforgeError("x"), Refusal("CONV_2D", f"c{width}", f"field must be at least {width}")
        )
    with pytest.raises(ModelRefusedError) as caught:
        refusals.raise_any()
    assert str(located("m", caught.value)).split("\n") == [
        "m: 3 layers cannot run:",
        "  3 x CONV_2D (layers c20, c22, c21): for layer c22, field must be at least 22",
    ]


def test_nothing_refused_raises_nothing() -> None:
    refusals = Refusals()
    refusals.raise_any()
    assert len(refusals) == 0


# ---- ONNX ---------------------------------------------------------------------------------------


def onnx_refusal(model: onnx.ModelProto, folder: Path) -> list[str]:
    with pytest.raises(RowforgeError) as caught:
        graph_of(model, folder)
    assert well_formed(str(caught.value)), caught.value
    return str(caught.value).split("\n")


def rounded(m: ModelMaker, name: str) -> str:
    return m.requantise(name, Q8)


def test_onnx_blockers_in_a_chain(tmp_path: Path) -> None:
    m = ModelMaker()
    x = rounded(m, m.input("x", (1, 4, 6, 6)))
    x = rounded(m, m.op("Relu", rounded(m, m.op("Softplus", x))))
    x = rounded(m, m.op("Softplus", rounded(m, m.op("MaxPool", x, kernel_shape=[2, 2]))))
    y = m.op("Hardmax", x, axis=1)
    z = m.op("LpNormalization", x, axis=1)
    heading, *groups = onnx_refusal(m.model(y, z), tmp_path)
    assert heading.endswith("4 operators cannot run:")
    assert [line.split(" (")[0] for line in groups] == [
        "  2 x Softplus",
        "  1 x Hardmax",
        "  1 x LpNormalization",
    ]
    assert "train with Relu, HardSwish" in groups[0]


def test_a_product_of_activations_after_a_blocker(tmp_path: Path) -> None:
    m = ModelMaker()
    a = rounded(m, m.op("Cos", rounded(m, m.input("a", (3, 4)))))
    b = rounded(m, m.input("b", (4, 3)))
    y = rounded(m, m.op("MatMul", a, b))
    w = m.constant(np.ones((3, 3), dtype=np.int8))
    w = m.op("DequantizeLinear", w, *m.scale(2.0**-7, 0, "int8"))
    _, *groups = onnx_refusal(m.model(rounded(m, m.op("MatMul", y, w))), tmp_path)
    assert [line.split(" (")[0] for line in groups] == ["  1 x Cos", "  1 x MatMul"]
    assert "two activations" in groups[1]


def test_shape_arithmetic_of_a_blocked_tensor_is_not_named(tmp_path: Path) -> None:
    m = ModelMaker()
    x = m.op("Cos", rounded(m, m.input("x", (1, 4, 6, 6))))
    batch = m.op("Gather", m.op("Shape", x), m.constant(np.asarray([0])))
    shape = m.op("Concat", batch, m.constant(np.asarray([-1])), axis=0)
    (line,) = onnx_refusal(m.model(rounded(m, m.op("Reshape", x, shape))), tmp_path)
    assert "Cos" in line


def test_a_float_model_names_its_first_product_and_what_is_not_read(tmp_path: Path) -> None:
    m = ModelMaker()
    x = m.input("x", (1, 4))
    for _ in range(3):
        x = m.op("MatMul", m.op("Sin", x), m.constant(np.ones((4, 4), dtype=np.float32)))
    _, *groups = onnx_refusal(m.model(x), tmp_path)
    assert [line.split(" (")[0] for line in groups] == ["  1 x MatMul", "  3 x Sin"]
    assert "rowforge quantize" in groups[0]


def test_a_refused_product_with_two_readers_is_named_once(tmp_path: Path) -> None:
    m = ModelMaker()
    x = rounded(m, m.input("x", (1, 4)))
    y = m.op("MatMul", x, m.constant(np.ones((4, 4), dtype=np.float32)))
    (line,) = onnx_refusal(m.model(rounded(m, y), rounded(m, m.op("Relu", y))), tmp_path)
    assert "MatMul" in line


def test_the_command_prints_a_line_for_each_group(tmp_path: Path, capsys) -> None:
    m = ModelMaker()
    y = m.op("Sin", m.op("Sin", rounded(m, m.input("x", (1, 4)))))
    path = save(m.model(m.op("Hardmax", y)), tmp_path)
    assert main(["run", str(path), "--preset", "tiny", "--target", "golden"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 3
    assert printed.err.startswith(f"rowforge: {path}: 3 operators cannot run:\n  2 x Sin ")


# ---- remedies -----------------------------------------------------------------------------------


def test_remedies_name_operators_that_are_read() -> None:
    for op, remedy in remedies.TFLITE.items():
        assert op not in SUPPORTED_TFLITE, f"{op} is read: its remedy is out of date"
        assert set(re.findall(r"\b[A-Z][A-Z0-9_]{2,}\b", remedy)) <= set(SUPPORTED_TFLITE), op
    named = r"\b(?:[A-Z][a-z]+)+\b"
    for op, remedy in remedies.ONNX.items():
        assert op not in SUPPORTED, f"{op} is read: its remedy is out of date"
        assert set(re.findall(named, remedy)) <= SUPPORTED, op


def test_the_advice_for_upsampling_and_depth_to_space_in_tflite(tmp_path: Path) -> None:
    model = Model()

    def reshaped(source: int, *shape: int) -> int:
        wanted = model.writer.constant(f"s{model.count}", np.asarray(shape, dtype=np.int32))
        return model.step("RESHAPE", source, wanted, shape=shape)

    rows = reshaped(model.x, 1, 4, 1, 16)
    rows = model.step("CONCATENATION", rows, rows, shape=(1, 4, 2, 16), Axis=2)
    flat = reshaped(rows, 1, 32, 1, 4)
    flat = model.step("CONCATENATION", flat, flat, shape=(1, 32, 2, 4), Axis=2)
    y = reshaped(flat, 1, 8, 8, 4)
    permutation = model.writer.constant("p", np.asarray([0, 1, 3, 2, 4, 5], dtype=np.int32))
    z = reshaped(model.x, 1, 4, 4, 2, 2, 1)
    z = model.step("TRANSPOSE", z, permutation, shape=(1, 4, 2, 4, 2, 1))
    z = reshaped(z, 1, 8, 8, 1)
    path = tmp_path / "m.tflite"
    path.write_bytes(model.writer.finish([model.x], [y, z]))
    graph = load_model(path)
    x = np.random.default_rng(0).integers(-128, 128, IMAGE).astype(np.int8)
    values = run_graph(graph, x)
    upsampled, blocks = (values[key] for key in graph.outputs)
    np.testing.assert_array_equal(upsampled, x.repeat(2, axis=1).repeat(2, axis=2))
    for i, j in np.ndindex(8, 8):
        assert blocks[0, i, j, 0] == x[0, i // 2, j // 2, 2 * (i % 2) + j % 2]


def test_the_advice_for_upsampling_and_depth_to_space_in_onnx(tmp_path: Path) -> None:
    m = ModelMaker()
    x = m.input("x", (1, 3, 4, 5), "int8")
    rows = m.op("Reshape", x, m.constant(np.asarray([1, 3 * 4, 1, 5])))
    rows = m.op("Reshape", m.op("Concat", rows, rows, axis=2), m.constant(np.asarray([1, 3, 8, 5])))
    flat = m.op("Reshape", rows, m.constant(np.asarray([1, 3 * 8, 5, 1])))
    y = m.op("Reshape", m.op("Concat", flat, flat, axis=3), m.constant(np.asarray([1, 3, 8, 10])))
    deep = m.input("deep", (1, 12, 4, 5), "int8")
    z = m.op("Reshape", deep, m.constant(np.asarray([1, 2, 2, 3, 4, 5])))
    z = m.op("Transpose", z, perm=[0, 3, 4, 1, 5, 2])
    z = m.op("Reshape", z, m.constant(np.asarray([1, 3, 8, 10])))
    model = m.model(y, z)
    rng = np.random.default_rng(0)
    feeds = {
        "x": rng.integers(-128, 128, (1, 3, 4, 5)).astype(np.int8),
        "deep": rng.integers(-128, 128, (1, 12, 4, 5)).astype(np.int8),
    }
    values = run_graph(graph_of(model, tmp_path), feeds)
    repeated = feeds["x"].repeat(2, axis=2).repeat(2, axis=3)
    blocks = feeds["deep"].reshape(1, 2, 2, 3, 4, 5).transpose(0, 3, 4, 1, 5, 2)
    for name, expected, theirs in zip(
        (y, z),
        (repeated, blocks.reshape(1, 3, 8, 10)),
        oracle(model, feeds, optimised=False),
        strict=True,
    ):
        np.testing.assert_array_equal(values[name], expected)
        np.testing.assert_array_equal(theirs, expected)

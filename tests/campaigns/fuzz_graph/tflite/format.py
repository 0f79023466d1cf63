"""Random `.tflite` files, and TensorFlow Lite Micro as their oracle."""

from collections.abc import Sequence

import numpy as np
import tflite
from tflite_micro import runtime

from tests.campaigns.fuzz_graph.case import Array, Case, Format
from tests.campaigns.fuzz_graph.tflite.arithmetic import COMPARISONS
from tests.campaigns.fuzz_graph.tflite.habits import WRITERS, draw, unscale_outputs
from tests.campaigns.fuzz_graph.tflite.stateful import SHOWN, STATEFUL
from tests.campaigns.fuzz_graph.tflite.steps import STEPS
from tests.campaigns.fuzz_graph.tflite.writer import OddLayers

_MOST_STEPS = 12
_MOST_ELEMENTS = 6000  # of a tensor that further operators are put on
_SCALES = (1e-5, 1e4)  # beyond them the interpreter finds clamps that no int32 holds
_ARENA = 1 << 22
_FURTHER = 3  # steps after the first, where something is kept for them


def make(seed: int, index: int) -> Case:
    """The graph `SEED:INDEX`: up to twelve operators, residuals and joins between them."""
    layers = OddLayers(int(np.random.SeedSequence([seed, index]).generate_state(1)[0]))
    model = _Model(layers)
    for _ in range(int(layers.random.integers(1, _MOST_STEPS + 1))):
        model.step()
    return model.finished(f"{seed}:{index}")


class _Model:
    """A graph while it grows."""

    def __init__(self, layers: OddLayers) -> None:
        self.layers = layers
        self.inputs: list[int] = []
        self.floats: dict[int, tuple[int, ...]] = {}
        self.live: list[int] = []  # activations that further operators may read
        self.leaves: list[int] = []  # those that nothing has read yet
        for _ in range(2 if layers.chance(0.25) else 1):
            self._enter()
        layers.note("graph", "several inputs" if len(self.inputs) > 1 else "one input")

    def _enter(self) -> None:
        layers, random = self.layers, self.layers.random
        shape: tuple[int, ...] = tuple(random.integers(1, (13, 13, 10)).tolist())
        shape = (int(random.choice([1, 1, 1, 2])), *shape)
        if layers.chance(0.2):
            shape = (shape[0], int(random.integers(1, 60)))
        tensor = layers.activation(shape)
        if layers.chance(0.15):
            given = layers.writer.tensor(f"float{tensor}", shape, "float32")
            layers.writer.operator("QUANTIZE", [given], tensor)
            layers.note("graph", "float32 input")
            self.floats[given] = shape
            self.inputs.append(given)
        else:
            self.inputs.append(tensor)
        self.live.append(tensor)
        self.leaves.append(tensor)

    def step(self) -> None:
        """Appends an operator, or two that meet again."""
        kinds = list(STEPS)
        weights = np.array([STEPS[kind][0] for kind in kinds], dtype=float)
        source = self._source()
        if self.layers.chance(0.2) and self._join(source):
            return
        for kind in self.layers.random.choice(kinds, 12, p=weights / weights.sum()):
            if self._append(str(kind), source) is not None:
                return

    def _source(self) -> int:
        """Mostly what came last, so that graphs grow deep; else anything."""
        readable = self._readable()
        if not self.layers.chance(0.3):
            return readable[-1]
        return int(self.layers.random.choice(readable))

    def _readable(self) -> list[int]:
        """Tensors of moderate size and scale."""
        low, high = _SCALES
        return [
            tensor
            for tensor in self.live
            if self.layers.dtype_of(tensor) == "int8"
            and np.prod(self.layers.shape(tensor)) <= _MOST_ELEMENTS
            and low < self.layers.scale_of(tensor) < high
        ]

    def _append(self, kind: str, source: int) -> int | None:
        output = STEPS[kind][1](self.layers, source)
        if output is not None:
            self.layers.note("operator", self.layers.writer.last_operator)
            self._written(output, source)
            for other in self.layers.others:
                self._written(other)
            self.layers.others.clear()
        return output

    def _join(self, source: int) -> bool:
        """A residual: an operator of the same shape beside a tensor, and their sum or product."""
        others = [
            tensor
            for tensor in self._readable()
            if tensor != source and self.layers.shape(tensor) == self.layers.shape(source)
        ]
        if not others:
            return False
        kind = str(self.layers.random.choice(["ADD", "MUL"]))
        other = int(self.layers.random.choice(others))
        activation = int(self.layers.random.choice([0, 1, 3]))
        output = self.layers.binary(kind, other, source, activation=activation)
        self.layers.note("graph", "join")
        self.layers.note("operator", kind)
        self._written(output, source, other)
        return True

    def _written(self, output: int, *read: int) -> None:
        self.leaves = [tensor for tensor in self.leaves if tensor not in read]
        self.leaves.append(output)
        self.live.append(output)

    def finished(self, label: str) -> Case:
        """The file: every leaf is an output; now and then one in the middle or of float32."""
        layers = self.layers
        computed = [tensor for tensor in self.live if tensor not in self.inputs]
        outputs = [tensor for tensor in self.leaves if tensor in computed]
        middle = [tensor for tensor in computed if tensor not in outputs]
        if middle and layers.chance(0.2):
            outputs.append(int(layers.random.choice(middle)))
            layers.note("graph", "output in the middle")
        if layers.chance(0.15) and layers.dtype_of(outputs[0]) == "int8":
            end = layers.writer.tensor("end", layers.shape(outputs[0]), "float32")
            layers.writer.operator("DEQUANTIZE", [outputs[0]], end)
            outputs[0] = end
            layers.note("graph", "float32 output")
        layers.note("graph", "several outputs" if len(outputs) > 1 else "one output")
        arrays = tuple(self._values(tensor) for tensor in self.inputs)
        unscale_outputs(layers, outputs)
        content = layers.finish(self.inputs, outputs, draw(layers))
        keeps = bool({*layers.writer.operators} & {*STATEFUL})
        further = tuple(
            tuple(self._values(tensor) for tensor in self.inputs)
            for _ in range(_FURTHER if keeps else 0)
        )
        return Case(label, content, arrays, frozenset(layers.features), further)

    def _values(self, tensor: int) -> Array:
        if tensor in self.floats:
            return (self.layers.random.standard_normal(self.floats[tensor]) * 2).astype(np.float32)
        return self.layers.input_values(tensor)


def oracle(content: bytes, inputs: Sequence[Array]) -> list[Array]:
    """Every output of one inference in TensorFlow Lite Micro's reference kernels."""
    return step_by_step(content, [inputs])[0]


def step_by_step(content: bytes, steps: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """Every output of consecutive inferences, of each in turn."""
    interpreter = runtime.Interpreter.from_bytes(content, arena_size=_ARENA)
    count, found = len(_outputs(content)), []
    for inputs in steps:
        for position, array in enumerate(inputs):
            interpreter.set_input(array, position)
        interpreter.invoke()
        found.append([np.array(interpreter.get_output(position)) for position in range(count)])
    return found


def _outputs(content: bytes) -> list[int]:
    graph = tflite.Model.GetRootAs(content, 0).Subgraphs(0)
    return [graph.Outputs(position) for position in range(graph.OutputsLength())]


WANTED: dict[str, tuple[str, ...]] = {
    "operator": (
        *(kind for kind in STEPS if kind not in ("PAD", "EXPAND_DIMS", "MEAN and ADD")),
        *("PAD", "PADV2", "SLICE", "EXPAND_DIMS", "SQUEEZE", "SHAPE"),
        *("SPLIT_V", "SPACE_TO_BATCH_ND", *COMPARISONS),
        *("VAR_HANDLE", "READ_VARIABLE", "CALL_ONCE"),
    ),
    "attribute": (
        *("activation none", "activation relu", "activation relu -1 to 1", "activation relu6"),
        *("padding same", "padding valid", "stride y > 1", "stride x > 1"),
        *("dilation y", "dilation x", "rectangular window", "1 x n window", "groups"),
        *("depth multiplier", "global pool", "one tensor twice", "constant operand"),
        *("broadcast constant", "constant first", "keep dims", "drop dims"),
        *("resized plainly", "resized AlignCorners", "resized HalfPixelCenters"),
        *("broadcast activation", "product of two activations", "product by a constant matrix"),
        *("axis -1", "axis -2", "axis -3", "axis -4"),
    ),
    "weights": ("zero filters", "zero input channels"),
    "quantisation": (
        *("zero point lowest", "zero point highest", "zero point 0", "zero point other"),
        *("bias +-2^30", "multiplier flushes to 0", "scale a channel", "scale a tensor"),
    ),
    "shape": ("rank 2", "rank 3", "rank 4", "one item", "several items"),
    "graph": (
        *("one input", "several inputs", "one output", "several outputs", "join"),
        *("output in the middle", "float32 input", "float32 output"),
    ),
    "state": SHOWN,
    "writer": WRITERS,
}

TFLITE = Format(".tflite", make, oracle, WANTED, steps=step_by_step)

"""Real networks quantised by ONNX Runtime: `python -m tests.campaigns.models.quantised`.

Two recorded networks are folded to floats and quantised again by ONNX Runtime's static quantiser,
with int32 biases and with float ones (its option QuantizeBias). Every quantised tensor must be
what ONNX Runtime without optimisation computes from the same operands; a value may differ only by
one step, at a rounding edge that lies within the proven bound of its float32 sum. Such values are
listed, and may be at most 5 of 100,000. A plain run of the whole network may differ in those and in
what is computed from them, which is counted. One input runs through the compiled program. Exit
status 1 if a value differs for no such reason.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from compiler.compile import compile_graph
from compiler.frontends import load_model
from compiler.ir.graph import Graph
from rowforge.configs import preset
from rowforge.running.targets import register
from sim.functional import FunctionalAccelerator
from sim.golden import run_graph
from sw_driver.runtime import Runtime
from tests.campaigns.fuzz_graph.onnx.explain import accounted
from tests.campaigns.fuzz_graph.runner import after
from tests.campaigns.models.folding import folded
from tests.support.missed import conclude
from tests.support.onnx.layerwise import LayerFindings, by_layer, every_value
from tests.support.workloads import ROOT, workload

Array = NDArray[Any]
MOST_EDGES = 5e-5  # of the stored values
_CALIBRATED = 100  # inputs of the quantiser, at most


@dataclass(frozen=True)
class Network:
    """A recorded quantised network and where typical inputs for it are."""

    name: str
    model: str
    inputs: Callable[[onnx.ModelProto], Array]


def _images(model: onnx.ModelProto) -> Array:
    with np.load(workload("onnx/goldens/resnet8_cifar10_qdq_s8s8_pc.npz")) as file:
        recorded = file["input"]
    return np.asarray(recorded.reshape(-1, *recorded.shape[2:]))


def _features(model: onnx.ModelProto) -> Array:
    """The keyword features as the floats that the network's first DequantizeLinear makes."""
    with np.load(workload("datasets/kws01_first600.npz")) as file:
        stored = file["features"].reshape(-1, 49, 10, 1)
    held = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    first = next(
        node
        for node in model.graph.node
        if node.op_type == "DequantizeLinear" and node.input[0] not in held
    )
    scale, zero = (held[name] for name in first.input[1:])
    return np.asarray((stored.astype(np.int32) - zero) * scale, np.float32)


NETWORKS = (
    Network("ResNet-8", "resnet8_cifar10_qdq_s8s8_pc", _images),
    Network("DS-CNN", "kws_ref_model_tf2onnx_qdq", _features),
)


class _Reader:
    """The calibration inputs one by one."""

    def __init__(self, name: str, x: Array) -> None:
        self._items = iter([{name: x[n : n + 1]} for n in range(len(x))])

    def get_next(self) -> Mapping[str, Array] | None:
        """The next input, None after the last."""
        return next(self._items, None)


def quantised(network: Network, folder: Path, *, biases: bool) -> tuple[Path, Array]:
    """The network quantised by ONNX Runtime, and its typical inputs."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    model = onnx.load(workload(f"onnx/{network.model}.onnx"))
    x = network.inputs(model)
    plain, prepared = folder / "float.onnx", folder / "prepared.onnx"
    result = folder / "quantised.onnx"
    onnx.save(folded(model), plain)
    quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(result),
        _Reader(model.graph.input[0].name, x[:_CALIBRATED]),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        extra_options={"QuantizeBias": biases},
    )
    return result, x


def program_differs(graph: Graph, x: Array) -> int:
    """Output values of one input that the compiled program gives otherwise than golden."""
    config = preset("tiny")
    register()
    named = {graph.tensors[graph.inputs[0]].name: x}
    golden = run_graph(graph, named)
    program = compile_graph(graph, config)
    outputs = Runtime(FunctionalAccelerator(config), config).run(program, named).outputs
    pairs = zip(graph.outputs, outputs.values(), strict=True)
    return sum(int(np.sum(golden[key] != actual)) for key, actual in pairs)


@dataclass
class Findings:
    """Layer by layer on equal operands; values that a plain run and the program give otherwise."""

    layers: LayerFindings
    plain: int = 0
    program: int = 0

    @property
    def good(self) -> bool:
        """Whether nothing differs but for values at an edge and what follows from them."""
        layers = self.layers
        few = layers.at_an_edge <= MOST_EDGES * layers.stored
        return bool(layers.tensors and few and not (layers.wrong or layers.absent or self.program))


def plain_run(
    graph: Graph, model: onnx.ModelProto, feeds: Mapping[str, Array], found: LayerFindings
) -> tuple[int, list[str]]:
    """Stored values that differ in a plain run, and tensors that do so without an edge before."""
    theirs, ours = every_value(model, feeds), run_graph(graph, feeds)
    computed = {name for node in model.graph.node for name in node.output} & set(theirs)
    count, wrong, excused = 0, [], after(graph, found.reasons)
    for key, tensor in graph.tensors.items():
        other = theirs[tensor.name] if tensor.name in computed else None
        if other is None or key not in ours or other.dtype.kind not in "iu":
            continue
        if (other.shape, other.dtype) != (ours[key].shape, ours[key].dtype):
            continue
        different = int(np.sum(ours[key] != other))
        count += different
        if different and key not in excused:
            wrong.append(f"{key}: {different} values of a plain run differ")
    return count, wrong


def compare(path: Path, x: Array) -> Findings:
    """All layers of all inputs, and the program's differences for the first one."""
    model, graph = onnx.load(path), load_model(path)
    total = LayerFindings()
    plain = 0
    for position in range(len(x)):
        feeds = {model.graph.input[0].name: x[position : position + 1]}
        found = by_layer(graph, model, feeds, accounted)
        total.stored += found.stored
        total.floats.update({f"input {position}: {n}": c for n, c in found.floats.items()})
        total.tensors = found.tensors
        total.absent = found.absent
        count, wrong = plain_run(graph, model, feeds, found)
        plain += count
        total.wrong += [f"input {position}: {line}" for line in found.wrong + wrong]
        total.edges.update({f"input {position}: {n}": e for n, e in found.edges.items()})
    return Findings(total, plain, program_differs(graph, x[:1]))


def verdict(network: Network, biases: bool, inputs: int) -> tuple[bool, list[str]]:
    """Whether a network is right, and the lines of its table."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path, x = quantised(network, Path(folder), biases=biases)
        findings = compare(path, x[:inputs])
    found = findings.layers
    lines = [f"  at an edge: {n}: {', '.join(places)}" for n, places in found.edges.items()]
    lines += [f"  {count} floats within their bound: {n}" for n, count in found.floats.items()]
    lines += [f"  WRONG {line}" for line in found.wrong]
    lines += [f"  not in the graph: {name}" for name in found.absent]
    if findings.program:
        lines.append(f"  WRONG {findings.program} output values of the program")
    if findings.plain:
        lines.append(
            f"  a plain run differs in {findings.plain} stored values: those at an edge and those "
            "computed from them"
        )
    state = "equal" if findings.good else "DIFFERS"
    head = (
        f"{network.name:9} {'int32' if biases else 'float'} biases {inputs} inputs "
        f"{found.tensors:3} tensors {found.stored:8} stored values {found.at_an_edge:3} at an edge "
        f"{len(found.wrong):3} wrong {time.monotonic() - started:6.1f} s  {state}"
    )
    return findings.good, [head, *lines]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="tests.campaigns.models.quantised", description=__doc__)
    parser.add_argument("--inputs", type=int, default=8, help="inputs of each network (8)")
    parser.add_argument("--only", metavar="TEXT", help="networks whose name contains this")
    options = parser.parse_args(arguments)
    if not (ROOT / "onnx" / "goldens").is_dir():
        print(f"the recorded models are not in {ROOT}: set ROWFORGE_WORKLOADS")
        return 2
    good = []
    for network in NETWORKS:
        for biases in (True, False):
            if options.only is None or options.only in network.name:
                equal, lines = verdict(network, biases, options.inputs)
                good.append(equal)
                print("\n".join(lines), flush=True)
    print(f"{len(good)} quantised networks, {good.count(False)} differ")
    differing = f"{good.count(False)} of {len(good)} quantised networks differ"
    return conclude([(all(good), differing), (bool(good), "no network ran")])


if __name__ == "__main__":
    sys.exit(main())

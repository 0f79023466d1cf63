"""Float ONNX models to int8 ones, and what that costs: drives ONNX Runtime's static quantiser."""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf, log10
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from compiler.frontends import load_model
from compiler.ir.refusals import ModelRefusedError, Refusals, located
from hw.arch.errors import RowforgeError
from rowforge.running.progress import Progress

Array: TypeAlias = NDArray[Any]
Feeds: TypeAlias = dict[str, Array]

_OPSET = 13  # the first with one scale per channel
_MEASURED = 64  # calibration items that the error is measured on, at most
_PRODUCTS = ("Conv", "Gemm", "MatMul", "ConvTranspose")


@dataclass(frozen=True)
class LayerError:
    """How much of an operator's output quantisation leaves, the error of all before it included.

    `sqnr` is 10 log10(signal power / noise power) in dB over the calibration inputs, infinite
    where nothing is lost.
    """

    name: str
    op: str
    tensor: str
    sqnr: float


def quantise_model(
    model: Path, calibration: Array | Mapping[str, Array], output: Path
) -> tuple[LayerError, ...]:
    """Write an int8 model that the accelerator runs; the error of every layer that it computes.

    Weights are symmetric int8 per output channel, activations asymmetric int8 per tensor, their
    ranges the extremes over the calibration inputs.

    Parameters
    ----------
    model : path of a float `.onnx` file
    calibration : array, or arrays by input name
        N inputs, N in place of the batch dimension 1.
    output : path of the `.onnx` file to write

    Raises `RowforgeError` for a model that is quantised already or damaged, for inputs that do not
    fit, where onnxruntime is not installed, and where the result could not run: before any work
    for operators that are not read, before the errors are measured for the rest.
    """
    runtime = _runtime()
    progress = Progress()
    progress.show(f"reading {model.name}")
    _check_float(model)
    _check_servable(model)
    with tempfile.TemporaryDirectory() as folder, _quiet():
        prepared = Path(folder) / "prepared.onnx"
        quantised = Path(folder) / "quantised.onnx"
        try:
            _prepare(model, prepared)
            items = _items(runtime, prepared, calibration)
            progress.show(f"calibrating on {len(items)} inputs")
            _quantise(prepared, quantised, items)
            _check_result(model, quantised)
            progress.show("measuring the error of every layer")
            errors = _measure(runtime, prepared, quantised, items[:_MEASURED])
        except RowforgeError:
            raise
        except Exception as error:
            said = " ".join(str(error).split()) or type(error).__name__
            raise RowforgeError(f"{model} cannot be quantised: {said[:300]}") from error
        _copy(quantised, output)
    progress.clear()
    return errors


def _runtime() -> Any:
    try:
        import onnxruntime
        import onnxruntime.quantization
    except ImportError:
        raise RowforgeError(
            "quantising needs the package onnxruntime; install it with "
            "`pip install 'rowforge[quantize]'`"
        ) from None
    return onnxruntime


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantiser's advice on the root logger is not for our users."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _check_float(model: Path) -> None:
    from compiler.frontends.onnx.model.reader import read_onnx

    raw = read_onnx(model)
    for node in raw.nodes:
        if "Quantize" in node.op_type or node.op_type.startswith(("QLinear", "QGemm")):
            raise RowforgeError(f"{model} is quantised already: it holds {node.op_type}")
    if not any(node.op_type in _PRODUCTS for node in raw.nodes):
        raise RowforgeError(f"{model} holds no convolution or matrix product to quantise")


def _check_servable(model: Path) -> None:
    """Every operator must be one that could run once it is quantised.

    Preparation removes operators, which takes a moment: it only decides where something is amiss.
    """
    found = _previewed(model, model)
    if not found:
        return
    with tempfile.TemporaryDirectory() as folder, _quiet():
        prepared = Path(folder) / "prepared.onnx"
        try:
            _prepare(model, prepared)
        except Exception:  # what cannot be prepared cannot be quantised either
            remain = found
        else:
            remain = _previewed(model, prepared)
            remain = found.only(remain.types) or remain
    try:
        remain.raise_any()
    except RowforgeError as error:
        raise located(f"{model}, quantised, could not run", error) from None


def _previewed(model: Path, file: Path) -> Refusals:
    """What is refused of a model, of which `file` holds one form."""
    from compiler.frontends.onnx.model.reader import read_onnx
    from compiler.frontends.onnx.preview import preview

    try:
        return preview(read_onnx(file))
    except RowforgeError as error:
        raise located(model, error) from error


def _check_result(model: Path, quantised: Path) -> None:
    """The quantised model must be one that runs."""
    try:
        load_model(quantised)
    except ModelRefusedError as error:
        heading = error.heading.removeprefix(f"{quantised}: ")
        refused = ModelRefusedError(f"{model}, quantised, could not run: {heading}", error.groups)
        raise refused from error
    except RowforgeError as error:
        said = str(error).removeprefix(f"{quantised}: ")
        raise RowforgeError(f"{model}, quantised, could not run: {said}") from error


def _copy(source: Path, target: Path) -> None:
    try:
        target.write_bytes(source.read_bytes())
    except OSError as error:
        raise RowforgeError(f"cannot write {target}: {error.strerror or error}") from None


def _prepare(model: Path, prepared: Path) -> None:
    """A recent operator set; constants folded, batch normalisation and biases joined."""
    import onnx
    from onnx import version_converter
    from onnxruntime.quantization.shape_inference import quant_pre_process

    loaded = onnx.load(model)
    versions = {entry.domain: entry.version for entry in loaded.opset_import}
    if versions.get("", _OPSET) < _OPSET:
        loaded = version_converter.convert_version(loaded, _OPSET)
    converted = prepared.with_name("converted.onnx")
    onnx.save(loaded, converted)
    quant_pre_process(str(converted), str(prepared), skip_symbolic_shape=True)
    _flatten_biases(prepared)


def _flatten_biases(path: Path) -> None:
    """A Gemm's bias of shape [1, M] becomes [M]: the quantiser fails on the former."""
    import onnx

    model = onnx.load(path)
    biases = {
        node.input[2] for node in model.graph.node if node.op_type == "Gemm" and node.input[2:]
    }
    for tensor in model.graph.initializer:
        if tensor.name in biases and len(tensor.dims) == 2 and tensor.dims[0] == 1:
            del tensor.dims[0]
    constants = {tensor.name for tensor in model.graph.initializer}
    for declared in (model.graph.input, model.graph.value_info):
        for value in [value for value in declared if value.name in constants]:
            declared.remove(value)
    onnx.save(model, path)


def _items(runtime: Any, model: Path, calibration: Array | Mapping[str, Array]) -> list[Feeds]:
    """The calibration inputs one by one."""
    inputs = runtime.InferenceSession(str(model), providers=["CPUExecutionProvider"]).get_inputs()
    names = [value.name for value in inputs]
    if not isinstance(calibration, Mapping):
        calibration = {names[0]: calibration}
    elif len(names) == len(calibration) == 1:
        calibration = {names[0]: next(iter(calibration.values()))}
    if set(calibration) != set(names):
        raise RowforgeError(
            f"calibration inputs must be {', '.join(names)}, not {', '.join(calibration)}"
        )
    for value in inputs:
        array, wanted = calibration[value.name], value.shape[1:]
        fits = array.ndim == len(value.shape) and all(
            not isinstance(size, int) or size == given
            for size, given in zip(wanted, array.shape[1:], strict=True)
        )
        if not fits or array.dtype != np.float32:
            shape = ", ".join(str(size) for size in ("N", *wanted))
            raise RowforgeError(
                f"calibration input {value.name} must be float32 of shape ({shape}), not "
                f"{array.dtype} of shape {array.shape}"
            )
    counts = {len(array) for array in calibration.values()}
    if len(counts) != 1 or 0 in counts:
        raise RowforgeError(f"calibration inputs must be as many for each, not {sorted(counts)}")
    return [
        {name: array[i : i + 1] for name, array in calibration.items()} for i in range(counts.pop())
    ]


class _Reader:
    """The calibration inputs in the form that the quantiser asks for."""

    def __init__(self, items: list[Feeds]) -> None:
        self._items = iter(items)

    def get_next(self) -> Feeds | None:
        """The next input, None after the last."""
        return next(self._items, None)


def _quantise(model: Path, quantised: Path, items: list[Feeds]) -> None:
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    quantize_static(
        str(model),
        str(quantised),
        _Reader(items),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
    )


# ---- the error of every layer -------------------------------------------------------------------


def _measure(
    runtime: Any, model: Path, quantised: Path, items: list[Feeds]
) -> tuple[LayerError, ...]:
    """SQNR of every tensor that the quantised model rounds, in the model's order."""
    import onnx

    before, after = onnx.load(model), onnx.load(quantised)
    writers = {name: node for node in before.graph.node for name in node.output}
    pairs = _pairs(after, set(writers))
    real = _run(runtime, before, [name for name, _ in pairs], items)
    rounded = _run(runtime, after, [name for _, name in pairs], items)
    errors = []
    for name, other in pairs:
        signal = float(np.square(real[name], dtype=np.float64).sum())
        noise = float(np.square(real[name] - rounded[other], dtype=np.float64).sum())
        if noise == 0 or signal == 0:
            sqnr = inf if noise == 0 else -inf
        else:
            sqnr = 10 * log10(signal / noise)
        errors.append(LayerError(writers[name].name or name, writers[name].op_type, name, sqnr))
    return tuple(errors)


def _pairs(quantised: Any, known: set[str]) -> list[tuple[str, str]]:
    """(tensor of the float model, its rounded form) for every activation that is rounded."""
    sources = {
        node.output[0]: node.input[0]
        for node in quantised.graph.node
        if node.op_type == "QuantizeLinear"
    }
    pairs: list[tuple[str, str]] = []
    for node in quantised.graph.node:
        if node.op_type != "DequantizeLinear" or node.input[0] not in sources:
            continue
        rounded, source = node.output[0], sources[node.input[0]]
        name = rounded if rounded in known else source
        if name in known and name not in [pair[0] for pair in pairs]:
            pairs.append((name, rounded))
    return pairs


def _run(runtime: Any, model: Any, names: list[str], items: list[Feeds]) -> Feeds:
    """Tensors of a model over all items, joined."""
    import onnx

    present = {value.name for value in model.graph.output}
    for name in names:
        if name not in present:
            model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    runs = [session.run(names, feeds) for feeds in items]
    return {name: np.stack([run[i] for run in runs]) for i, name in enumerate(names)}

"""TFLite pooling, layout, activation and host operators as graph nodes."""

from typing import Any

from compiler.frontends.tflite.mac import check_output, image_of, window_geometry
from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator
from compiler.ir.graph import Tensor
from compiler.ir.host_steps import log_softmax_parameters, mean_parameters, softmax_parameters
from compiler.ir.ops import Concat, HostStep, Pad, Pool, PoolKind, Rescale, Reshape
from hw.arch.errors import RowforgeError
from numerics.lookup import rescaled_table
from numerics.quantisation import integer_range

_INTEGERS = ("int8", "uint8", "int16", "int32")


def convert_pool(builder: TfliteBuilder, op: RawOperator) -> None:
    """AVERAGE_POOL_2D and MAX_POOL_2D; input and output share one quantisation."""
    source = builder.activation(op, 0)
    batch, image = image_of(builder, op, source)
    window = (op.options["FilterHeight"], op.options["FilterWidth"])
    stride, pad = window_geometry(builder, op, image, window, (1, 1))
    output = builder.output(op)
    same_quantisation(builder, op, source, output)
    low, high = builder.clamp(op, output)
    node = Pool(
        name=op.label,
        op=op.type_name,
        inputs=(source.key,),
        output=output.key,
        image=image,
        batch=batch,
        kind=PoolKind.MAX if op.type_name == "MAX_POOL_2D" else PoolKind.AVERAGE,
        window=window,
        stride=stride,
        pad=pad,
        low=low,
        high=high,
        dtype=output.dtype,
    )
    check_output(builder, op, output, (batch, *node.output_image))
    builder.emit(node)


def same_quantisation(
    builder: TfliteBuilder,
    op: RawOperator,
    source: Tensor,
    output: Tensor,
    tolerance: float = 1e-6,
    *,
    one_unscaled: bool = False,
) -> None:
    """Refuses an operator that only moves values where they would mean something else.

    Tensors without any scale hold bare integers, which may be moved; with `one_unscaled` also
    from or into a tensor with a scale.
    """
    unscaled = [tensor.quantisation is None for tensor in (source, output)]
    bare = all(unscaled) or (any(unscaled) and one_unscaled)
    if bare and source.dtype == output.dtype and source.dtype in _INTEGERS:
        return
    scale, zero_point = builder.quantised(op, source, _INTEGERS)
    output_scale, output_zero_point = builder.quantised(op, output, _INTEGERS)
    same = abs(scale - output_scale) <= tolerance and zero_point == output_zero_point
    if not same or source.dtype != output.dtype:
        builder.refuse(
            op,
            f"{source.name} and {output.name} differ in quantisation",
            "give both the same scale, zero point and type",
        )


def convert_concat(builder: TfliteBuilder, op: RawOperator) -> None:
    """CONCATENATION of tensors with one quantisation, as TensorFlow Lite Micro demands.

    uint8 inputs may have others, as in TensorFlow Lite; the host brings them to the output's.
    """
    sources = [builder.activation(op, position) for position in range(len(op.inputs))]
    output = builder.output(op)
    rank = len(output.shape)
    axis = op.options["Axis"] + (rank if op.options["Axis"] < 0 else 0)
    if not sources or not 0 <= axis < rank or any(len(s.shape) != rank for s in sources):
        builder.refuse(op, f"axis {op.options['Axis']} does not exist", "re-export the model")
    if op.options["FusedActivationFunction"] != 0:
        builder.refuse(op, "it has a fused activation", "put the activation before it")
    # A tensor that is joined with itself is brought there once.
    distinct = {source.key: source for source in sources}
    ready = {key: _requantised(builder, op, one, output) for key, one in distinct.items()}
    sources = [ready[source.key] for source in sources]
    joined = list(sources[0].shape)
    joined[axis] = sum(source.shape[axis] for source in sources)
    check_output(builder, op, output, tuple(joined))
    rest = [s.shape[:axis] + s.shape[axis + 1 :] for s in sources]
    if len(set(rest)) > 1:
        builder.refuse(op, "its inputs differ beyond the joined axis", "re-export the model")
    keys = tuple(source.key for source in sources)
    builder.emit(Concat(name=op.label, op=op.type_name, inputs=keys, output=output.key, axis=axis))


def _requantised(builder: TfliteBuilder, op: RawOperator, source: Tensor, output: Tensor) -> Tensor:
    """An input of CONCATENATION in the output's quantisation."""
    given, wanted = source.quantisation, output.quantisation
    if source.dtype != "uint8" or output.dtype != "uint8" or given is None or wanted is None:
        same_quantisation(builder, op, source, output, tolerance=0.0)
        return source
    scale, zero_point = builder.quantised(op, source)
    output_scale, output_zero_point = builder.quantised(op, output)
    if (scale, zero_point) == (output_scale, output_zero_point):
        return source
    key = f"{source.key} requantised"
    between = builder.between(op, key, output, source.shape)
    try:
        table = rescaled_table(scale, zero_point, output_scale, output_zero_point)
    except RowforgeError as error:
        builder.refuse(op, str(error), "calibrate the model again")
    parameters = {"table": table, "dtype": "uint8"}
    emit_part(builder, op, f"requantising {source.key}", "lookup", source, between, parameters)
    return between


def convert_pad(builder: TfliteBuilder, op: RawOperator) -> None:
    """PAD and PADV2: the padding's real value is 0 unless PADV2 gives a stored one."""
    source = builder.activation(op, 0)
    paddings = builder.integers(op, 1, "paddings")
    output = builder.output(op)
    same_quantisation(builder, op, source, output)
    if paddings.shape != (len(source.shape), 2) or paddings.min() < 0:
        builder.refuse(op, "its paddings do not fit its input", "re-export the model")
    pads = tuple((int(before), int(after)) for before, after in paddings)
    shape = tuple(n + sum(pair) for n, pair in zip(source.shape, pads, strict=True))
    check_output(builder, op, output, shape)
    value = 0
    if output.quantisation is not None:
        _, value = builder.quantised(op, output, _INTEGERS)
    if builder.optional_at(op, 2) is not None:
        given = builder.constant(op, 2, "padding value")
        if given.size != 1:
            builder.refuse(op, "it has more than one padding value", "use a scalar")
        value = int(given.reshape(-1)[0])
        low, high = integer_range(output.dtype)
        if not low <= value <= high:
            builder.refuse(op, f"its padding value {value} is out of range", "use a stored value")
    builder.emit(
        Pad(
            name=op.label,
            op=op.type_name,
            inputs=(source.key,),
            output=output.key,
            pads=pads,
            value=value,
        )
    )


def convert_reshape(builder: TfliteBuilder, op: RawOperator) -> None:
    """RESHAPE, SQUEEZE and EXPAND_DIMS: the file's output shape decides."""
    source = builder.activation(op, 0)
    if op.type_name == "RESHAPE" and builder.optional_at(op, 1) is not None:
        builder.integers(op, 1, "new shape")
    output = builder.output(op)
    if output.elements != source.elements or output.dtype != source.dtype:
        builder.refuse(
            op,
            f"{list(source.shape)} and {list(output.shape)} hold different values",
            "export the model with fixed shapes",
        )
    builder.emit(Reshape(name=op.label, op=op.type_name, inputs=(source.key,), output=output.key))


def convert_relu(builder: TfliteBuilder, op: RawOperator) -> None:
    """RELU, RELU6 and RELU_N1_TO_1 of their own."""
    source = builder.activation(op, 0)
    output = builder.output(op)
    check_output(builder, op, output, source.shape)
    builder.same_type(op, source, output)
    scale, zero_point = builder.quantised(op, source)
    output_scale, _ = builder.quantised(op, output)
    bounds = {"RELU": (0.0, None), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}
    if op.type_name == "RELU":
        real = scale / output_scale
    else:
        same_quantisation(builder, op, source, output)
        real = 1.0
    clamp = builder.real_clamp(op, output, *bounds[op.type_name])
    builder.emit(
        Rescale(
            name=op.label,
            op=op.type_name,
            inputs=(source.key,),
            output=output.key,
            input_zero_point=zero_point,
            stage=builder.requant(op, real, output, clamp),
        )
    )


def convert_quantise(builder: TfliteBuilder, op: RawOperator) -> None:
    """QUANTIZE: from float32 on the host, between integer types as a `Rescale`."""
    source = builder.activation(op, 0)
    output = builder.output(op)
    check_output(builder, op, output, source.shape)
    scale, zero_point = builder.quantised(op, output)
    if source.dtype == "float32":
        parameters = {"scale": scale, "zero_point": zero_point, "dtype": output.dtype}
        emit_host(builder, op, "quantise", source, output, **parameters)
        return
    input_scale, input_zero_point = builder.quantised(op, source)
    builder.emit(
        Rescale(
            name=op.label,
            op=op.type_name,
            inputs=(source.key,),
            output=output.key,
            input_zero_point=input_zero_point,
            stage=builder.requant(op, input_scale / scale, output, integer_range(output.dtype)),
        )
    )


def convert_dequantise(builder: TfliteBuilder, op: RawOperator) -> None:
    """DEQUANTIZE to float32."""
    source = builder.activation(op, 0)
    output = builder.output(op)
    check_output(builder, op, output, source.shape)
    scale, zero_point = builder.quantised(op, source, ("int8", "uint8", "int16"))
    if output.dtype != "float32":
        builder.refuse(op, f"its output has type {output.dtype}", "float32 is expected")
    emit_host(builder, op, "dequantise", source, output, scale=scale, zero_point=zero_point)


def convert_softmax(builder: TfliteBuilder, op: RawOperator) -> None:
    """SOFTMAX and LOG_SOFTMAX over the last axis, of 8-bit integers or float32."""
    source = builder.activation(op, 0)
    output = builder.output(op)
    check_output(builder, op, output, source.shape)
    logarithm = op.type_name == "LOG_SOFTMAX"
    if op.bare:
        builder.refuse(op, "the file leaves out its options and with them beta", "re-export it")
    beta = 1.0 if logarithm else float(op.options["Beta"])
    if not 0.0 < beta < float("inf"):
        builder.refuse(op, f"its softmax beta is {beta}", "a positive number is expected")
    function = "log_softmax" if logarithm else "softmax"
    if source.dtype == output.dtype == "float32":
        extra = {} if logarithm else {"beta": beta}
        emit_host(builder, op, f"{function}_float", source, output, **extra)
        return
    builder.same_type(op, source, output)
    scale, _ = builder.quantised(op, source)
    low, high = integer_range(output.dtype)
    expected = (16.0 / 256, high) if logarithm else (1.0 / 256, low)
    if builder.quantised(op, output) != expected:
        builder.refuse(
            op, f"its output must have scale and zero point {expected}", "convert the model again"
        )
    try:
        parameters = log_softmax_parameters(scale) if logarithm else softmax_parameters(scale, beta)
    except RowforgeError as error:
        builder.refuse(op, str(error), "calibrate the model again")
    emit_host(builder, op, function, source, output, **parameters, dtype=output.dtype)


def convert_mean(builder: TfliteBuilder, op: RawOperator) -> None:
    """MEAN over constant axes, int8 or float32."""
    source, output, axes = reduced(builder, op)
    if source.dtype == "float32":
        emit_host(builder, op, "mean_float", source, output, axes=axes)
        return
    scale, input_zero_point = builder.quantised(op, source)
    output_scale, zero_point = builder.quantised(op, output)
    real = float(builder.checked_scale(op, scale / output_scale)[0])
    parameters = mean_parameters(source.shape, axes, real, input_zero_point)
    emit_host(
        builder,
        op,
        "mean",
        source,
        output,
        **parameters,
        zero_point=zero_point,
        dtype=output.dtype,
    )


def reduced(builder: TfliteBuilder, op: RawOperator) -> tuple[Tensor, Tensor, tuple[int, ...]]:
    """Input, output and axes of an operator over constant axes."""
    source = builder.activation(op, 0)
    rank = len(source.shape)
    listed = [int(axis) for axis in builder.integers(op, 1, "axes").reshape(-1)]
    if any(not -rank <= axis < rank for axis in listed):
        builder.refuse(op, f"axes {listed} do not exist", "re-export the model")
    axes = tuple(sorted({axis % rank for axis in listed}))
    kept = tuple(1 if axis in axes else size for axis, size in enumerate(source.shape))
    output = builder.output(op)
    # Without options the shape alone tells whether the axes are kept; the values are the same.
    if not (op.options["KeepDims"] or (op.bare and output.shape == kept)):
        kept = tuple(size for axis, size in enumerate(source.shape) if axis not in axes)
    check_output(builder, op, output, kept)
    builder.same_type(op, source, output)
    return source, output, axes


def emit_host(
    builder: TfliteBuilder,
    op: RawOperator,
    function: str,
    source: Tensor | tuple[Tensor, ...],
    output: Tensor,
    **parameters: object,
) -> None:
    """Appends a step on the host that is the whole operator."""
    emit_part(builder, op, "", function, source, output, parameters)


def emit_part(
    builder: TfliteBuilder,
    op: RawOperator,
    part: str,
    function: str,
    source: Tensor | tuple[Tensor, ...],
    output: Tensor,
    parameters: dict[str, Any],
) -> None:
    """Appends a step on the host; `part` tells several of one operator apart."""
    sources = source if isinstance(source, tuple) else (source,)
    builder.emit(
        HostStep(
            name=f"{op.label} {part}".rstrip(),
            op=op.type_name,
            inputs=tuple(tensor.key for tensor in sources),
            output=output.key,
            function=function,
            parameters=parameters,
        )
    )

"""TFLite's resource variables: VAR_HANDLE, READ_VARIABLE, ASSIGN_VARIABLE and CALL_ONCE.

None of them computes anything. What a step assigns last is what the next one reads at first, and
the driver carries it. A variable that CALL_ONCE does not set begins, as in TensorFlow Lite Micro,
with the zero point of the first tensor that is assigned to it in every byte.
"""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawOperator, RawTensor
from compiler.frontends.tflite.model.resources import ResourceVariable
from compiler.ir.ops import Reshape

_REEXPORT = "re-export the model"


def convert_handle(builder: TfliteBuilder, op: RawOperator) -> None:
    """VAR_HANDLE: all there is to know of it was collected when the file was read."""
    if builder.resources.handled((*op.outputs, -1)[0]) is None:
        builder.refuse(op, "it names no variable, or gives no handle", _REEXPORT)
    builder.absorb(op, "a name, which needs no value")


def convert_read(builder: TfliteBuilder, op: RawOperator) -> None:
    """READ_VARIABLE: what the step before left, or what this step has assigned already."""
    resource = _resource(builder, op, 1)
    if len(op.outputs) != 1:
        builder.refuse(op, f"it has {len(op.outputs)} outputs", "one output is supported")
    raw = builder.raw.tensors[op.outputs[0]]
    _check_form(builder, op, resource, raw)
    fresh = resource not in builder.states
    initial = partial(_initial, builder, resource, raw)
    source = builder.state(resource, raw, resource.name, initial)
    output = builder.output(op)
    carried = "what the step before left, which the driver carries"
    builder.emit(
        Reshape(
            name=op.label,
            op=op.type_name,
            inputs=(source.key,),
            output=output.key,
            folded=carried if fresh else "what the variable holds by now",
        )
    )


def convert_assign(builder: TfliteBuilder, op: RawOperator) -> None:
    """ASSIGN_VARIABLE: the variable is another tensor from here on."""
    resource = _resource(builder, op, 2)
    _check_form(builder, op, resource, builder.tensor_at(op, 1, "value"))
    builder.states.keep(resource, builder.activation(op, 1).key)
    builder.absorb(op, "the driver carries its input to the next step")


def convert_call_once(builder: TfliteBuilder, op: RawOperator) -> None:
    """CALL_ONCE: the constants that its subgraph assigns are what the variables hold at first."""
    number = op.options["InitSubgraphIndex"]
    graph = builder.raw.initialising[number]
    for inner in graph.operators:
        if inner.type_name == "VAR_HANDLE":
            continue
        if inner.type_name != "ASSIGN_VARIABLE" or len(inner.inputs) != 2:
            builder.refuse(
                op,
                f"operator {inner.index} of its subgraph {number} is {inner.type_name}",
                "initialise variables by VAR_HANDLE and ASSIGN_VARIABLE of constants alone",
            )
        resource = builder.resources.handled(inner.inputs[0], number)
        value = graph.tensors[inner.inputs[1]]
        if resource is None or value.data is None:
            builder.refuse(
                op,
                f"its subgraph {number} assigns {value.name or inner.inputs[1]}, which is no "
                f"constant, or to a variable without VAR_HANDLE",
                "initialise variables with constants",
            )
        if resource in builder.states:
            builder.refuse(
                op,
                f"it initialises {resource.name} after an operator that uses it",
                "call it before all operators that use its variables",
            )
        _check_form(builder, op, resource, value)
        resource.data = value
    builder.absorb(op, "what it assigns is what the variables hold at first")


def _resource(builder: TfliteBuilder, op: RawOperator, inputs: int) -> ResourceVariable:
    """The variable that an operator names by its first input."""
    resource = None if len(op.inputs) != inputs else builder.resources.handled(op.inputs[0])
    if resource is None:
        builder.refuse(op, "no VAR_HANDLE gives the variable that it names", _REEXPORT)
    return resource


def _check_form(
    builder: TfliteBuilder, op: RawOperator, resource: ResourceVariable, raw: RawTensor
) -> None:
    """A variable has the type and the number of values of what is assigned to it first."""
    form = resource.assigned
    if form is None:
        builder.refuse(op, f"nothing ever assigns {resource.name}, which it reads", _REEXPORT)
    sizes = [int(np.prod(tensor.shape)) for tensor in (raw, form)]
    if sizes[0] != sizes[1] or raw.type_name != form.type_name:
        builder.refuse(
            op,
            f"its tensor {raw.name} has {sizes[0]} values of {raw.type_name}, but {resource.name} "
            f"has {sizes[1]} of {form.type_name}",
            "keep one shape and type in a variable",
        )


def _initial(builder: TfliteBuilder, resource: ResourceVariable, raw: RawTensor) -> NDArray[Any]:
    """What the first step reads."""
    dtype = builder.dtype(raw)
    if resource.data is not None and resource.data.data is not None:
        return np.array(resource.data.data, dtype=dtype).reshape(raw.shape)
    assert resource.assigned is not None
    zero_point = (*resource.assigned.zero_point, 0)[0]
    content = bytes([zero_point & 0xFF]) * int(np.prod(raw.shape) * np.dtype(dtype).itemsize)
    return np.frombuffer(content, dtype=dtype).reshape(raw.shape)

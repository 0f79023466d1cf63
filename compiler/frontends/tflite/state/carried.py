"""What is left from one inference to the next, as a tensor of the graph."""

from collections.abc import Callable, Hashable
from dataclasses import replace

from compiler.frontends.tflite.model.builder import TfliteBuilder
from compiler.frontends.tflite.model.reader import RawTensor
from compiler.ir.graph import Tensor
from compiler.ir.ops import Array


def carried(
    builder: TfliteBuilder,
    state: Hashable,
    like: RawTensor,
    name: str,
    initial: Callable[[], Array],
) -> Tensor:
    """The tensor that a state is by now.

    If nothing has used it yet, that is what the inference before left. Its tensor is then of the
    type and shape of `like`, a tensor of the file, and the first inference finds `initial`, which
    is made once the shape is known to be within the limits.
    """
    if state not in builder.states:
        key = f"state_t{like.index}"
        builder.enter(replace(builder.made_of(like, key), name=name or key))
        builder.states.begin(state, key, initial())
    return builder.present(builder.states[state])

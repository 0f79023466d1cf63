"""How a random graph is written down: what its writer leaves out, or does otherwise."""

from tests.campaigns.fuzz_graph.tflite.writer import OddLayers
from tests.support.tflite.writer import Habits

_CODES = {"both": "both codes", "new": "new code only", "deprecated": "deprecated code only"}
_NAMES = {"own": "own names", "same": "one name", "empty": "empty names", "absent": "no names"}
_BARE = ("ADD", "MUL", "FULLY_CONNECTED", "CONCATENATION", "MEAN", "STRIDED_SLICE")
# TensorFlow Lite Micro moves values into a tensor without scale in these.
_MOVERS = ("RESHAPE", "SLICE", "STRIDED_SLICE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS")

WRITERS = (
    *_CODES.values(),
    *_NAMES.values(),
    *(f"{kind} without options" for kind in _BARE),
    *("explicit defaults", "one zero point for several scales", "no bias scale"),
    *("buffer of its own", "buffer 0 used", "shared buffer", "scalar without shape"),
    *("unused parts", "second subgraph", "output without scale"),
)


def draw(layers: OddLayers) -> Habits:
    """The habits of a writer; what of them shows in this graph is noted."""
    random, writer = layers.random, layers.writer
    kinds = {*writer.operators}
    per_channel = bool(kinds & {"CONV_2D", "DEPTHWISE_CONV_2D"})
    # The interpreter compares the scale of these operators' bias, even one that is not there.
    unscaled_bias = not kinds & {"FULLY_CONNECTED", "SVDF"} and layers.chance(0.4)
    habits = Habits(
        codes=str(random.choice(list(_CODES))),
        explicit=layers.chance(0.2),
        options=None if layers.chance(0.6) else True,
        names=str(random.choice(list(_NAMES))),
        zero_points="single" if layers.chance(0.4) else "full",
        own_buffers=layers.chance(0.4),
        first_buffer_used=layers.chance(0.3),
        shared_buffers=layers.chance(0.4),
        empty_vectors=layers.chance(0.6),
        bias_scales=not unscaled_bias,
        unused=layers.chance(0.3),
        subgraphs=2 if layers.chance(0.2) else 1,
    )
    bare = [kind for kind in _BARE if habits.options is None and kind in writer.defaults]
    shown = {
        _CODES[habits.codes]: True,
        _NAMES[habits.names]: True,
        **{f"{kind} without options": True for kind in bare},
        "explicit defaults": habits.explicit,
        "one zero point for several scales": habits.zero_points == "single" and per_channel,
        "no bias scale": unscaled_bias and per_channel,
        "buffer of its own": habits.own_buffers,
        "buffer 0 used": habits.first_buffer_used and writer.has_data,
        "shared buffer": habits.shared_buffers and writer.repeats_data,
        "scalar without shape": not habits.empty_vectors and writer.has_scalars,
        "unused parts": habits.unused,
        "second subgraph": habits.subgraphs > 1,
    }
    layers.note("writer", *(item for item, seen in shown.items() if seen))
    return habits


def unscale_outputs(layers: OddLayers, outputs: list[int]) -> None:
    """Now and then takes the scale from outputs that an operator only moved values into."""
    for output in outputs:
        kind = layers.writer.writer_of(output)
        if kind in _MOVERS and not layers.writer.is_read(output) and layers.chance(0.3):
            layers.writer.unscale(output)
            layers.note("writer", "output without scale")

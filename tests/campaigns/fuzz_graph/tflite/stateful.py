"""Random operators that keep something for the next step."""

from math import prod

from tests.campaigns.fuzz_graph.tflite.writer import OddLayers, Step
from tests.support.tflite.recurrent import lstm as add_lstm
from tests.support.tflite.recurrent import svdf as add_svdf
from tests.support.tflite.variables import joined

_MOST = 600  # values of a row, and times of an LSTM


def variable(layers: OddLayers, source: int) -> int | None:
    """A tensor after what a resource variable keeps of it, or the variable assigned and read."""
    shape = layers.shape(source)
    if len(shape) < 2 or prod(shape) > _MOST:
        return None
    layers.note("operator", "VAR_HANDLE", "READ_VARIABLE")
    initial = layers.chance(0.5)
    if initial:
        layers.note("operator", "CALL_ONCE")
    axis = int(layers.random.integers(1, len(shape)))
    kept = int(layers.random.integers(1, 4))
    layers.note("state", "initial value" if initial else "zero point at first")
    return joined(layers, source, kept, axis=axis, initial=initial)


def _rows(layers: OddLayers, source: int, shape: tuple[int, ...]) -> int:
    return source if layers.shape(source) == shape else layers.reshape(source, shape)


def svdf(layers: OddLayers, source: int) -> int | None:
    """SVDF over all values of an item, or over its last axis where it has two."""
    shape = layers.shape(source)
    width = prod(shape[1:])
    if width > _MOST:
        return None
    dtype = str(layers.random.choice(["int8", "int16"]))
    layers.note("state", f"SVDF with {dtype}")
    low, high = (-8, 8) if dtype == "int8" else (0, 0)
    return add_svdf(
        layers,
        _rows(layers, source, (shape[0], width)),
        int(layers.random.integers(1, 9)),
        int(layers.random.integers(1, 9)),
        rank=int(layers.random.integers(1, 4)),
        dtype=dtype,
        state_zero_point=int(layers.random.integers(low, high + 1)),
        activation=int(layers.random.choice([0, 1])),
    )


def lstm(layers: OddLayers, source: int) -> int | None:
    """UNIDIRECTIONAL_SEQUENCE_LSTM over an item's last axis, the others being time."""
    shape = layers.shape(source)
    times = prod(shape[1:-1])
    if len(shape) < 2 or times > _MOST:
        return None
    time_major = layers.chance(0.3)
    form = (times, shape[0], shape[-1]) if time_major else (shape[0], times, shape[-1])
    layers.note("state", "LSTM time first" if time_major else "LSTM items first")
    layers.note("state", "LSTM of several times" if times > 1 else "LSTM of one time")
    clip = float(layers.random.choice([0.0, 0.0, 3.0]))
    layers.note("state", *["LSTM with clip"] * (clip > 0))
    return add_lstm(
        layers,
        _rows(layers, source, form),
        int(layers.random.integers(1, 12)),
        time_major=time_major,
        clip=clip,
        power=int(layers.random.choice([-15, -12, -11, -9, -4])),
    )


STATEFUL: dict[str, tuple[int, Step]] = {
    "ASSIGN_VARIABLE": (2, variable),
    "SVDF": (2, svdf),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (3, lstm),
}
"""Relative frequency and maker of every kind of operator."""

SHOWN = (
    *("initial value", "zero point at first", "SVDF with int8", "SVDF with int16"),
    *("LSTM time first", "LSTM items first", "LSTM of several times", "LSTM of one time"),
    "LSTM with clip",
)
"""What a full campaign must show of them."""

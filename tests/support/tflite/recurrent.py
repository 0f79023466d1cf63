"""SVDF and LSTM layers with random weights, which today's converters seldom write."""

import numpy as np

from tests.support.tflite.layers import LayerWriter

_TANH = 4


def _scale(layers: LayerWriter, around: float) -> float:
    """A float32 scale within a factor of 1.5 of another one."""
    return float(np.float32(around * np.exp(layers.random.uniform(-0.4, 0.4))))


def _weights(layers: LayerWriter, name: str, values: np.ndarray, scale: float) -> int:
    return layers.writer.constant(name, values, scale=scale, zero_point=0)


def _random(layers: LayerWriter, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    most = np.iinfo(dtype).max
    return layers.random.integers(-most, most + 1, shape).astype(dtype)


def svdf(
    layers: LayerWriter,
    source: int,
    units: int,
    memory: int,
    *,
    rank: int = 1,
    dtype: str = "int8",
    state_zero_point: int = 0,
    activation: int = 0,
) -> int:
    """SVDF over [B, depth] whose memory and time weights have this type."""
    items, depth = layers.shape(source)
    filters, writer = units * rank, layers.writer
    weight = _scale(layers, 0.01)
    rms = np.sqrt(depth) * layers.scale_of(source) * weight * 74 * 73
    state = _scale(layers, 3 * rms / np.iinfo(dtype).max)
    time = _scale(layers, 0.01 * 128 / np.iinfo(dtype).max)
    output = _scale(layers, rms * np.sqrt(memory * rank) * 0.58 * time * np.iinfo(dtype).max / 40)
    features = _weights(layers, "features", _random(layers, (filters, depth), "int8"), weight)
    times = _weights(layers, "times", _random(layers, (filters, memory), dtype), time)
    bias_scale = float(np.float32(state) * np.float32(time))
    limit = int(30 * output / bias_scale)
    values = layers.random.integers(-limit, limit + 1, units).astype(np.int32)
    bias = _weights(layers, "bias", values, bias_scale)
    variable = writer.tensor(
        "memory",
        (items, memory * filters),
        dtype,
        scale=state,
        zero_point=state_zero_point,
        variable=True,
    )
    result = layers.activation((items, units), scale=output)
    return writer.operator(
        "SVDF",
        [source, features, times, bias, variable],
        result,
        Rank=rank,
        FusedActivationFunction=activation,
    )


def lstm(
    layers: LayerWriter,
    source: int,
    units: int,
    *,
    time_major: bool = False,
    clip: float = 0.0,
    power: int = -11,
) -> int:
    """UNIDIRECTIONAL_SEQUENCE_LSTM over [B, T, depth], or [T, B, depth] if `time_major`."""
    *leading, depth = layers.shape(source)
    items, writer = leading[1 if time_major else 0], layers.writer
    hidden_scale = _scale(layers, 1 / 128)
    hidden_zero_point = int(layers.random.integers(-20, 20))
    spread = 1.5 / (np.sqrt(depth) * layers.scale_of(source) * 74 * 73)
    recurrent = 1.5 / (np.sqrt(units) * 73 * 0.3)
    inputs, scales = [source], []
    for name, size, around in (("w", depth, spread), ("r", units, recurrent)):
        for gate in range(4):
            scale = _scale(layers, around)
            scales.append(scale)
            values = _random(layers, (units, size), "int8")
            inputs.append(_weights(layers, f"{name}{gate}", values, scale))
    inputs += [-1] * 3
    for gate in range(4):
        scale = float(np.float32(scales[gate]) * np.float32(layers.scale_of(source)))
        limit = int(1 / scale)
        values = layers.random.integers(-limit, limit + 1, units).astype(np.int32)
        inputs.append(_weights(layers, f"b{gate}", values, scale))
    inputs += [-1] * 2
    hidden = {"scale": hidden_scale, "zero_point": hidden_zero_point}
    inputs.append(writer.tensor("hidden", (items, units), variable=True, **hidden))
    inputs.append(
        writer.tensor(
            "cell", (items, units), "int16", scale=2.0**power, zero_point=0, variable=True
        )
    )
    inputs += [-1] * 4
    output = layers.activation((*leading, units), **hidden)
    return writer.operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        inputs,
        output,
        FusedActivationFunction=_TANH,
        CellClip=clip,
        TimeMajor=time_major,
    )

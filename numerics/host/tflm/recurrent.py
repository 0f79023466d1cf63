"""Host steps of TensorFlow Lite Micro's recurrent operators, bit for bit: SVDF and LSTM.

Products with the input are not here: the array computes them, and its 32-bit sums come in.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from numerics.gemmlowp import Ints, multiply_by_quantised_multiplier, wrap
from numerics.registry import Array, host_step
from numerics.sigmoid import logistic_short, tanh_short


def _scaled(values: Ints, pair: Sequence[int]) -> Ints:
    multiplier, shift = (np.asarray(number, dtype=np.int64) for number in pair)
    return multiply_by_quantised_multiplier(wrap(values, 32), multiplier, shift)


def _clamped(values: Ints, dtype: npt.DTypeLike) -> Ints:
    limits = np.iinfo(dtype)
    return np.clip(values, limits.min, limits.max)


# ---- SVDF ---------------------------------------------------------------------------------------


@host_step
def svdf_state(sums: Array, state: Array, *, scale: Sequence[int], zero_point: int) -> Array:
    """What SVDF remembers after a step: the oldest value of each filter goes, the newest comes.

    sums: [B, F], of F filters over the input. state: [B, F * memory], int8 or int16, of each filter
    the oldest value first. `scale` is multiplier and shift to the state's scale.
    """
    items, filters = sums.shape
    newest = _clamped(_scaled(sums.astype(np.int64), scale), state.dtype) + zero_point
    newest = wrap(newest, 8 * state.dtype.itemsize).astype(state.dtype)
    kept = state.reshape(items, filters, -1)[:, :, 1:]
    return np.concatenate([kept, newest[:, :, np.newaxis]], axis=2).reshape(state.shape)


@host_step
def svdf_output(
    state: Array,
    weights: Array,
    bias: Array,
    *,
    rank: int,
    scale: Sequence[int],
    state_zero_point: int,
    zero_point: int,
) -> Array:
    """The output of SVDF, int8 [B, F / rank]: every filter's memory weighted, `rank` filters added.

    state: [B, F * memory]. weights: [F, memory]. bias: int32 [F / rank].
    """
    filters, memory = weights.shape
    past = state.reshape(-1, filters, memory).astype(np.int64) - state_zero_point
    weighed = wrap((past * weights.astype(np.int64)).sum(axis=2), 32)
    sums = weighed.reshape(len(past), filters // rank, rank).sum(axis=2) + bias.astype(np.int64)
    return _clamped(_scaled(sums, scale) + zero_point, np.int8).astype(np.int8)


# ---- LSTM ---------------------------------------------------------------------------------------


@host_step
def lstm(
    sums: Array,
    hidden: Array,
    cell: Array,
    weights: Array,
    *,
    shape: Sequence[int],
    time_major: bool,
    input_scales: Sequence[Sequence[int]],
    hidden_zero_point: int,
    **law: Any,
) -> Array:
    """The hidden states of an LSTM after each of T times, then its cell state: int16 [T + 1, B, S].

    sums: [B * T, 4 * S] over the input, bias included, of the input, forget, cell and output gate;
    [T * B, 4 * S] if `time_major`. hidden: [B, S] of int8, cell: of int16, both before the first
    time. weights: int8 [4 * S, S], of the same gates over the hidden state. `shape` is (B, T, S).
    `input_scales` bring each gate's sums to 12 fractional bits; for `law` see `_advance`.
    """
    items, times, units = shape
    gates = sums.reshape((times, items, 4, units) if time_major else (items, times, 4, units))
    by_time = gates if time_major else gates.swapaxes(0, 1)
    from_input = _by_gate(by_time.astype(np.int64), input_scales)
    # Sums of 16-bit products are exact in float64, whose product of matrices is far faster.
    recurrent = weights.astype(np.float64).T
    now = hidden.reshape(items, units).astype(np.int64)
    held = cell.reshape(items, units).astype(np.int64)
    result = np.empty((times + 1, items, units), dtype=np.int16)
    for time in range(times):
        fed_back = ((now - hidden_zero_point) @ recurrent).astype(np.int64)
        now, held = _advance(from_input[time], fed_back, held, hidden_zero_point, **law)
        result[time] = now
    result[times] = held
    return result


@host_step
def lstm_once(
    sums: Array,
    fed_back: Array,
    cell: Array,
    *,
    input_scales: Sequence[Sequence[int]],
    hidden_zero_point: int,
    **law: Any,
) -> Array:
    """The hidden state of an LSTM after one time, then its cell state: int16 [2, B, S].

    sums, fed_back: [B, 4 * S], of each gate over the input, bias included, and over the hidden
    state before. cell: int16 [B, S]. Otherwise as `lstm`.
    """
    items, units = len(sums), sums.shape[1] // 4
    from_input = _by_gate(sums.astype(np.int64).reshape(items, 4, units), input_scales)
    held = cell.reshape(items, units).astype(np.int64)
    return np.stack(
        _advance(from_input, fed_back.astype(np.int64), held, hidden_zero_point, **law)
    ).astype(np.int16)


def _advance(
    from_input: Ints,
    fed_back: Ints,
    held: Ints,
    zero_point: int,
    *,
    recurrent_scales: Sequence[Sequence[int]],
    forget_scale: Sequence[int],
    update_scale: Sequence[int],
    output_scale: Sequence[int],
    clip: int,
    power: int,
) -> tuple[Ints, Ints]:
    """Hidden and cell state after a time, [B, S].

    from_input: [B, 4, S] in 12 fractional bits. fed_back: [B, 4 * S], sums over the hidden state.
    held: [B, S], the cell before. `zero_point` is the hidden state's.

    Scales are multiplier and shift: of each gate's sums to 12 fractional bits, of the products for
    the cell to its scale 2^`power`, of the product for the hidden state to its own. Cells are
    limited to `clip` on both sides, unless it is 0.
    """
    joined = from_input + _by_gate(fed_back.reshape(from_input.shape), recurrent_scales)
    joined = _clamped(joined, np.int16)
    allow, forget, output = (logistic_short(joined[:, gate]) for gate in (0, 1, 3))
    kept = _clamped(_scaled(forget * held, forget_scale), np.int16)
    added = _clamped(_scaled(allow * tanh_short(joined[:, 2]), update_scale), np.int16)
    cell = _clamped(kept + added, np.int16)
    if clip:
        cell = np.clip(cell, -clip, clip)
    shown = _scaled(tanh_short(cell, power) * output, output_scale)
    return _clamped(shown + zero_point, np.int8), cell


@host_step
def lstm_part(x: Array, *, start: int, stop: int, time_major: bool, dtype: str) -> Array:
    """Some times of an LSTM's result, [B, T, S], or [T, B, S] if `time_major`, of another type."""
    part = x[start:stop]
    return np.ascontiguousarray(part if time_major else part.swapaxes(0, 1)).astype(dtype)


def _by_gate(sums: Ints, scales: Sequence[Sequence[int]]) -> Ints:
    """Sums [..., 4, S] in 12 fractional bits, limited to 16 bits."""
    scaled: list[Any] = [_scaled(sums[..., gate, :], scales[gate]) for gate in range(4)]
    return _clamped(np.stack(scaled, axis=-2), np.int16)

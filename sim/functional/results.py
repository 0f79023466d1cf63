"""The post-processor: requantises finished sums and places them in buffer words."""

from collections.abc import Mapping

import numpy as np

from hw.arch.commands import OUTPUT, Rounding
from hw.arch.config.modes import rounding_modes
from hw.arch.program.layout import RAW_BITS, Ints
from sim.functional.errors import require
from sim.functional.requantise import requantise
from sim.functional.state import State

_PARAM_ROW = next(field for field in OUTPUT if field.name == "param")
_PARAM_ROWS = 1 << _PARAM_ROW.width


def check_output(state: State, output: Mapping[str, int]) -> None:
    """The clamp must fit what is stored and the mode must exist."""
    width = state.config.array.data_width
    built = rounding_modes(state.config)
    require(output["mode"] in built, f"rounding mode {output['mode']} is not built")
    if output["mode"] == Rounding.RAW:
        return
    low, high = output["low"], output["high"]
    signed = -(1 << (width - 1)) <= low <= high < 1 << (width - 1)
    unsigned = 0 <= low <= high < 1 << width
    require(signed or unsigned, f"the clamp {low} to {high} does not fit {width} bits")


def channel_rows(state: State, output: Mapping[str, int], channel: Ints) -> Ints:
    """Parameter rows that follow the channel."""
    return (output["param"] + channel // state.config.post.units) % _PARAM_ROWS


def finish(
    state: State,
    output: Mapping[str, int],
    acc: Ints,
    *,
    address: Ints,
    channel: Ints,
    param_row: Ints,
) -> tuple[Ints, Ints]:
    """Write results; all arrays broadcast to the shape of `acc`.

    Parameters
    ----------
    output : mapping
        `OUTPUT` fields.
    address : word address of channel block 0 of the pixel
    channel : output channel
    param_row : parameter row; the entry in it is that of channel mod `post.units`

    Returns the (wrapped) word and the first lane of every result.
    """
    config, units = state.config, state.config.post.units
    entry = np.asarray(param_row * units + channel % units, dtype=np.int64)
    values = requantise(acc, **state.params.read(entry), output=output)
    for number in np.unique(entry).tolist():
        state.hazards.use(state.params.name, number)
    parts = RAW_BITS // config.array.data_width if output["mode"] == Rounding.RAW else 1
    element = channel * parts
    words = state.memory.activation_address(address + element // config.lanes * output["plane"])
    words = np.broadcast_to(words, acc.shape)
    lanes = np.broadcast_to(element % config.lanes, acc.shape)
    _check_distinct(words * config.lanes + lanes, config.lanes)
    state.count(glb_act_write_lanes=acc.size * parts)
    for part in range(parts):
        state.memory.write_lanes(words, lanes + part, values >> (part * config.array.data_width))
    if state.contents is not None:
        state.contents.result(words)
    return words, lanes


def _check_distinct(places: Ints, lanes: int) -> None:
    ordered = np.sort(places, axis=None)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    if twice.size:
        word, lane = divmod(int(twice[0]), lanes)
        require(False, f"word {word}, lane {lane} is written twice")

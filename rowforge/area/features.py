"""What the cells of each part of an accelerator grow with: `features`."""

from collections.abc import Mapping

from hw.arch.config import Config
from rowforge.area.memories import MemorySize, filter_spad

PARTS: Mapping[str, tuple[str, ...]] = {
    "PEs": ("pe", "filter_spad", "ifmap_spad", "window_walk", "gated_adder"),
    "columns": ("column_feeder", "column_collector", "column_chains"),
    "operand networks": ("multicast_network", "multicast_controller", "x_bus"),
    "array": ("pe_array", "entry_table", "pattern_loader"),
    "buffer": ("global_buffer", "read_arbiter", "write_arbiter", "reader", "deep_queue"),
    "engines": ("ifmap_engine", "filter_engine", "psum_reader", "psum_writer", "filter_reader"),
    "post-processing": (
        *("post_processor", "packer", "requantiser", "multiplier", "normaliser", "right_shifter"),
        "whole_sum",
    ),
    "vector engine": (
        *("vector_engine", "window_walker", "window_reader", "lane_reducer", "add_tables"),
    ),
}
"""Blocks by the part of the accelerator that they belong to; all others are `CONTROL`."""

CONTROL = "control"

Features = dict[str, float]


def part_of(block: str) -> str:
    """The part to which a block belongs."""
    return next((part for part, blocks in PARTS.items() if block in blocks), CONTROL)


def features(config: Config) -> dict[str, Features]:
    """For each part numbers with which its LUTs and registers grow linearly.

    They are counts of what the configuration names: PEs, columns, bits of words and of networks,
    distributed memories.
    """
    return {
        "PEs": _scaled(config.array.rows * config.array.cols, _pe(config)),
        "columns": _scaled(config.array.cols, _column(config)),
        "operand networks": _networks(config),
        "array": _array(config),
        "buffer": _buffer(config),
        "engines": _engines(config),
        "post-processing": _post(config),
        "vector engine": _vector(config),
        CONTROL: _control(config),
    }


def _scaled(count: int, found: Features) -> Features:
    return {name: count * value for name, value in found.items()}


def _small(words: int, bits: int) -> int:
    """Distributed memories."""
    return MemorySize(words, bits).small


def _pe(config: Config) -> Features:
    """Of one PE."""
    array, pe, noc = config.array, config.pe, config.noc
    spad, psums = filter_spad(config), array.psum_width * pe.macs
    return {
        "psum bits": psums,
        "psum width": array.psum_width,
        "operand bits": config.operand_width * pe.macs,
        "wide operands": float(array.data_width == 16),
        "second multiplier": pe.macs - 1,
        "filter memories": 0 if spad.block_rams else spad.small,
        "filter beat bits": noc.filter * config.weight_width,
        "ifmap memories": _small(pe.ifmap_spad, config.operand_width),
        "ifmap beat bits": noc.ifmap * array.data_width,
        "ifmap queue bits": noc.ifmap * array.data_width * (pe.ifmap_fifo > 1),
        "psum memories": _small(pe.psum_spad // pe.macs, psums),
        "psum queue bits": psums * (pe.psum_fifo > 2),
        "skipping": float(pe.kind == "skipping"),
        "zero gating": float(pe.zero_gating),
        "pipeline": config.control.pipeline,
        "one": 1,
    }


def _column(config: Config) -> Features:
    """Of one column."""
    array, noc = config.array, config.noc
    psums_in, psums_out = noc.psum_in * array.psum_width, noc.psum_out * array.psum_width
    return {
        "one": 1,
        "rows": array.rows,
        "psum bits by rows": array.rows * array.psum_width,
        "psum bits in": psums_in,
        "psum bits out": psums_out,
        "memories in": _small(noc.column_fifo, psums_in),
        "memories out": _small(noc.column_fifo, psums_out),
        "second multiplier by rows": array.rows * array.psum_width * (config.pe.macs - 1),
    }


def _networks(config: Config) -> Features:
    array, noc = config.array, config.noc
    ifmap = noc.ifmap * array.data_width
    filters = noc.filter * array.data_width
    return {
        "PEs": array.rows * array.cols,
        "rows": array.rows,
        "one": 1,
        "ifmap bits by rows": array.rows * ifmap * noc.pipeline,
        "filter bits by rows": array.rows * filters * noc.pipeline,
        "ifmap bits": ifmap * config.control.pipeline,
        "filter bits": filters * config.control.pipeline,
    }


def _array(config: Config) -> Features:
    array = config.array
    return {
        "one": 1,
        "PEs": array.rows * array.cols,
        "counted PEs": array.rows * array.cols * config.control.access_counters,
        "rows": array.rows,
        "columns": array.cols,
        "map bits": config.control.map_bits,
    }


def _buffer(config: Config) -> Features:
    buffer, noc = config.buffer, config.noc
    bits = buffer.banks * buffer.width
    return {
        "one": 1,
        "banks": buffer.banks,
        "bits of banks": bits,
        "bits of banks for filters": bits * buffer.filters,
        "psum words in a beat by banks": config.banks_per_beat * buffer.banks,
        "bits of banks by rows of block RAMs": bits * max(buffer.depth // 16384, 1),
        "word bits": buffer.width,
        "psum bits": max(noc.psum_in, noc.psum_out) * config.array.psum_width,
    }


def _engines(config: Config) -> Features:
    array, noc, buffer = config.array, config.noc, config.buffer
    return {
        "one": 1,
        "columns": array.cols,
        "psum bits in": noc.psum_in * array.psum_width,
        "psum bits out": noc.psum_out * array.psum_width,
        "psum bits out by columns": array.cols * noc.psum_out * array.psum_width,
        "ifmap bits": noc.ifmap * array.data_width,
        "ifmap bits by lanes": noc.ifmap * buffer.width,
        "filter bits": noc.filter * array.data_width,
        "word bits": buffer.width,
        "map bits": config.control.map_bits,
        "filters in the buffer": float(buffer.filters),
    }


def _post(config: Config) -> Features:
    units, wide = config.post.units, float(config.array.data_width == 16)
    return {
        "one": 1,
        "units": units,
        "psum bits": units * config.array.psum_width,
        "wide units": units * wide,
        "word bits": config.buffer.width,
        "pipelined word bits": config.buffer.width * config.control.pipeline,
    }


def _vector(config: Config) -> Features:
    units, wide = config.post.units, float(config.array.data_width == 16)
    return {
        "one": 1,
        "units": units,
        "wide units": units * wide,
        "map bits": config.control.map_bits,
        "word bits": config.buffer.width,
        "lanes by units": config.buffer.width * units,
    }


def _control(config: Config) -> Features:
    control, link = config.control, config.link
    return {
        "one": 1,
        "word bits": config.buffer.width,
        "codes": float(link.codes),
        "coded word bits": config.buffer.width * float(link.codes),
        "narrow link": float(link.width < 64),
        "access counters": float(control.access_counters),
        "wide data": float(config.array.data_width == 16),
        "weight memory": float(bool(config.buffer.weight_memory)),
        "psum width": config.array.psum_width,
    }

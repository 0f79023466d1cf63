"""Which signals of the emitted Verilog a trace reads: `probes`."""

from dataclasses import dataclass

from hw.arch.accesses import counter_block
from hw.arch.config import Config
from hw.emit.prefix import PREFIX

_ENGINE, _DECODER, _WALKER = "engine", "decoder", "next_command"  # modules, and their instances
_INCREMENTS = "counters__increments"

_OF_ENGINE = {
    "conv": "control__start_conv",
    "load": "control__load",
    "store": "control__store",
    "vector": "control__start_vector",
    "hold": "control__hold",
    "clear": "control__clear",
    "vector_busy": "vector__busy",
    "loader_busy": "box_loader__busy",
    "payloads_busy": "payloads__busy",
    "storer_busy": "box_storer__busy",
    "post_busy": "post_processor__busy",
    "vector_reads": "vector__responses__valid",
}
_STREAMS = {
    "load_writes": "box_loader__write",
    "store_reads": "box_storer__port__request",
    "queued": "prefetch__input",
    "unqueued": "prefetch__output",
    "ifmap_beats": "array__ifmap",
}
"""Of which both `valid` and `ready` are read."""
_NUMBERS = {
    "issued": "sequencer__issued",
    "filters_done": "filter_engine__done",
    "ifmaps_done": "ifmap_engine__done",
    "reader_done": "psum_reader__done",
    "writer_done": "psum_writer__done",
}
"""Passes that were issued, and that engines are done with, modulo 4."""
COUNTED = (
    *("pe_active_cycles", "macs", "glb_psum_read_beats", "glb_psum_write_beats"),
    *("glb_act_write_words", "link_in_words", "link_out_words", "filter_words", "passes"),
)
"""Counters whose increments are read."""


@dataclass(frozen=True)
class Probe:
    """Bits of a signal.

    Attributes
    ----------
    block : module without prefix, and the end of the instance's path
    name : of the signal in the Verilog
    low, width : the bits
    size : of the whole signal; 0: it ends with these bits
    """

    block: str
    name: str
    low: int = 0
    width: int = 1
    size: int = 0

    @property
    def whole(self) -> int:
        """Bits of the whole signal."""
        return self.size or self.low + self.width


def probes(config: Config) -> dict[str, Probe]:
    """What a trace reads of the RTL of a configuration, by the names of `sim.observed.slices`.

    Streams have an entry with `_valid` and one with `_ready`.
    """
    found = {name: Probe(_ENGINE, signal) for name, signal in _OF_ENGINE.items()}
    for name, signal in _STREAMS.items():
        for part in ("valid", "ready"):
            found[f"{name}_{part}"] = Probe(_ENGINE, f"{signal}__{part}")
    found |= {name: Probe(_ENGINE, signal, width=2) for name, signal in _NUMBERS.items()}
    found |= {
        "header": Probe(_DECODER, "header", width=64),
        "state": Probe(_DECODER, "fsm_state", width=5),
        "walk": Probe(_WALKER, "walker_start"),
    }
    return found | _increments(config) | _operands(config)


def _increments(config: Config) -> dict[str, Probe]:
    """What each counter gains in a cycle."""
    from hw.top.engine import counter_widths  # slow to import

    found, low, widths = {}, 0, counter_widths(config)
    size = sum(width for _, width in widths)
    for name, width in widths:
        if name in COUNTED:
            found[name] = Probe(_ENGINE, _INCREMENTS, low, width, size)
        low += width
    assert found.keys() == set(COUNTED) <= counter_block(config).offsets.keys()
    return found


def _operands(config: Config) -> dict[str, Probe]:
    """Operands of an ifmap beat beyond the first."""
    if config.noc.ifmap == 1:
        return {}
    from hw.noc.kinds import operand_network
    from hw.noc.operands import ArrayOperand
    from hw.pe.layouts import IfmapBeat

    bus = operand_network(config).bus(config, ArrayOperand.IFMAP)
    more = IfmapBeat(config)["more"]
    low = bus["payload"].offset + more.offset
    return {"more": Probe(_ENGINE, "array__ifmap__payload", low, more.width, bus.size)}


def readable(config: Config) -> str:
    """Rules for Verilator that keep these signals as they are in the Verilog, to be read."""
    names = {(probe.block, probe.name) for probe in probes(config).values()}
    return "".join(
        f'public_flat_rd -module "{PREFIX}_{block}" -var "{name}"\n'
        for block, name in sorted(names)
    )

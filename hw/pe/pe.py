"""What a processing element is to the array around it, whatever its kind."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from amaranth.hdl import ShapeLike, Value, ValueLike
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hw.arch.config import Config
from hw.base.block import Block
from hw.pe.layouts import ChainWord, FilterBeat, IfmapBeat, PsumWord

PE_COUNTERS = (
    "pe_active_cycles",
    "macs",
    "gated_macs",
    "stall_ifmap",
    "stall_filter",
    "stall_psum_in",
    "stall_psum_out",
)
"""The counters of `COUNTERS` that add up what PEs do."""

PE_ACCESSES = (
    "ifmap_spad_reads",
    "ifmap_spad_writes",
    "filter_spad_reads",
    "filter_spad_writes",
    "psum_spad_reads",
    "psum_spad_writes",
    "psum_hops",
    "psums_fed",
    "psums_collected",
)
"""Those of `ACCESS_COUNTERS` likewise: each grows by the PEs that access so in a cycle."""


class PassConfig(data.StructLayout):
    """What a PE must know of a pass: its place in a psum chain, and the constants of its kind.

    `active`: computes in this pass; `head`: the first of its psum chain; `zero`: a head that starts
    at zero; `tail`: the last of its chain; `release`: the filters are not needed after this pass.
    The constants are the same for all PEs of a pass.
    """

    def __init__(self, constants: Mapping[str, ShapeLike]):
        place = dict.fromkeys(("active", "head", "zero", "tail", "release"), 1)
        super().__init__({**place, **constants})


class PE(Block):
    """The ports and promises that all kinds of PE share; `hw.pe.kinds` has the kinds.

    A PE computes one pass after the other. In each it takes its filters, or has them still from the
    pass before if that one did not `release` them, and the ifmap words of its windows, and sends
    for every window the psums of its slots, `pe.macs` in a word, in the order of the slots. To each
    it adds the psum of the PE below it or, as a head that does not start at zero, of the column.
    Sums wrap; the order of the words is the same for all kinds, so networks, feeders and collectors
    need not know the kind.

    What a PE may assume
        `config` holds while `config_pass` is one more than `started`, and `config_pass` does not
        go on before `started` has followed. Beats of a pass may come before the pass has begun, in
        the order of passes; a PE that is not active gets none. On `column` come only words for
        this PE. A word on `below` with `tail` is for the collector and goes away by itself.
    What others may assume
        It begins the next pass without waiting for results of the last one to leave, and a pass
        in which it is not active at once. No `ready` depends on the `valid` of its own stream;
        that of `below` and `column` says that a psum is wanted in this cycle and that there is
        room for the sum. Words in `output` leave without further input. No word of a pass is on
        `output` in the first four cycles in which `config_pass` names it, with `control.pipeline`
        five: so long a psum network may take to learn of the pass.

    Members
    -------
    config : in, self.pass_config(config)
        Configuration of the next pass to begin.
    config_pass : in, 2
        Its number modulo 4.
    started : out, 2
        Number modulo 4 of the pass last begun.
    ifmap : in, stream of IfmapBeat(config)
        Beats from the ifmap network.
    filters : in, stream of FilterBeat(config)
        Beats from the filter network.
    below : in, stream of ChainWord(config)
        Chain words of the PE below; those with `tail` are not for this PE.
    column : in, stream of PsumWord(config)
        Psums from the buffer, taken by heads that do not start at zero.
    output : out, stream of ChainWord(config)
        Chain words for the PE above or, with `tail`, for the column's collector.
    running : out, 1
        A pass is under way.
    fired : out, 1
        A step was computed.
    gated : out, 1
        A step was skipped because its activation stands for zero.
    starved_ifmap, starved_filter : out, 1
        A running PE lacks an ifmap word, a filter.
    blocked_in, blocked_out : out, 1
        A psum that it needs has not come; one of its own cannot leave.
    ifmap_spad_reads, ifmap_spad_writes : out, 1, if config.control.access_counters
        An operand is read for the last time in its window; one is written.
    filter_spad_reads, filter_spad_writes : out, 1, if config.control.access_counters
        A row of weights is read, written.
    psum_spad_reads, psum_spad_writes : out, 1, if config.control.access_counters
        A psum word is read, written.
    psum_hops, psums_fed, psums_collected : out, 1, if config.control.access_counters
        A psum word comes from below, comes from the column, is there for the collector.

    Attributes
    ----------
    EVENTS : tuple of str
        Outputs of one bit each whose cycles the array adds up over all PEs, as it does those of
        `PE_ACCESSES`. A kind may add to those above, and documents all its members then.
    PROGRESS : tuple of str
        Those events that show the watchdog a stream which is not stuck.
    """

    EVENTS: ClassVar[tuple[str, ...]] = (
        "running",
        "fired",
        "gated",
        "starved_ifmap",
        "starved_filter",
        "blocked_in",
        "blocked_out",
    )
    PROGRESS: ClassVar[tuple[str, ...]] = ("fired", "gated")

    def __init__(self, config: Config):
        super().__init__(
            {
                "config": In(self.pass_config(config)),
                "config_pass": In(2),
                "started": Out(2),
                "ifmap": In(stream.Signature(IfmapBeat(config))),
                "filters": In(stream.Signature(FilterBeat(config))),
                "below": In(stream.Signature(ChainWord(config))),
                "column": In(stream.Signature(PsumWord(config))),
                "output": Out(stream.Signature(ChainWord(config))),
                **{event: Out(1) for event in self.events(config)},
            }
        )
        self.parameters = config

    @property
    def module_name(self) -> str:
        """`pe` for every kind: a design has one, and flows of boards treat that module apart."""
        return "pe"

    @classmethod
    def events(cls, config: Config) -> tuple[str, ...]:
        """The outputs that are added up over the PEs of a configuration."""
        return (*cls.EVENTS, *(PE_ACCESSES if config.control.access_counters else ()))

    @classmethod
    @abstractmethod
    def pass_config(cls, config: Config) -> PassConfig:
        """The layout of `config`."""

    @classmethod
    @abstractmethod
    def pass_constants(cls, config: Config, constants: data.View) -> dict[str, ValueLike]:
        """The constants in `config`, from a pass table's `CONSTANTS`."""

    @classmethod
    def counted(cls, config: Config, activity: data.View) -> dict[str, Value]:
        """By how much each counter of PEs grows in a cycle in which so many PEs tell each event.

        A step multiplies in all `pe.macs` multipliers.
        """
        accesses = PE_ACCESSES if config.control.access_counters else ()
        return {
            "pe_active_cycles": activity.running,
            "macs": (activity.fired + activity.gated) * config.pe.macs,
            "gated_macs": activity.gated * config.pe.macs,
            "stall_ifmap": activity.starved_ifmap,
            "stall_filter": activity.starved_filter,
            "stall_psum_in": activity.blocked_in,
            "stall_psum_out": activity.blocked_out,
            **{name: activity[name] for name in accesses},
        }

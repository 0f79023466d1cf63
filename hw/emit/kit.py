"""What a process adds to the files of a design: `Kit`, made from a `Design`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from hw.base.geometry import MemoryGeometry


@dataclass(frozen=True, kw_only=True)
class Design:
    """A design as it was emitted.

    Attributes
    ----------
    name : of the top module, and the prefix of all others
    verilog : all modules of its own
    geometries : of the memories that were left to macros, sorted
    foreign : names of the files with Verilog by others
    inputs, outputs : names and widths in bits of the ports of the top module, clocks apart
    period_ns : clock period in nanoseconds
    """

    name: str
    verilog: str
    geometries: Sequence[MemoryGeometry]
    foreign: Sequence[str]
    inputs: Sequence[tuple[str, int]]
    outputs: Sequence[tuple[str, int]]
    period_ns: float


@dataclass(frozen=True, kw_only=True)
class Kit:
    """Files for one process.

    Attributes
    ----------
    models : by file name, Verilog that a simulator reads with the design: wrappers, cell models
    stubs : by file name, Verilog of empty modules that synthesis reads in place of models
    files : by file name, everything else
    """

    models: Mapping[str, str]
    stubs: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


KitMaker = Callable[[Design], Kit]
"""Makes the files of a process for a design; raises `RowforgeError` if it has no such memory."""

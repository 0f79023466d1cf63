"""What is known of an ASIC process: `Process`, and `process` by name."""

from collections.abc import Sequence
from dataclasses import dataclass

from hw.arch.errors import RowforgeError
from hw.asic.macros.ihp import IHP_MACROS
from hw.asic.macros.macro import Macro
from hw.asic.macros.sky130 import SKY130_MACROS


@dataclass(frozen=True)
class CellPins:
    """A standard cell and those of its pins that a tool is told of.

    Attributes
    ----------
    cell : its name
    pins : in the order in which the tools want them
    """

    cell: str
    pins: tuple[str, ...]

    def joined(self, separator: str, between: str | None = None) -> str:
        """The cell and its pins; pins may have another separator between them."""
        return f"{self.cell}{separator}{(between or separator).join(self.pins)}"


@dataclass(frozen=True, kw_only=True)
class NamedCells:
    """Standard cells that tools must be told by name.

    Attributes
    ----------
    clock_gate : pins for enable, clock and gated clock. It is named because what a liberty file
        says of such a cell is not enough for yosys in every process.
    high, low : constants, with their output
    buffer : with input and output
    """

    clock_gate: CellPins
    high: CellPins
    low: CellPins
    buffer: CellPins


@dataclass(frozen=True, kw_only=True)
class LayoutFacts:
    """What floor plans and the files of layout flows need.

    Attributes
    ----------
    openroad_platform : its name in OpenROAD-flow-scripts
    librelane_pdk : its name in LibreLane
    macro_folder : the folder of the macros below that of a PDK
    lef, gds, liberty : files of a macro in the folder of macros; `{name}` is the macro's. The
        liberty files are by wildcard of a corner.
    grid : nanometres that places of macros are multiples of
    bit_area : µm² of cells for each bit of a flip-flop, all logic included, in our own netlists
    """

    openroad_platform: str
    librelane_pdk: str
    macro_folder: str
    lef: str
    gds: str
    liberty: dict[str, str]
    grid: tuple[int, int]
    bit_area: float


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process.

    Attributes
    ----------
    name : for `--process`
    macros : its memory macros; none: memories of any size are left as black boxes
    cells, layout : None where nothing is known
    """

    name: str
    macros: Sequence[Macro] = ()
    cells: NamedCells | None = None
    layout: LayoutFacts | None = None


IHP_SG13G2 = Process(
    name="ihp-sg13g2",
    macros=IHP_MACROS,
    cells=NamedCells(
        clock_gate=CellPins("sg13g2_lgcp_1", ("GATE", "CLK", "GCLK")),
        high=CellPins("sg13g2_tiehi", ("L_HI",)),
        low=CellPins("sg13g2_tielo", ("L_LO",)),
        buffer=CellPins("sg13g2_buf_1", ("A", "X")),
    ),
    layout=LayoutFacts(
        openroad_platform="ihp-sg13g2",
        librelane_pdk="ihp-sg13g2",
        macro_folder="libs.ref/sg13g2_sram",
        lef="lef/{name}.lef",
        gds="gds/{name}.gds",
        liberty={
            "*_typ_*": "lib/{name}_typ_1p20V_25C.lib",
            "*_slow_*": "lib/{name}_slow_1p08V_125C.lib",
            "*_fast_*": "lib/{name}_fast_1p32V_m55C.lib",
        },
        grid=(480, 3780),
        bit_area=75.0,
    ),
)

SKY130 = Process(
    name="sky130",
    macros=SKY130_MACROS,
    cells=NamedCells(
        clock_gate=CellPins("sky130_fd_sc_hd__dlclkp_1", ("GATE", "CLK", "GCLK")),
        high=CellPins("sky130_fd_sc_hd__conb_1", ("HI",)),
        low=CellPins("sky130_fd_sc_hd__conb_1", ("LO",)),
        buffer=CellPins("sky130_fd_sc_hd__buf_4", ("A", "X")),
    ),
    layout=LayoutFacts(
        openroad_platform="sky130hd",
        librelane_pdk="sky130A",
        macro_folder="libs.ref/sky130_sram_macros",
        lef="lef/{name}.lef",
        gds="gds/{name}.gds",
        liberty={"*": "lib/{name}_TT_1p8V_25C.lib"},
        grid=(460, 2720),
        bit_area=32.0,
    ),
)

GENERIC = Process(name="generic")

PROCESSES = {item.name: item for item in (IHP_SG13G2, SKY130, GENERIC)}


def process(name: str) -> Process:
    """A process by name; `RowforgeError` if there is none of that name."""
    if name not in PROCESSES:
        raise RowforgeError(f"process must be one of {', '.join(PROCESSES)}, not {name!r}")
    return PROCESSES[name]

"""What a build came to, as one JSON object."""

from dataclasses import asdict, dataclass, field
from typing import Any

from boards.common.board import Board
from boards.common.nextpnr import Hop
from hw.arch.config import Config
from hw.arch.config.file import config_hash


@dataclass(kw_only=True)
class BuildReport:
    """Figures of one build.

    Attributes
    ----------
    board, device, link : str
    lut, ff, dsp, block_ram : int
        Used; `available` holds the part's own figures under the same names. A LUT that serves as
        memory or carry counts.
    fmax_mhz, target_mhz : float or None
        By the place-and-route tool's own timing report; None where nothing was placed.
    met : bool or None
        Every clock meets its constraint.
    pes, multipliers, gmac_per_s
        Of the array; multiplications a second at the target frequency, all multipliers busy.
    seed : int
    wall_s, cpu_s : float
        Seconds of the whole build.
    tools : dict
        Versions.
    configuration_hash, configuration
        What was built.
    critical_path : list of Hop
        The slowest path, in the design's names.
    cells : dict
        All cells used, by the place-and-route tool's names.
    files : dict
        What was made, with sizes in bytes.
    array, depth : dict
        Where only yosys ran: what the array alone needs, and the longest way between registers.
    """

    board: str
    device: str
    link: str
    seed: int
    pes: int
    multipliers: int
    configuration_hash: str
    configuration: dict[str, Any]
    available: dict[str, int]
    target_mhz: float
    lut: int = 0
    ff: int = 0
    dsp: int = 0
    block_ram: int = 0
    fmax_mhz: float | None = None
    met: bool | None = None
    gmac_per_s: float = 0.0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    tools: dict[str, str] = field(default_factory=dict)
    critical_path: list[Hop] = field(default_factory=list)
    cells: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    array: dict[str, float] = field(default_factory=dict)
    depth: dict[str, Any] = field(default_factory=dict)

    @property
    def exceeded(self) -> list[str]:
        """Resources of which more is needed than the part has."""
        return [name for name, most in self.available.items() if getattr(self, name) > most]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def begin(board: Board, config: Config, seed: int) -> BuildReport:
    """A report that knows what is to be built, and nothing of the outcome."""
    budget = board.budget
    return BuildReport(
        board=board.name,
        device=board.part,
        link=str(board.link),
        seed=seed,
        pes=config.array.rows * config.array.cols,
        multipliers=config.multipliers,
        configuration_hash=f"{config_hash(config):016x}",
        configuration=config.as_dict(hardware=True),
        available={
            "lut": budget.lut,
            "ff": budget.ff,
            "dsp": budget.dsp,
            "block_ram": budget.block_ram,
        },
        target_mhz=board.clock / 1e6,
        gmac_per_s=config.multipliers * board.clock / 1e9,
    )

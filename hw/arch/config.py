"""The configuration of an accelerator: every parameter, its limits, and what combines with what."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any

from hw.arch.errors import RowforgeError

MAX_ROWS = 32
MAX_COLS = 32
LINK_WORD_BITS = 64


def _choice(doc: str, *choices: int, default: int) -> Any:
    return field(default=default, metadata={"doc": doc, "choices": choices})


def _range(doc: str, low: int, high: int, default: int) -> Any:
    return field(default=default, metadata={"doc": doc, "low": low, "high": high})


def _flag(doc: str, default: bool) -> Any:
    return field(default=default, metadata={"doc": doc})


@dataclass(frozen=True, kw_only=True)
class Config:
    """A validated accelerator configuration (design parameters only; see each field's `doc`).

    Raises `RowforgeError` at construction for a field out of range or an impossible combination.
    """

    rows: int = _range("PE rows", 1, MAX_ROWS, 4)
    cols: int = _range("PE columns", 1, MAX_COLS, 4)
    data_width: int = _choice("bits of an activation or weight", 8, 16, default=8)
    psum_width: int = _range("bits of a partial sum", 16, 40, 32)
    macs_per_pe: int = _choice("multipliers a PE", 1, 2, default=1)
    ifmap_spad: int = _range("ifmap scratchpad, words a PE", 1, 255, 12)
    filter_spad: int = _range("filter scratchpad, words a PE, both halves together", 2, 4096, 224)
    psum_spad: int = _range("psum scratchpad, words a PE", 1, 128, 24)
    ifmap_fifo: int = _range("ifmap FIFO of a PE, NoC beats", 1, 32, 2)
    psum_fifo: int = _range("psum output FIFO of a PE, words", 2, 32, 2)
    column_fifo: int = _range("psum FIFO at each end of a column, NoC beats", 2, 32, 4)
    noc_ifmap: int = _choice("ifmap network, words a cycle", 1, 2, 4, 8, default=4)
    noc_filter: int = _choice("filter network, words a cycle", 1, 2, 4, 8, default=8)
    noc_psum_in: int = _choice("psum input network, words a cycle", 1, 2, 4, 8, default=4)
    noc_psum_out: int = _choice("psum output network, words a cycle", 1, 2, 4, 8, default=4)
    bus_pipeline: int = _choice(
        "register stages between the Y bus and the X buses", 0, 1, default=0
    )
    control_pipeline: int = _choice(
        "register stages between engines, array and the global buffer", 0, 1, default=0
    )
    glb_banks: int = _range("global buffer banks", 2, 64, 8)
    glb_depth: int = _choice(
        "words a bank", 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, default=512
    )
    glb_width: int = _choice("bits of a bank word", 32, 64, 128, default=64)
    glb_act_banks: int = _range("banks that activations reach, from the bottom; 0: all", 0, 64, 0)
    glb_psum_banks: int = _range("banks that psums reach, from the top; 0: all", 0, 64, 0)
    filter_prefetch: int = _range("filter prefetch FIFO, bytes", 64, 1 << 20, 2048)
    weight_memory: int = _range("on-chip weight memory, bytes; 0: streamed", 0, 1 << 24, 0)
    weight_zero_points: bool = _flag("weights may have a zero point (9-bit operands)", False)
    zero_gating: bool = _flag("freeze the datapath for a zero activation", True)
    post_units: int = _choice("requantisation lanes", 1, 2, 4, 8, default=1)
    post_channels: int = _range("channels of the requantisation parameter memory", 16, 8192, 512)
    map_bits: int = _range(
        "bits of a row or column number; maps with padding are below half of what they count",
        8,
        16,
        16,
    )
    row_patterns: int = _range("row mappings held in hardware", 2, 255, 16)
    col_patterns: int = _range("column mappings held in hardware", 2, 255, 8)
    link_width: int = _choice("bits of the link a cycle", 8, 16, 32, 64, default=64)
    processor: bool = _flag(
        "a processor with firmware in the place of decoder and engines, for small parts", False
    )
    watchdog: int = _range(
        "cycles without progress before a stream counts as stuck", 64, 1 << 30, 1 << 20
    )

    def __post_init__(self) -> None:
        for item in fields(self):
            _check_field(item.name, getattr(self, item.name), item.type, item.metadata)
        _check_combinations(self)

    # ---- what follows from the fields -----------------------------------------------------

    def __hash__(self) -> int:
        """That of all fields, computed once: configurations are keys of many caches."""
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(tuple(getattr(self, field.name) for field in fields(self)))

    @property
    def operand_width(self) -> int:
        """Bits of an activation after its zero point is subtracted (signed)."""
        return 9 if self.data_width == 8 else 16

    @property
    def weight_width(self) -> int:
        """Bits of a weight in the filter scratchpad (signed)."""
        return 9 if self.data_width == 8 and self.weight_zero_points else self.data_width

    @property
    def lanes(self) -> int:
        """Activations in one global buffer word: the channel block of the activation layout."""
        return self.glb_width // self.data_width

    @property
    def most_map(self) -> int:
        """Rows or columns of the largest map, padding included: a bit of `map_bits` is a sign."""
        return (1 << (self.map_bits - 1)) - 1

    @property
    def filter_half(self) -> int:
        """Usable words in one half of the filter scratchpad (whole NoC beats)."""
        return self.filter_spad // 2 // self.noc_filter * self.noc_filter

    @property
    def psum_beat(self) -> int:
        """Psums in one access of the psum buffer: the wider of the two psum networks."""
        return max(self.noc_psum_in, self.noc_psum_out)

    @property
    def psums_per_word(self) -> int:
        """Whole psums that fit one bank word."""
        return min(self.psum_beat, self.glb_width // self.psum_width)

    @property
    def banks_per_beat(self) -> int:
        """Banks that one psum beat touches at once."""
        return -(-self.psum_beat // self.psums_per_word)

    @property
    def act_banks(self) -> int:
        """Banks reachable by activations, counted from bank 0."""
        return self.glb_act_banks or self.glb_banks

    @property
    def psum_groups(self) -> int:
        """Groups of 2·banks_per_beat banks that psums can use, counted from the top bank down."""
        return (self.glb_psum_banks or self.glb_banks) // (2 * self.banks_per_beat)

    @property
    def glb_bytes(self) -> int:
        """Capacity of the global buffer without the prefetch FIFO."""
        return self.glb_banks * self.glb_depth * self.glb_width // 8

    @property
    def multipliers(self) -> int:
        """Multipliers in the array."""
        return self.rows * self.cols * self.macs_per_pe

    # ---- in and out -----------------------------------------------------------------------

    def as_dict(self) -> dict[str, int | bool]:
        """All fields in declaration order."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> "Config":
        """A configuration from named values; missing fields take their defaults."""
        known = {item.name for item in fields(cls)}
        for name in values:
            if name not in known:
                raise RowforgeError(
                    f"configuration has no field {name!r}; known: {', '.join(sorted(known))}"
                )
        return cls(**dict(values))  # type: ignore[arg-type]


def _check_field(name: str, value: object, kind: object, meta: Mapping[str, Any]) -> None:
    if kind is bool or kind == "bool":
        if not isinstance(value, bool):
            raise RowforgeError(f"{name} must be true or false, not {value!r}")
        return
    if not isinstance(value, int) or isinstance(value, bool):
        raise RowforgeError(f"{name} must be a whole number, not {value!r}")
    if "choices" in meta and value not in meta["choices"]:
        choices = ", ".join(str(choice) for choice in meta["choices"])
        raise RowforgeError(f"{name} must be one of {choices}, not {value}")
    if "low" in meta and not meta["low"] <= value <= meta["high"]:
        raise RowforgeError(f"{name} must be {meta['low']} to {meta['high']}, not {value}")


OF_PROCESSOR = {
    "rows": 16,
    "cols": 8,
    "data_width": 8,
    "macs_per_pe": 1,
    "noc_ifmap": 1,
    "noc_filter": 2,
    "noc_psum_in": 1,
    "noc_psum_out": 1,
    "glb_width": 32,
    "post_units": 1,
    "link_width": 32,
}
"""What a configuration with `processor` may have at most."""


def _check_combinations(config: Config) -> None:
    """Refuse what cannot be built, naming field, value, limit and a value that works."""
    for name, most in OF_PROCESSOR.items():
        if config.processor and getattr(config, name) > most:
            raise RowforgeError(
                f"{name} must be at most {most} with processor, not {getattr(config, name)}"
            )
    beat_bits = config.noc_filter * config.data_width
    if beat_bits > LINK_WORD_BITS:
        raise RowforgeError(
            f"noc_filter must be at most {LINK_WORD_BITS // config.data_width} with "
            f"data_width {config.data_width} (a link word has 64 bits), not {config.noc_filter}"
        )
    if config.noc_filter < config.macs_per_pe:
        raise RowforgeError(
            f"noc_filter must be at least macs_per_pe ({config.macs_per_pe}), "
            f"not {config.noc_filter}"
        )
    for name in ("noc_psum_in", "noc_psum_out"):
        if getattr(config, name) < config.macs_per_pe:
            raise RowforgeError(
                f"{name} must be at least macs_per_pe ({config.macs_per_pe}), "
                f"not {getattr(config, name)}"
            )
    if config.filter_half < config.noc_filter:
        raise RowforgeError(
            f"filter_spad must be at least {2 * config.noc_filter} (two halves of one "
            f"{config.noc_filter}-word beat), not {config.filter_spad}"
        )
    if config.psum_spad % config.macs_per_pe:
        raise RowforgeError(
            f"psum_spad must be even with macs_per_pe 2, not {config.psum_spad}; "
            f"{config.psum_spad + 1} works"
        )
    if config.noc_ifmap > config.lanes:
        raise RowforgeError(
            f"noc_ifmap must be at most {config.lanes} (activations in a {config.glb_width}-bit "
            f"buffer word), not {config.noc_ifmap}"
        )
    if config.post_units > config.lanes:
        raise RowforgeError(
            f"post_units must be at most {config.lanes} (activations in a {config.glb_width}-bit "
            f"buffer word), not {config.post_units}"
        )
    if config.post_units > config.psum_beat:
        raise RowforgeError(
            f"post_units must be at most {config.psum_beat} (psums of a psum network beat), "
            f"not {config.post_units}"
        )
    if config.glb_width < config.psum_width:
        raise RowforgeError(
            f"glb_width must be at least psum_width ({config.psum_width}), not {config.glb_width}; "
            f"64 works"
        )
    for name in ("glb_act_banks", "glb_psum_banks"):
        if getattr(config, name) > config.glb_banks:
            raise RowforgeError(
                f"{name} must be at most glb_banks ({config.glb_banks}), "
                f"not {getattr(config, name)}"
            )
    need = 2 * config.banks_per_beat
    if config.psum_groups < 1:
        raise RowforgeError(
            f"glb_banks must give psums at least {need} banks (a beat of {config.psum_beat} psums "
            f"of {config.psum_width} bits, twice), not {config.glb_psum_banks or config.glb_banks}"
        )
    if config.filter_prefetch % 8:
        raise RowforgeError(
            f"filter_prefetch must be a multiple of 8 bytes, not {config.filter_prefetch}"
        )
    if config.weight_memory % 8:
        raise RowforgeError(
            f"weight_memory must be a multiple of 8 bytes, not {config.weight_memory}"
        )
    if config.post_channels % config.post_units:
        raise RowforgeError(
            f"post_channels must be a multiple of post_units ({config.post_units}), not "
            f"{config.post_channels}"
        )

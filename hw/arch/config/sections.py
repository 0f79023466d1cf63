"""The sections of a configuration: every parameter of the hardware, with its limits."""

from dataclasses import dataclass
from typing import ClassVar

from hw.arch.config.section import Section, choice, flag, kind, number, rate
from hw.arch.errors import RowforgeError
from hw.arch.sdram import CHIPS, SdramChip, SdramTiming

MAX_ROWS = 32
MAX_COLS = 32
MAX_CLUSTERS = 16  # along an axis


@dataclass(frozen=True, kw_only=True)
class ArrayConfig(Section):
    """The PE array's size and the widths of its data."""

    NAME: ClassVar[str] = "array"

    rows: int = number("PE rows", 1, MAX_ROWS, 4)
    cols: int = number("PE columns", 1, MAX_COLS, 4)
    data_width: int = choice("bits of an activation or weight", 8, 16, default=8)
    psum_width: int = number("bits of a partial sum", 16, 40, 32)


@dataclass(frozen=True, kw_only=True)
class PeConfig(Section):
    """One PE: its kind, multipliers, scratchpads and FIFOs."""

    NAME: ClassVar[str] = "pe"

    kind: str = kind(
        "how a PE treats zeros: each takes its cycles in a dense PE, none in a skipping one",
        "dense",
        "skipping",
    )
    macs: int = choice("multipliers a PE", 1, 2, default=1)
    ifmap_spad: int = number("ifmap scratchpad, words", 1, 255, 12)
    filter_spad: int = number("filter scratchpad, words, both halves together", 2, 4096, 224)
    psum_spad: int = number("psum scratchpad, words", 1, 128, 24)
    ifmap_fifo: int = number("ifmap FIFO, NoC beats", 1, 32, 2)
    psum_fifo: int = number("psum output FIFO, words", 2, 32, 2)
    weight_zero_points: bool = flag("weights may have a zero point (9-bit operands)", False)
    zero_gating: bool = flag("freeze the datapath for a zero activation", True)

    def _check(self) -> None:
        if self.psum_spad % self.macs:
            raise RowforgeError(
                f"pe.psum_spad must be even with pe.macs 2, not {self.psum_spad}; "
                f"{self.psum_spad + 1} works"
            )
        if self.kind == "skipping" and not self.zero_gating:
            raise RowforgeError(
                'pe.zero_gating must be true with pe.kind "skipping", which takes no step for '
                "a zero, not false"
            )


@dataclass(frozen=True, kw_only=True)
class NocConfig(Section):
    """The networks between buffer and array: widths, FIFOs and pipeline registers."""

    NAME: ClassVar[str] = "noc"

    kind: str = kind(
        "how operands reach PEs: a Y bus and X buses with tags that are compared", "multicast"
    )
    ifmap: int = choice("ifmap network, words a cycle", 1, 2, 4, 8, default=4)
    filter: int = choice("filter network, words a cycle", 1, 2, 4, 8, default=8)
    psum_in: int = choice("psum input network, words a cycle", 1, 2, 4, 8, default=4)
    psum_out: int = choice("psum output network, words a cycle", 1, 2, 4, 8, default=4)
    column_fifo: int = number("psum FIFO at each end of a column, NoC beats", 2, 32, 4)
    pipeline: int = choice("register stages between the Y bus and the X buses", 0, 1, default=0)


@dataclass(frozen=True, kw_only=True)
class BufferConfig(Section):
    """The global buffer, the filters' prefetch FIFO and the on-chip weight memory."""

    NAME: ClassVar[str] = "buffer"

    banks: int = number("banks", 2, 64, 8)
    depth: int = choice(
        "words a bank", 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, default=512
    )
    width: int = choice("bits of a bank word", 32, 64, 128, default=64)
    act_banks: int = number("banks that activations reach, from the bottom; 0: all", 0, 64, 0)
    psum_banks: int = number("banks that psums reach, from the top; 0: all", 0, 64, 0)
    filter_prefetch: int = number("filter prefetch FIFO, bytes", 64, 1 << 20, 2048)
    weight_memory: int = number("on-chip weight memory, bytes; 0: streamed", 0, 1 << 24, 0)
    filters: bool = flag("filters may also come from the global buffer", False)

    def _check(self) -> None:
        for name in ("act_banks", "psum_banks"):
            if getattr(self, name) > self.banks:
                raise RowforgeError(
                    f"buffer.{name} must be at most buffer.banks ({self.banks}), "
                    f"not {getattr(self, name)}"
                )
        for name in ("filter_prefetch", "weight_memory"):
            if getattr(self, name) % 8:
                raise RowforgeError(
                    f"buffer.{name} must be a multiple of 8 bytes, not {getattr(self, name)}"
                )


@dataclass(frozen=True, kw_only=True)
class PostConfig(Section):
    """Post-processing: requantisation lanes and their parameters."""

    NAME: ClassVar[str] = "post"

    units: int = choice("requantisation lanes", 1, 2, 4, 8, default=1)
    channels: int = number("channels of the requantisation parameter memory", 16, 8192, 512)

    def _check(self) -> None:
        if self.channels % self.units:
            raise RowforgeError(
                f"post.channels must be a multiple of post.units ({self.units}), not "
                f"{self.channels}"
            )


@dataclass(frozen=True, kw_only=True)
class LinkConfig(Section):
    """The command and result streams.

    `rate` says how fast the other side is. It is no part of the hardware or its hash: one design
    runs programs made for any rate. With `coding`, each transfer is raw or a code, whichever is
    less; one program does for both.
    """

    NAME: ClassVar[str] = "link"

    width: int = choice("bits of the link a cycle", 8, 16, 32, 64, default=64)
    coding: str = kind(
        "codes of activations that LOAD and STORE know: none, or masks", "none", "mask"
    )
    rate: float = rate(
        "64-bit words that the host moves a core cycle, both ways together; 1: one each way", 1
    )

    @property
    def codes(self) -> bool:
        """Whether LOAD and STORE know codes."""
        return self.coding != "none"


_CHIP = kind("sdram: the chip, by the width of its data and its size", *CHIPS)
LEAST_MEMORY, MOST_MEMORY = 1 << 10, 1 << 28
"""Words of a memory beside the buffer, at least and at most."""


@dataclass(frozen=True, kw_only=True)
class MemoryConfig(Section):
    """The accelerator's own memory beside the global buffer, from which programs are replayed.

    Without one, its other fields are no part of the hardware or its hash.
    """

    NAME: ClassVar[str] = "memory"

    kind: str = kind(
        "memory that programs are replayed from: none, on the chip, an SDRAM, or behind AXI4",
        "none",
        "ram",
        "sdram",
        "axi",
    )
    words: int = number("64-bit words of that memory, a power of two; 0 without one", 0, 1 << 28, 0)
    latency: int = number("ram: cycles from a request to its first word", 1, 255, 1)
    pace: int = number("ram: cycles of a word, as of a memory that is narrower", 1, 64, 1)
    chip: str = _CHIP
    clock: int = number(
        "sdram: clock of the core in kHz, for the chip's times", 1000, 200000, 50000
    )
    phase: int = number("sdram: degrees by which the chip's clock is late", 0, 359, 180)

    @property
    def present(self) -> bool:
        """Whether there is one."""
        return self.kind != "none"

    @property
    def outside(self) -> bool:
        """Whether it lies outside of the core, which has ports for it."""
        return self.kind in ("sdram", "axi")

    @property
    def address_bits(self) -> int:
        """Bits of the address of a word."""
        return max(self.words - 1, 0).bit_length()

    @property
    def sdram(self) -> SdramChip:
        """The SDRAM."""
        return CHIPS[self.chip]

    @property
    def timing(self) -> SdramTiming:
        """The SDRAM's times in cycles of the core."""
        return SdramTiming.of(self.sdram, clock=1e3 * self.clock, phase=self.phase)

    def _check(self) -> None:
        if not self.present and self.words:
            raise RowforgeError(f'memory.words must be 0 with memory.kind "none", not {self.words}')
        power = self.words & (self.words - 1) == 0
        if self.present and not (power and LEAST_MEMORY <= self.words <= MOST_MEMORY):
            raise RowforgeError(
                f"memory.words must be a power of two from {LEAST_MEMORY} to {MOST_MEMORY}, "
                f"not {self.words}"
            )
        if self.kind == "sdram":
            self._check_sdram()

    def _check_sdram(self) -> None:
        most = 1 << self.sdram.address_bits
        if self.words > most:
            raise RowforgeError(
                f'memory.words must be at most {most} with memory.chip "{self.chip}", '
                f"not {self.words}"
            )
        try:
            _ = self.timing
        except RowforgeError as error:
            raise RowforgeError(f"memory.clock and memory.phase do not suit: {error}") from None


NO_MEMORY = MemoryConfig()

FIELDS_OF_MEMORY: dict[str, tuple[str, ...]] = {
    "none": ("kind",),
    "ram": ("kind", "words", "latency", "pace"),
    "sdram": ("kind", "words", "chip", "clock", "phase"),
    "axi": ("kind", "words"),
}
"""The fields of `MemoryConfig` that say what is built, by the kind of memory."""


@dataclass(frozen=True, kw_only=True)
class ControlConfig(Section):
    """What walks the commands, and the tables that it holds."""

    NAME: ClassVar[str] = "control"

    kind: str = kind(
        "decoder and engines, or for small parts a microcontroller with firmware in their place",
        "engines",
        "microcontroller",
    )
    pipeline: int = choice(
        "register stages between engines, array and the global buffer", 0, 1, default=0
    )
    map_bits: int = number(
        "bits of a row or column number; maps with padding are below half of what they count",
        8,
        16,
        16,
    )
    row_patterns: int = number("row mappings held in hardware", 2, 255, 16)
    col_patterns: int = number("column mappings held in hardware", 2, 255, 8)
    watchdog: int = number(
        "cycles without progress before a stream counts as stuck", 64, 1 << 30, 1 << 20
    )
    access_counters: bool = flag("count the accesses of every level and type of data", False)

    @property
    def microcontroller(self) -> bool:
        """Whether firmware does the work of decoder and engines."""
        return self.kind == "microcontroller"


@dataclass(frozen=True, kw_only=True)
class ClustersConfig(Section):
    """How many clusters there are; all other sections describe one of them.

    Of a single cluster these fields are no part of the hardware or its hash.
    """

    NAME: ClassVar[str] = "clusters"

    y: int = number("clusters along the first axis", 1, MAX_CLUSTERS, 1)
    x: int = number("clusters along the second axis", 1, MAX_CLUSTERS, 1)

    @property
    def count(self) -> int:
        """All clusters."""
        return self.y * self.x

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return self.count > 1

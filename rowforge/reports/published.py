"""Published measurements of the Eyeriss chip, and what follows from them.

Source: Y.-H. Chen et al., JSSC 52(1), 2017: tables of AlexNet's and VGG-16's CONV layers at 1 V,
core at 200 MHz, link at 60 MHz, 168 PEs, 16-bit words. GLB traffic counts ifmaps read and psums
read and written, filters apart; DRAM traffic is run-length coded; 1 MB = 10^6 bytes.
"""

from dataclasses import dataclass
from math import sqrt

from hw.arch.config import Config
from hw.arch.errors import RowforgeError

CORE_MHZ = 200
LINK_RATE = 0.3
"""Words of 64 bits that the chip's link moves a core cycle: 60 MHz of 200."""
PES = 168


@dataclass(frozen=True)
class Measured:
    """A row of a table: one layer at the table's batch, or all of them.

    total_ms includes the transfers that computing does not hide; active_pes of 168; zeros is the
    share of ifmap values that are zero.
    """

    total_ms: float
    processing_ms: float
    active_pes: int
    glb_mb: float
    dram_mb: float
    zeros: float

    @property
    def cycles(self) -> int:
        """Core cycles of processing."""
        return cycles_of_ms(self.processing_ms)


@dataclass(frozen=True)
class PublishedNetwork:
    """A table: layers by name in their order, and its own line of totals."""

    batch: int
    layers: dict[str, Measured]
    total: Measured


PUBLISHED = {
    "alexnet": PublishedNetwork(
        batch=4,
        layers={
            "conv1": Measured(20.9, 16.5, 154, 18.5, 5.0, 0.0001),
            "conv2": Measured(41.9, 39.2, 135, 77.6, 4.0, 0.387),
            "conv3": Measured(23.6, 21.8, 156, 50.2, 3.0, 0.725),
            "conv4": Measured(18.4, 16.0, 156, 37.4, 2.1, 0.793),
            "conv5": Measured(10.5, 10.0, 156, 24.9, 1.3, 0.776),
        },
        total=Measured(115.3, 103.5, 148, 208.5, 15.4, 0.5753),
    ),
    "vgg16": PublishedNetwork(
        batch=3,
        layers={
            "conv1-1": Measured(76.2, 38.0, 156, 112.6, 15.4, 0.016),
            "conv1-2": Measured(910.3, 810.6, 156, 2402.8, 54.0, 0.477),
            "conv2-1": Measured(470.3, 405.3, 156, 1201.4, 33.4, 0.248),
            "conv2-2": Measured(894.3, 810.8, 156, 2402.8, 48.5, 0.387),
            "conv3-1": Measured(241.1, 204.0, 156, 607.4, 20.2, 0.397),
            "conv3-2": Measured(460.9, 408.1, 156, 1214.8, 32.2, 0.581),
            "conv3-3": Measured(457.7, 408.1, 156, 1214.8, 30.8, 0.587),
            "conv4-1": Measured(135.8, 105.1, 168, 321.8, 17.8, 0.643),
            "conv4-2": Measured(254.8, 210.0, 168, 643.7, 28.6, 0.747),
            "conv4-3": Measured(246.3, 210.0, 168, 643.7, 22.8, 0.854),
            "conv5-1": Measured(54.3, 48.3, 168, 90.0, 6.3, 0.794),
            "conv5-2": Measured(53.7, 48.5, 168, 90.0, 5.7, 0.874),
            "conv5-3": Measured(53.7, 48.5, 168, 90.0, 5.6, 0.885),
        },
        total=Measured(4309.5, 3755.2, 158, 11035.8, 321.1, 0.586),
    ),
}


def published_network(name: str) -> PublishedNetwork:
    """The published table of a network; `RowforgeError` if there is none."""
    if name not in PUBLISHED:
        raise RowforgeError(f"network must be one of {', '.join(PUBLISHED)}, not {name!r}")
    return PUBLISHED[name]


def cycles_in_ms(cycles: int) -> float:
    """Milliseconds that cycles take at the chip's core clock."""
    return cycles / (1000 * CORE_MHZ)


def cycles_of_ms(milliseconds: float) -> int:
    """Cycles of the chip's core clock in so many milliseconds."""
    return round(milliseconds * 1000 * CORE_MHZ)


def chip_link_rate(config: Config) -> float:
    """Words a cycle over which `chip_link_cycles` are counted.

    The configuration's `link.rate`, or that of the chip where the configuration has a whole word.
    """
    return config.link.rate if config.link.rate < 1 else LINK_RATE


def before_pooling(zeros: float) -> float:
    """The share of zeros of a map whose pooled values have the share `zeros`.

    The larger of values is zero where all of them are. Neighbours go together, so that they count
    as two independent ones, whatever the window.
    """
    return sqrt(zeros)

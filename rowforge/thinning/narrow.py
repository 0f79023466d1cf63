"""Energy with weights of fewer bits: `narrower`.

No accelerator of ours has such weights: this only scales prices as their table does, products and
all words of filters in proportion to the bits of a weight. Cycles stay as they are.
"""

from collections.abc import Mapping

from hw.arch.accesses import DataType, Level
from hw.arch.config import Config
from hw.arch.errors import RowforgeError

_WEIGHTS = (DataType.FILTER, DataType.RESIDENT)


def check_bits(config: Config, name: str, bits: int) -> None:
    """`RowforgeError` for a width that weights cannot have."""
    most = config.array.data_width
    if not 1 <= bits <= most:
        raise RowforgeError(f"--bits of {name} must be 1 to {most}, as wide as data, not {bits}")


def narrower(config: Config, detail: Mapping[str, Mapping[str, float]], bits: int) -> float:
    """The energy of a layer with weights of so many bits, in the unit of `detail`.

    `detail` : its energy by level and data type, as `EnergyBill.as_dict` has it.
    """
    share = bits / config.array.data_width
    return sum(
        energy * (share if level == Level.MAC or data in _WEIGHTS else 1)
        for level, kinds in detail.items()
        for data, energy in kinds.items()
    )

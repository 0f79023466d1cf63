"""The kinds of networks between buffer and PEs, by the name that `noc.kind` gives them."""

from hw.arch.config import Config
from hw.noc.chains import ColumnChains
from hw.noc.multicast import MulticastNetwork
from hw.noc.operands import OperandNetwork
from hw.noc.psums import PsumNetwork

OPERAND_NETWORKS: dict[str, type[OperandNetwork]] = {"multicast": MulticastNetwork}
"""What brings operands to PEs, for every kind that a configuration can choose."""

PSUM_NETWORKS: dict[str, type[PsumNetwork]] = {"multicast": ColumnChains}
"""What carries psums between columns and PEs, for the same kinds."""


def operand_network(config: Config) -> type[OperandNetwork]:
    """The class of the configuration's ifmap and filter networks."""
    return OPERAND_NETWORKS[config.noc.kind]


def psum_network(config: Config) -> type[PsumNetwork]:
    """The class of the configuration's psum network."""
    return PSUM_NETWORKS[config.noc.kind]

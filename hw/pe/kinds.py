"""The kinds of PE, by the name that `pe.kind` gives them."""

from hw.arch.config import Config
from hw.pe.dense import DensePE
from hw.pe.pe import PE
from hw.pe.skipping import SkippingPE

PES: dict[str, type[PE]] = {"dense": DensePE, "skipping": SkippingPE}
"""Every kind that a configuration can choose."""


def pe_kind(config: Config) -> type[PE]:
    """The class of the configuration's PEs."""
    return PES[config.pe.kind]

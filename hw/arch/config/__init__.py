"""The configuration of an accelerator, in sections, and its form in files."""

from hw.arch.config.combinations import LINK_WORD_BITS, OF_MICROCONTROLLER
from hw.arch.config.config import Config
from hw.arch.config.sections import (
    NO_MEMORY,
    ArrayConfig,
    BufferConfig,
    ClustersConfig,
    ControlConfig,
    LinkConfig,
    MemoryConfig,
    NocConfig,
    PeConfig,
    PostConfig,
)

__all__ = [
    "LINK_WORD_BITS",
    "OF_MICROCONTROLLER",
    "ArrayConfig",
    "BufferConfig",
    "ClustersConfig",
    "Config",
    "ControlConfig",
    "LinkConfig",
    "NO_MEMORY",
    "MemoryConfig",
    "NocConfig",
    "PeConfig",
    "PostConfig",
]

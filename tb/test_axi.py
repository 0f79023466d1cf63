"""The AXI wrapper on the emitted Verilog, with cocotbext-axi at its ports."""

from functools import partial

import pytest

from hw.arch.commands import (
    ANY_CONFIGURATION,
    COMMAND_SET_VERSION,
    MAGIC,
    RESULT,
    Opcode,
    ResultBlock,
    begin,
    command,
)
from hw.arch.config import Config
from hw.arch.configfile import config_hash
from hw.arch.identity import identity_words
from hw.arch.version import LINK_PROTOCOL_VERSION
from hw.top.axi import AxiAccelerator
from tb.build import simulate

SMALL = {"rows": 1, "cols": 1, "glb_depth": 32, "post_channels": 16, "row_patterns": 2}


@pytest.mark.parametrize("width", [64, pytest.param(16, marks=pytest.mark.slow)])
def test_axi(width):
    config = Config(**SMALL, col_patterns=2, link_width=width)
    identity = identity_words(config)
    blocks = {ResultBlock.IDENTITY: identity, ResultBlock.STATUS: [0]}
    results = []
    for block, words in blocks.items():
        results += RESULT.pack({"block": block, "length": len(words)}) + words
    digest = config_hash(config)
    case = {
        "seed": width,
        "program": [
            *begin(ANY_CONFIGURATION),
            *command(Opcode.IDENTIFY),
            *command(Opcode.END),
        ],
        "results": results,
        "constants": {
            "MAGIC_LOW": MAGIC & 0xFFFFFFFF,
            "MAGIC_HIGH": MAGIC >> 32,
            "HASH_LOW": digest & 0xFFFFFFFF,
            "HASH_HIGH": digest >> 32,
            "VERSIONS": LINK_PROTOCOL_VERSION << 16 | COMMAND_SET_VERSION,
        },
    }
    simulate(partial(AxiAccelerator, config), "axi_bench", case)

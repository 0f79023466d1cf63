"""What the sources produce: `python -m tests.campaigns.mutants.fingerprint KIND [FOLDER]`.

The kinds are `verilog` of accelerators, `memories` and `replays` (the Verilog of memories, and of
what replays images from them), and `programs`.

Prints one digest a configuration or a block of cases. A mutant with the digests of the original is
most likely equal to it. With a folder as another argument the Verilog is left there.
"""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Load, Program, Query, Send, Store
from hw.base.block import Block
from hw.emit.verilog import emit
from hw.memory.arbiter import MemoryArbiter
from hw.memory.axi import AxiMaster
from hw.memory.ram import RamAdapter
from hw.memory.sdram.controller import SdramController
from hw.replay.replayer import Replayer
from hw.top.accelerator import AcceleratorCore
from tests.campaigns.fuzz.cases import CASES, NARROW, WIDE, Case, make_case
from tests.campaigns.fuzz.cases import SLICE_SEED as SEED
from tests.campaigns.fuzz.configs import clustered, configuration
from tests.campaigns.fuzz_network.cases import EACH
from tests.campaigns.fuzz_network.cases import make_case as make_network
from tests.campaigns.memory.cases import X16, X32

# Configurations whose Verilog is compared: those of the slice first, then what they lack.
VERILOG_CONFIGS = (NARROW, WIDE, 1, 14)
PROGRAM_CONFIGS = 40
CLUSTERED = 15  # the configuration of several clusters: 1 x 2 of 3 x 1 PEs
_CLUSTERED_CONFIGS = 8
_CASES_EACH = 5
_NETWORKS = 20  # graphs of several operators, with idle channels, the same way


def verilog(folder: Path | None = None) -> list[str]:
    """Digests of the Verilog of a few configurations, which is written to `folder` if there is one.

    Its names are the places in `VERILOG_CONFIGS`, so that they sort like these; the last one has
    several clusters.
    """
    configs = [*(configuration(SEED, n) for n in VERILOG_CONFIGS), clustered(SEED, CLUSTERED)]
    return _emitted([AcceleratorCore(config) for config in configs], folder)


def memories(folder: Path | None = None) -> list[str]:
    """The same of what stands at an accelerator's memory port."""
    designs = [
        MemoryArbiter(clients=3, address_bits=8),
        RamAdapter(words=64, latency=1),
        RamAdapter(words=64, latency=3),
        AxiMaster(address_bits=12),
        *(SdramController(case.chip, case.timing) for case in (X16, X32)),
    ]
    return _emitted(designs, folder)


def replays(folder: Path | None = None) -> list[str]:
    """The same of the replayer, with words of halves and whole ones."""
    memory = {"memory.kind": "ram", "memory.words": 1024}
    halves = {"buffer.width": 32, "noc.ifmap": 4, "post.units": 1}
    designs = [Replayer(Config.of(memory | values)) for values in ({}, halves)]
    return _emitted(designs, folder)


def _emitted(designs: Sequence[Block], folder: Path | None) -> list[str]:
    texts = [emit(design, "rowforge") for design in designs]
    for place, text in enumerate(texts if folder is not None else ()):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{place}.v").write_text(text)
    return [_digest(text) for text in texts]


def programs() -> list[str]:
    """Digests of many programs, or of the sentence with which one is refused."""
    layers = [
        _digest(*(_outcome(make_case(SEED, number * CASES + n)) for n in range(_CASES_EACH)))
        for number in range(PROGRAM_CONFIGS)
    ]
    layers += [
        _digest(*(_outcome(make_case(SEED, n * CASES + each, clusters=True)) for each in range(2)))
        for n in range(_CLUSTERED_CONFIGS)
    ]
    networks = [make_network(SEED, number * EACH) for number in range(_NETWORKS)]
    kept = [replace(case, options={**case.options, "dump": True}) for case in networks]
    return layers + [_digest(_outcome(case)) for case in (*networks, *kept)]


def _outcome(case: Case) -> str:
    try:
        return _content(compile_graph(case.graph, case.config, CompileOptions(**case.options)))
    except RowforgeError as error:
        return str(error)


def _content(program: Program) -> str:
    """Everything in a program that reaches hardware or host."""
    steps = [
        (type(step).__name__, step.words.tobytes())
        if isinstance(step, Send | Load | Store | Query)
        else repr(step)
        for step in program.steps
    ]
    return repr((steps, program.tensors, program.layers))


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


EMITTERS = {"verilog": verilog, "memories": memories, "replays": replays}
"""What makes Verilog, by the kind's name."""


if __name__ == "__main__":
    kind, *folders = sys.argv[1:]
    wanted = Path(folders[0]) if folders else None
    print("\n".join(EMITTERS[kind](wanted) if kind in EMITTERS else programs()))

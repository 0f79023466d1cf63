"""What the sources under test produce: `python -m tests.mutants.fingerprint verilog|programs`.

Prints one digest a configuration or a block of cases. A mutant with the digests of the original is
most likely equal to it.
"""

import hashlib
import sys

from compiler.compile import compile_graph
from hw.accelerator import Accelerator
from hw.arch.errors import RowforgeError
from hw.arch.program import Load, Program, Query, Send, Store
from hw.verilog import emit
from tests.fuzz.cases import CASES, Case, make_case
from tests.fuzz.configs import configuration
from tests.fuzz.test_fuzz_slice import NARROW, SEED, WIDE

# Configurations whose Verilog is compared: those of the slice first, then what they lack.
VERILOG_CONFIGS = (NARROW, WIDE, 1, 14)
PROGRAM_CONFIGS = 40
_CASES_EACH = 5


def verilog() -> list[str]:
    """Digests of the Verilog of a few configurations."""
    return [
        _digest(emit(Accelerator(configuration(SEED, number)), "rowforge"))
        for number in VERILOG_CONFIGS
    ]


def programs() -> list[str]:
    """Digests of many programs, or of the sentence with which one is refused."""
    return [
        _digest(*(_outcome(make_case(SEED, number * CASES + n)) for n in range(_CASES_EACH)))
        for number in range(PROGRAM_CONFIGS)
    ]


def _outcome(case: Case) -> str:
    try:
        return _content(compile_graph(case.graph, case.config, **case.options))
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


if __name__ == "__main__":
    print("\n".join(verilog() if sys.argv[1] == "verilog" else programs()))

"""What a link would carry if activations were coded: `coded_traffic`."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from hw.arch.config import Config
from hw.arch.program import Load, Program, Store, Words
from hw.arch.program.coding import mask_words, run_length_words
from hw.arch.program.layout import pack_box, pack_load

_RUN_LENGTH_BITS = 16  # of the elements that the chip's code is made for


@dataclass(frozen=True)
class CodedTraffic:
    """Link words of all LOADs and STOREs of a run, without their commands.

    raw : as they are
    masked : each tensor by significance masks (`mask_code`) or raw, whichever is less
    run_length : each tensor by the chip's code or raw, whichever is less; None where elements have
        not 16 bits
    """

    raw: int
    masked: int
    run_length: int | None


def coded_traffic(program: Program, data: Mapping[int, NDArray[Any]]) -> CodedTraffic:
    """Counts the coded words of a program's transfers.

    Parameters
    ----------
    program : Program
        Its steps say which boxes of which tensors move, and how often.
    data : by tensor index, the values of every tensor that moves, which is not in RAW form
    """
    width = program.config.array.data_width
    raw: defaultdict[int, int] = defaultdict(int)
    masked: defaultdict[int, int] = defaultdict(int)
    runs: defaultdict[int, int] = defaultdict(int)
    for step in program.steps:
        if not isinstance(step, Load | Store):
            continue
        words = _moved(program.config, step, data[step.tensor])
        raw[step.tensor] += len(words)
        masked[step.tensor] += mask_words(words, width)
        if width == _RUN_LENGTH_BITS:
            runs[step.tensor] += run_length_words(words)
    return CodedTraffic(
        raw=sum(raw.values()),
        masked=_least(raw, masked),
        run_length=_least(raw, runs) if width == _RUN_LENGTH_BITS else None,
    )


def _moved(config: Config, step: Load | Store, view: NDArray[Any]) -> Words:
    pack = pack_load if isinstance(step, Load) else pack_box
    return pack(config, view, step.box)


def _least(raw: Mapping[int, int], coded: Mapping[int, int]) -> int:
    return sum(min(words, coded[tensor]) for tensor, words in raw.items())

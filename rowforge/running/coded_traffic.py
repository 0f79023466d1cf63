"""What a link carries if activations are coded: `coded_traffic`."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from compiler.stream.traffic import STORED
from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.config import Config
from hw.arch.program import Load, Program, Store, Words
from hw.arch.program.coding import mask_words, run_length_words
from hw.arch.program.layout import box_words, pack_box, pack_load
from hw.arch.program.transfer import load_transfer, stored

_RUN_LENGTH_BITS = 16  # of the elements that the chip's code is made for

_LOADED_WORD = Access(Level.LINK, DataType.INPUT, Direction.READ)
_STORED_WORD = Access(Level.LINK, DataType.OUTPUT, Direction.WRITE)
_COMMAND_WORD = Access(Level.LINK, DataType.COMMAND, Direction.READ)


@dataclass(frozen=True)
class CodedTraffic:
    """Link words of all LOADs and STOREs of a run, without their commands.

    raw : as they are
    masked : each tensor by significance masks (`mask_code`) or raw, whichever is less
    run_length : each tensor by the chip's code or raw, whichever is less; None where elements have
        not 16 bits
    gained : accesses, by the codes of `link.coding` for each transfer, above those of raw ones:
        words of the link, negative ones mostly, and of the buffer, which a STORE reads twice
    """

    raw: int
    masked: int
    run_length: int | None
    gained: Accesses


def coded_traffic(program: Program, data: Mapping[int, NDArray[Any]]) -> CodedTraffic:
    """Counts the coded words of a program's transfers.

    Parameters
    ----------
    program : Program
        Its steps say which boxes of which tensors move, and how often.
    data : by tensor index, the values of every tensor that moves, which is not in RAW form; each is
        an input or an output of the program
    """
    width = program.config.array.data_width
    gained = Accesses()
    raw: defaultdict[int, int] = defaultdict(int)
    masked: defaultdict[int, int] = defaultdict(int)
    runs: defaultdict[int, int] = defaultdict(int)
    for step in program.steps:
        if not isinstance(step, Load | Store):
            continue
        words = _moved(program.config, step, data[step.tensor])
        gained += _gained(program, step, data[step.tensor], len(words))
        raw[step.tensor] += len(words)
        masked[step.tensor] += mask_words(words, width)
        if width == _RUN_LENGTH_BITS:
            runs[step.tensor] += run_length_words(words)
    return CodedTraffic(
        raw=sum(raw.values()),
        masked=_least(raw, masked),
        run_length=_least(raw, runs) if width == _RUN_LENGTH_BITS else None,
        gained=gained,
    )


def _moved(config: Config, step: Load | Store, view: NDArray[Any]) -> Words:
    pack = pack_load if isinstance(step, Load) else pack_box
    return pack(config, view, step.box)


def _gained(program: Program, step: Load | Store, view: NDArray[Any], raw: int) -> Accesses:
    """Accesses of a transfer above those of its `raw` words."""
    config = program.config
    if isinstance(step, Load):
        sent = load_transfer(config, step, view, raw=False)
        return Accesses.of({_LOADED_WORD: len(sent.payload) - raw})
    asked = stored(config, step, program.tensors[step.tensor], view)
    if asked.counts is None:
        return Accesses()
    return Accesses.of(
        {
            _STORED_WORD: asked.length - raw,
            _COMMAND_WORD: len(asked.words) - len(step.words),
            STORED: box_words(config, step.box) * config.lanes,
        }
    )


def _least(raw: Mapping[int, int], coded: Mapping[int, int]) -> int:
    return sum(min(words, coded[tensor]) for tensor, words in raw.items())

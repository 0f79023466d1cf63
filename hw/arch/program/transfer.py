"""What the host sends for a LOAD: the words of its step, raw or as a code."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.commands import HEADER, REGION, Opcode, command
from hw.arch.config import Config
from hw.arch.program.coding import commonest, mask_code, mask_words, significant_counts
from hw.arch.program.layout import pack_load
from hw.arch.program.program import Load, Words

NOTHING_CODED = np.zeros(0, dtype=np.uint8)


@dataclass(frozen=True)
class Transfer:
    """A LOAD as it is sent.

    head : header and descriptor
    payload : link words after them
    counts : of a code, how many elements of each link word of the box have a place in it; empty
        for a raw payload
    """

    head: Words
    payload: Words
    counts: NDArray[np.uint8]


def load_transfer(config: Config, step: Load, view: NDArray[Any], *, raw: bool) -> Transfer:
    """The LOAD of a box of a tensor.

    It is coded if the configuration can decode it and the code is shorter.

    Parameters
    ----------
    config : Config
    step : Load
    view, raw : as for `hw.arch.program.layout.pack_box`
    """
    payload = pack_load(config, view, step.box, raw=raw)
    width = config.array.data_width
    if not config.link.decodes or raw:
        return Transfer(step.words, payload, NOTHING_CODED)
    zero = commonest(payload, width)
    if mask_words(payload, width, zero) >= len(payload):
        return Transfer(step.words, payload, NOTHING_CODED)
    code = mask_code(payload, width, zero)
    return Transfer(_coded(step.words, len(code)), code, significant_counts(payload, width, zero))


def _coded(words: Words, length: int) -> Words:
    """Header and descriptor of a LOAD whose payload is a code of so many words."""
    header = HEADER.unpack(words[: HEADER.words].tolist())
    region = REGION.unpack(words[HEADER.words :].tolist())
    flags = {name: header[name] for name in ("fence", "older", "stored", "tag")}
    descriptor = REGION.pack(region | {"coded": 1})
    return np.array(command(Opcode.LOAD, descriptor, length=length, **flags), dtype=np.uint64)

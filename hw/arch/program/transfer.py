"""What the link carries of boxes and filters: words as they are, or their code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.commands import CODE, HEADER, REGION, Opcode, command
from hw.arch.config import Config
from hw.arch.program.coding import (
    commonest,
    mask_code,
    mask_words,
    significant_counts,
    stored_bits,
)
from hw.arch.program.layout import box_shape, channel_blocks, pack_box, pack_load
from hw.arch.program.program import Load, Store, TensorSpec, Words

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
    if not config.link.codes or raw:
        return Transfer(step.words, payload, NOTHING_CODED)
    code = shorter_code(config, payload)
    if code is None:
        return Transfer(step.words, payload, NOTHING_CODED)
    head = _coded(Opcode.LOAD, step.words, len(code))
    return Transfer(head, code, significant_counts(payload, width, commonest(payload, width)))


def shorter_code(config: Config, words: Words) -> Words | None:
    """The code of link words without their commonest element, if it is shorter than they are.

    None if it is not, or if the configuration has no codes.
    """
    if not config.link.codes or not len(words):
        return None
    width = config.array.data_width
    zero = commonest(words, width)
    return mask_code(words, width, zero) if mask_words(words, width, zero) < len(words) else None


def load_of_filters(
    config: Config, region: Mapping[str, int], words: Words, *, tag: int, **waits: int
) -> tuple[Words, Words]:
    """(header and descriptor, payload) of a LOAD of filters.

    The payload is their code if that is shorter.

    Parameters
    ----------
    config : Config
    region : fields of `REGION`
    words : the link words; none where they are left out of the program
    tag, waits : of the header
    """
    code = shorter_code(config, words)
    sent = words if code is None else code
    descriptor = REGION.pack({**region, "coded": int(code is not None)})
    length = len(sent) if len(words) else region["words"]
    head = command(Opcode.LOAD, descriptor, length=length, tag=tag, **waits)
    return np.array(head, dtype=np.uint64), sent


def store_words(config: Config, step: Store, spec: TensorSpec) -> Words:
    """The words of a STORE of a box of the tensor, and how its code looks if there may be one.

    The code leaves out the tensor's zero point. Without codes, and of a tensor in RAW form, the
    words are the step's. The accelerator answers with a code if it is shorter (`answer`).
    """
    if not config.link.codes or step.raw:
        return step.words
    channels = box_shape(step.box)[3]
    code = {
        "zero": stored_bits(spec.zero_point, config.array.data_width),
        "blocks": channel_blocks(config, channels),
        "lanes": (channels - 1) % config.lanes + 1,
    }
    payload = np.array(CODE.pack(code), dtype=np.uint64)
    return np.concatenate([_coded(Opcode.STORE, step.words, len(payload)), payload])


@dataclass(frozen=True)
class Answer:
    """How the accelerator answers to a STORE that may be coded.

    code : None where the words are sent as they are
    counts : as of `Transfer`, whether or not they are
    """

    code: Words | None
    counts: NDArray[np.uint8]


def answer(
    config: Config, words: Words, region: Mapping[str, int], code: Mapping[str, int]
) -> Answer:
    """The answer to a STORE of a box of these link words.

    Parameters
    ----------
    config : Config
    words : without gaps
    region, code : fields of `REGION` and `CODE`
    """
    width = config.array.data_width
    elements = np.ascontiguousarray(words, dtype="<u8").view(f"<u{width // 8}").copy()
    size = region["planes"] * region["rows"] * region["run"] * config.lanes
    elements[size:] = code["zero"]
    box = elements[:size].reshape(region["planes"], -1, config.lanes)
    box[code["blocks"] - 1 :: code["blocks"], :, code["lanes"] :] = code["zero"]
    channels = elements.view("<u8").astype(np.uint64)
    found = mask_code(channels, width, code["zero"])
    return Answer(
        found if len(found) < len(words) else None,
        significant_counts(channels, width, code["zero"]),
    )


@dataclass(frozen=True)
class AnsweredStore:
    """A STORE as it is sent, and what comes back.

    words : its command, with the payload
    length : of the data block, in link words
    counts : of one that may be coded, as of `Answer`; None of others
    """

    words: Words
    length: int
    counts: NDArray[np.uint8] | None


def stored(config: Config, step: Store, spec: TensorSpec, view: NDArray[Any]) -> AnsweredStore:
    """The STORE of a box of a tensor whose values are known; `view`: as for `load_transfer`."""
    words = store_words(config, step, spec)
    box = pack_box(config, view, step.box, raw=step.raw)
    if len(words) == len(step.words):
        return AnsweredStore(words, len(box), None)
    head = HEADER.words + REGION.words
    region, code = REGION.unpack(words[1:head].tolist()), CODE.unpack(words[head:].tolist())
    found = answer(config, box, region, code)
    return AnsweredStore(words, len(box if found.code is None else found.code), found.counts)


def _coded(opcode: Opcode, words: Words, length: int) -> Words:
    """Header and descriptor of a LOAD or STORE with a payload of so many words, for a code."""
    header = HEADER.unpack(words[: HEADER.words].tolist())
    region = REGION.unpack(words[HEADER.words :].tolist())
    flags = {name: header[name] for name in ("fence", "older", "stored", "tag")}
    descriptor = REGION.pack(region | {"coded": 1})
    return np.array(command(opcode, descriptor, length=length, **flags), dtype=np.uint64)

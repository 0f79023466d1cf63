"""Codes of link words: a significance bitmask, exact both ways, and the chip's run-length code.

The bitmask leaves out elements of one value, which stands for zero and is the code's first element.
Of every `MASK_WORDS` link
words (the last ones of a transfer may be fewer) the code has a mask with a bit for each of their
elements, the first in the lowest bit, then the elements whose bit is set. Masks and elements are
a sequence of elements without gaps, packed into link words; zeros fill the last of these, and a
check word ends the code:

    elements    a  0  0  b | 0  0  0  0 | ..    (the value that is left out is 0)
    code        0  mask  mask  a | b  ..  | .. 0  0 | check

A group's mask is whole even where words are missing; its other bits are 0.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.errors import RowforgeError
from hw.arch.fields import WORD_BITS
from hw.arch.program.program import Words

MASK_WORDS = 8
"""Link words that share a mask."""

_CHECK_WORDS = 1

_LONGEST_RUN = 31  # zeros of a run-length pair: 5 bits
_PAIRS = 3  # of a run and a value in a link word


def mask_code(words: Words, width: int, zero: int = 0) -> Words:
    """The code of link words.

    Parameters
    ----------
    words : at least one link word
    width : bits of an element, 8 or 16
    zero : the value of elements that are left out, as it is stored; of a signed type the negative
        number or its bits
    """
    elements = _elements(words, width)
    significant = _significant(elements, width, zero)
    masks = np.packbits(significant, axis=1, bitorder="little").view(elements.dtype)
    starts = _starts(significant, masks.shape[1])
    sequence = np.zeros(starts[-1], dtype=elements.dtype)
    sequence[0] = stored_bits(zero, width)
    places = starts[:-1, None] + np.arange(masks.shape[1])
    sequence[places] = masks
    kept = np.ones(len(sequence), dtype=bool)
    kept[0] = False
    kept[places] = False
    sequence[kept] = elements[significant.reshape(-1)[: len(elements)]]
    return _with_check(_packed(sequence))


def unmask(code: Words, count: int, width: int) -> Words:
    """The link words of which `code` is the code: the inverse of `mask_code`.

    Parameters
    ----------
    code : with its check word
    count : link words to come, at least one
    width : bits of an element, 8 or 16

    Raises
    ------
    RowforgeError
        If the check word does not suit, the code ends early, something follows its last element,
        or a mask says of an element what is not so.
    """
    if len(code) <= _CHECK_WORDS or _check(code[:-_CHECK_WORDS]) != int(code[-1]):
        raise RowforgeError(f"a code of {len(code)} link words is damaged: its check is wrong")
    per_word = WORD_BITS // width
    sequence = _elements(code[:-_CHECK_WORDS], width)
    zero = sequence[0]
    result = np.full(count * per_word, zero, dtype=sequence.dtype)
    starts, end = _found_masks(sequence, -(-count // MASK_WORDS))
    if end > len(sequence):
        raise RowforgeError(f"a code is damaged: it ends before {count} link words do")
    places = starts[:, None] + np.arange(_mask_elements(width))
    significant = np.unpackbits(sequence[places].view(np.uint8).reshape(-1), bitorder="little")
    if significant[len(result) :].any():
        raise RowforgeError(f"a code is damaged: a mask names more than {count} link words")
    if len(sequence) - end >= per_word or sequence[end:].any():
        raise RowforgeError(f"a code is damaged: it goes on after {count} link words")
    kept = np.ones(end, dtype=bool)
    kept[0] = False
    kept[places] = False
    values = sequence[:end][kept]
    if (values == zero).any():
        raise RowforgeError("a code is damaged: an element that is left out has a place")
    result[np.flatnonzero(significant)] = values
    return np.frombuffer(result.tobytes(), dtype="<u8").astype(np.uint64)


def stored_bits(zero: int, width: int) -> int:
    """The bits of a value, which may be negative."""
    return zero % (1 << width)


def commonest(words: Words, width: int) -> int:
    """The stored value that most elements have, and which a code should leave out."""
    return int(np.bincount(_elements(words, width)).argmax())


def significant_counts(words: Words, width: int, zero: int) -> NDArray[np.uint8]:
    """How many elements of each link word have a place in the code: what its timing depends on."""
    elements = _elements(words, width).reshape(-1, WORD_BITS // width)
    found = elements != elements.dtype.type(stored_bits(zero, width))
    counts: NDArray[np.uint8] = found.sum(axis=1, dtype=np.uint8)
    return counts


def coded_counts(code: Words, count: int, width: int) -> NDArray[np.uint8]:
    """`significant_counts` of the `count` link words of which `code` is the code.

    Raises `RowforgeError` if it is damaged.
    """
    return significant_counts(unmask(code, count, width), width, int(_elements(code, width)[0]))


def mask_words(words: Words, width: int, zero: int = 0) -> int:
    """The length of `mask_code` in link words, the check word included."""
    significant = _significant(_elements(words, width), width, zero)
    elements = int(_starts(significant, _mask_elements(width))[-1])
    return -(-elements * width // WORD_BITS) + _CHECK_WORDS


def run_length_words(words: Words) -> int:
    """Link words of the chip's run-length code for 16-bit elements.

    A word holds three pairs of a run of up to 31 zeros and the value after it, which is itself zero
    where a run goes on. The last run ends with the elements.
    """
    elements = _elements(words, 16)
    places = np.flatnonzero(elements)
    runs = np.diff(places, prepend=-1) - 1  # zeros before each value that is none
    pairs = int((runs // (_LONGEST_RUN + 1) + 1).sum())
    rest = len(elements) - (int(places[-1]) + 1 if places.size else 0)
    pairs += -(-rest // (_LONGEST_RUN + 1))
    return -(-pairs // _PAIRS)


# ---- parts of the code --------------------------------------------------------------------------


def _elements(words: Words, width: int) -> NDArray[Any]:
    return np.ascontiguousarray(words, dtype="<u8").view(f"<u{width // 8}")


def _mask_elements(width: int) -> int:
    """Elements that a mask takes in the sequence."""
    return MASK_WORDS * (WORD_BITS // width) // width


def _significant(elements: NDArray[Any], width: int, zero: int) -> NDArray[np.bool_]:
    """Whether each element has a place in the code: an array of groups, the last filled up."""
    size = MASK_WORDS * (WORD_BITS // width)
    found = np.zeros(-(-len(elements) // size) * size, dtype=bool)
    found[: len(elements)] = elements != elements.dtype.type(stored_bits(zero, width))
    return found.reshape(-1, size)


def _found_masks(sequence: NDArray[Any], groups: int) -> tuple[NDArray[np.int64], int]:
    """(where the masks of so many groups are, where the elements of the last one end).

    The end lies beyond the sequence if that is too short.
    """
    size, item = _mask_elements(8 * sequence.itemsize), sequence.itemsize
    image, starts, place = sequence.tobytes(), [], 1
    for _ in range(groups):
        starts.append(place)
        mask = image[place * item : (place + size) * item]
        place += size + int.from_bytes(mask, "little").bit_count()
        if place > len(sequence):
            break
    return np.array(starts, dtype=np.int64), place


def _starts(significant: NDArray[np.bool_], mask_size: int) -> NDArray[np.int64]:
    """Where each group begins in the sequence, and where the sequence ends."""
    sizes = mask_size + significant.sum(axis=1, dtype=np.int64)
    return 1 + np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])


def _packed(sequence: NDArray[Any]) -> Words:
    per_word = WORD_BITS // (8 * sequence.itemsize)
    padded = np.zeros(-(-len(sequence) // per_word) * per_word, dtype=sequence.dtype)
    padded[: len(sequence)] = sequence
    return padded.view("<u8").astype(np.uint64)


def _with_check(code: Words) -> Words:
    return np.append(code, np.uint64(_check(code)))


def _check(code: Words) -> int:
    """Exclusive or of the words, each rotated left by its distance from the end of the code.

    A register that is rotated by a bit for every word finds it. Any damage to a single word changes
    it.
    """
    places = np.arange(len(code), 0, -1, dtype=np.uint64) % np.uint64(WORD_BITS)
    back = (np.uint64(WORD_BITS) - places) % np.uint64(WORD_BITS)
    return int(np.bitwise_xor.reduce((code << places) | (code >> back), initial=np.uint64(0)))

"""Codes of activations: exact both ways, as long as they say, and no damage passes."""

import numpy as np
import pytest

from hw.arch.errors import RowforgeError
from hw.arch.program.coding import MASK_WORDS, mask_code, mask_words, run_length_words, unmask


def activations(rng, count, width, zeros, zero=0):
    """Link words whose elements have about that share of `zero`."""
    size = count * 64 // width
    values = rng.integers(0, 1 << width, size).astype(f"<u{width // 8}")
    values[rng.random(size) < zeros] = zero % (1 << width)
    return values.view("<u8").astype(np.uint64)


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("zero", [0, -128, 3])
@pytest.mark.parametrize("zeros", [0, 0.3, 0.9, 1])
def test_every_length_comes_back(width, zero, zeros):
    rng = np.random.default_rng([width, zero % 256, int(zeros * 10)])
    for count in range(1, 3 * MASK_WORDS + 2):
        words = activations(rng, count, width, zeros, zero)
        code = mask_code(words, width, zero)
        assert len(code) == mask_words(words, width, zero)
        assert (unmask(code, count, width) == words).all()


@pytest.mark.parametrize("width", [8, 16])
@pytest.mark.parametrize("share", [0.25, 0.75])
def test_a_mask_costs_a_bit_an_element(width, share):
    words = activations(np.random.default_rng(1), 10_000, width, share)
    elements = words.view(f"u{width // 8}")
    bits = width + elements.size + width * np.count_nonzero(elements)
    assert mask_words(words, width) - 1 == -(-bits // 64)


def test_the_layout_is_the_documented_one():
    """Zero, mask in elements of its own, elements without gaps, the check word last."""
    words = np.array([0x0000_0000_BEEF_0000, 0x0007_0000_0000_0000], dtype=np.uint64)
    code = mask_code(words, 16)
    assert [int(word) for word in code[:-1]] == [0xBEEF_0000_0082_0000, 7]
    assert int(code[-1]) == 0xFBBC00000208000C


@pytest.mark.parametrize("width", [8, 16])
def test_every_damaged_bit_is_found(width):
    words = activations(np.random.default_rng(2), 11, width, 0.5)
    code = mask_code(words, width)
    for place in range(len(code)):
        for bit in range(64):
            damaged = code.copy()
            damaged[place] ^= np.uint64(1 << bit)
            with pytest.raises(RowforgeError, match="damaged"):
                unmask(damaged, len(words), width)


def test_words_lost_doubled_or_exchanged_are_found():
    words = activations(np.random.default_rng(3), 40, 16, 0.4)
    code = mask_code(words, 16)
    for place in range(len(code)):
        lost = np.delete(code, place)
        doubled = np.insert(code, place, code[place])
        exchanged = code.copy()
        exchanged[[place, place - 1]] = exchanged[[place - 1, place]]
        for damaged in (lost, doubled, exchanged):
            with pytest.raises(RowforgeError, match="damaged"):
                unmask(damaged, len(words), 16)


def resealed(code):
    """The code with a check word that suits what it has become."""
    check = 0
    for word in code[:-1].tolist():
        check = (check << 1 ^ check >> 63) & (1 << 64) - 1
        check ^= word
    code[-1] = np.uint64((check << 1 | check >> 63) & (1 << 64) - 1)
    return code


def test_the_check_word_is_that_of_a_rotated_register():
    code = mask_code(activations(np.random.default_rng(4), 200, 16, 0.5), 16)
    assert (resealed(code.copy()) == code).all()


@pytest.mark.parametrize(
    ("count", "change", "words"),
    [
        (17, lambda code: code, "ends before 17"),
        (1, lambda code: code, "more than 1 "),
        (2, lambda code: np.insert(code, 2, np.uint64(0)), "goes on after 2"),
        (2, lambda code: code ^ np.array([0xFFFF << 48, 0, 0], dtype=np.uint64), "has a place"),
        (2, lambda code: code ^ np.array([1 << 16, 0, 0], dtype=np.uint64), "has a place"),
        (2, lambda code: code ^ np.array([0, 1 << 63, 0], dtype=np.uint64), "goes on"),
    ],
)
def test_a_code_with_a_right_check_is_refused_for_what_it_says(count, change, words):
    plain = np.array([0xFFFF_0000_FFFF_0000, 0x0000_0000_0007_FFFF], dtype=np.uint64)
    code = resealed(change(mask_code(plain, 16)))
    with pytest.raises(RowforgeError, match=words):
        unmask(code, count, 16)


@pytest.mark.parametrize("size", [0, 1])
def test_what_is_too_short_for_a_code_is_refused(size):
    with pytest.raises(RowforgeError, match="damaged"):
        unmask(np.zeros(size, dtype=np.uint64), 1, 16)


def pairs_of(elements):
    """(zeros, value) pairs as the chip's coder makes them, one element after another."""
    pairs, run = [], 0
    for value in elements.tolist():
        if value or run == 31:
            pairs.append((run, value))
            run = 0
        else:
            run += 1
    return [*pairs, (run - 1, 0)] if run else pairs


@pytest.mark.parametrize("zeros", [0, 0.5, 0.9, 0.99, 1])
def test_run_lengths_are_those_of_a_coder(zeros):
    rng = np.random.default_rng(int(100 * zeros))
    for count in (*range(1, 40), 1000):
        words = activations(rng, count, 16, zeros)
        pairs = pairs_of(words.view("<u2"))
        assert sum(run + 1 for run, _ in pairs) == 4 * count
        assert run_length_words(words) == -(-len(pairs) // 3)

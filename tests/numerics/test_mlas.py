"""Fused multiply-adds: one rounding, where float64 alone would round twice."""

from fractions import Fraction

import numpy as np

from numerics.mlas import fused


def _nearest(exact: Fraction, guess: np.float32) -> np.float32:
    """The float32 number nearest to a fraction, ties to even; the guess lies beside it."""
    beside = [
        np.nextafter(guess, np.float32(-np.inf)),
        guess,
        np.nextafter(guess, np.float32(np.inf)),
    ]
    return min(
        beside,
        key=lambda x: (abs(Fraction(float(x)) - exact), int(np.float32(x).view(np.int32)) & 1),
    )


def test_random_numbers_are_rounded_once() -> None:
    rng = np.random.default_rng(4)
    for _ in range(3000):
        a, b, c = (
            np.float32(rng.standard_normal() * 2.0 ** rng.integers(-20, 20)) for _ in range(3)
        )
        exact = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
        result = np.float32(fused(a, b, c))
        assert result == _nearest(exact, result)


def test_a_tie_that_a_tiny_addend_decides() -> None:
    """The square lies halfway between two float32 numbers; float64 loses the addend 2^-60."""
    odd = np.float32(1 + 2.0**-12)
    square = Fraction(float(odd)) ** 2
    assert square == 1 + Fraction(1, 2**11) + Fraction(1, 2**24)
    below, above = np.float32(1 + 2.0**-11), np.float32(1 + 2.0**-11 + 2.0**-23)
    assert fused(odd, odd, np.float32(0)) == below  # the tie goes to the even one
    assert fused(odd, odd, np.float32(2.0**-60)) == above
    assert fused(odd, odd, np.float32(-(2.0**-60))) == below


def test_what_is_not_finite_stays() -> None:
    one, infinity = np.float32(1), np.float32(np.inf)
    with np.errstate(all="ignore"):
        assert fused(infinity, one, one) == infinity
        assert np.isnan(fused(infinity, one, -infinity))
        assert np.isnan(fused(one, one, np.float32(np.nan)))

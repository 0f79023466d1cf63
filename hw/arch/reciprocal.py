"""Exact division by a constant as a multiplication and a shift, for average pooling."""

from hw.arch.errors import RowforgeError

MAX_COUNT = 1 << 16  # largest divisor
_DIVIDEND_BITS = 31


def reciprocal(count: int) -> tuple[int, int]:
    """Multiplier and shift with which rounding mode `DIVIDE` divides by `count`.

    The hardware computes `(n * multiplier) >> (31 - shift)` for n = |acc| + count // 2, which is
    floor(n / count) for every 0 <= n < 2^31, and gives the quotient the sign of acc: division with
    halves rounded away from zero. The parameter entry of such a channel is
    `{"bias": count // 2, "multiplier": multiplier, "shift": shift}`.

    Proof (after Granlund and Montgomery, "Division by invariant integers using multiplication",
    1994). Let L = ceil(log2(count)), s = 31 + L and m = ceil(2^s / count), so that
    m * count = 2^s + e with 0 <= e < count <= 2^L. Then n * m / 2^s = n / count + d with
    d = (n * e) / (count * 2^s). From n < 2^31 and e < 2^L follows n * e < 2^s, hence
    0 <= d < 1 / count: too little to carry n / count, whose distance to the next integer is at
    least 1 / count, over that integer. The multiplier fits 32 bits: m <= 2^31 if count = 2^L, and
    otherwise count >= 2^(L-1) + 1, so that m < 2^32 for every L <= 16.

    Parameters
    ----------
    count : int
        Divisor, 1 to 65536: the number of pixels averaged.

    Returns
    -------
    tuple of int
        Multiplier (0 < m < 2^32) and shift (0 down to -16).

    Raises
    ------
    RowforgeError
        For a divisor out of range.
    """
    if not 1 <= count <= MAX_COUNT:
        raise RowforgeError(f"pooling window must be 1 to {MAX_COUNT} pixels, not {count!r}")
    log = (count - 1).bit_length()
    return -((-1 << (_DIVIDEND_BITS + log)) // count), -log

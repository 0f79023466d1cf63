"""What Lattice's documents say of MULT18X18D and DP16KD, in Python, for the modes in use."""

from dataclasses import dataclass, field

WIDTHS = (36, 18, 9, 4, 2, 1)
_ADDRESS_SHIFT = {36: 5, 18: 4, 9: 3, 4: 2, 2: 1, 1: 0}
_BYTES = {36: 4, 18: 2}


def multiply(a: int, b: int, signed_a: bool, signed_b: bool) -> int:
    """36 bits of the product of two 18-bit operands, each signed or not."""
    return (_value(a, signed_a) * _value(b, signed_b)) & (1 << 36) - 1


def _value(bits: int, signed: bool) -> int:
    return bits - (1 << 18) if signed and bits >> 17 else bits


@dataclass
class BlockRam:
    """DP16KD, written through port A and read through port B, both `width` bits wide.

    `data` is what the last read gave; None where no value is promised: nothing was read yet, the
    word was never written as a whole, or it was written at the same edge.
    """

    width: int
    data: int | None = None
    _words: dict[tuple[int, int], int] = field(default_factory=dict)  # by row and byte

    def row(self, address: int) -> int:
        return address >> _ADDRESS_SHIFT[self.width]

    def edge(self, *, ada: int, adb: int, di: int, write: bool, read: bool) -> bool:
        """A rising edge of both clocks; returns whether it was a collision."""
        count = _BYTES.get(self.width, 1)
        size = self.width // count
        enables = ada & (1 << count) - 1 if count > 1 else 1
        collision = read and write and enables != 0 and self.row(ada) == self.row(adb)
        if read:
            parts = [self._words.get((self.row(adb), i)) for i in range(count)]
            known = not collision and None not in parts
            self.data = sum(p << size * i for i, p in enumerate(parts) if p) if known else None
        for i in range(count):
            if write and enables >> i & 1:
                self._words[self.row(ada), i] = di >> size * i & (1 << size) - 1
        return collision

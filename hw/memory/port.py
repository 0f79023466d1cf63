"""The memory port: bursts of 64-bit words, and what is heard of those that fail."""

from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out, Signature

WORD_BITS = 64
MOST_BEATS = 64  # of a burst
LENGTH_BITS = 6


class MemoryRequest(data.StructLayout):
    """A burst that is asked for: {address, length, write}.

    `address` is that of the first word, in words; `length` is the number of beats minus one, and
    `write` is 1 where the memory is written.

    Parameters
    ----------
    address_bits : int
        Bits of an address; the memory has two to this power words.
    """

    def __init__(self, address_bits: int):
        super().__init__({"address": address_bits, "length": LENGTH_BITS, "write": 1})
        self.address_bits = address_bits


class MemoryPort(Signature):
    """A port to a memory of 64-bit words, as seen by the one who asks.

    `request` is a stream of `MemoryRequest`. `write` carries the words of bursts that write and
    `read` those of bursts that read, each in the order of their requests, one word a beat.

    Rules
    -----
    A burst has at most `MOST_BEATS` beats and does not go beyond the end of the memory. Whoever
    asks to read has room for the whole burst before it asks: `read.ready` is 1 from then on until
    the burst is over, and the memory does not look at it. Whoever asks to write has the words of
    the burst at hand, or makes them without waiting for the memory. A read that is asked for after
    a write sees what was written.
    """

    def __init__(self, address_bits: int):
        super().__init__(
            {
                "request": Out(stream.Signature(MemoryRequest(address_bits))),
                "write": Out(stream.Signature(WORD_BITS)),
                "read": In(stream.Signature(WORD_BITS)),
            }
        )
        self.address_bits = address_bits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MemoryPort) and other.address_bits == self.address_bits

    def __hash__(self) -> int:
        return hash((MemoryPort, self.address_bits))

    def __repr__(self) -> str:
        return f"MemoryPort({self.address_bits})"


class MemoryFault(Signature):
    """What a client hears of accesses that failed: a stream of addresses of words.

    An address is valid from the first failure on until it is taken. `settled` is 1 while the
    memory owes no answer to a burst.
    """

    def __init__(self, address_bits: int):
        super().__init__({"first": Out(stream.Signature(address_bits)), "settled": Out(1, init=1)})
        self.address_bits = address_bits

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MemoryFault) and other.address_bits == self.address_bits

    def __hash__(self) -> int:
        return hash((MemoryFault, self.address_bits))

    def __repr__(self) -> str:
        return f"MemoryFault({self.address_bits})"

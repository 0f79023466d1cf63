"""Plays a compiled program into the accelerator and checks every layer's outputs.

`program.json` holds the words of the command stream, and for each block of results the values that
NumPy computed, in the order in which they arrive.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

PERIOD_NS = 10
WORD_BITS = 64
PROGRAM = json.loads(Path(__file__).with_name("program.json").read_text())


class WrongLayerError(AssertionError):
    """A value is not NumPy's, or does not come."""


class LayerBlock:
    """One block of results: a header word, then a layer's values or words that are all known.

    A value has `bits` bits; values fill buffer words, these fill 64-bit link words, both from the
    least significant bit on. Order: item, block of `lanes` channels, row, column, channel; lanes
    after the last channel hold anything.
    """

    def __init__(self, entry: dict[str, Any]):
        self.header = int(entry["header"], 16)
        self.length: int = entry["length"]
        self._entry = entry

    @property
    def name(self) -> str:
        """The layer, or what else the block is."""
        return str(self._entry["name"])

    def check(self, place: int, bits: str) -> None:
        """Compare a word, the highest bit first; place 0 is the header."""
        if place == 0:
            self._equal(bits, self.header, f"{self.name}, {self.first_coordinate(1)}: the header")
        elif "words" in self._entry:
            wanted = self._entry["words"][place - 1]
            if wanted is not None:
                self._equal(bits, int(wanted, 16), f"word {place - 1} of {self.name}")
        else:
            for index, wanted, got in self._values(place - 1, bits):
                if got != wanted:
                    at = self.coordinate(index)
                    raise WrongLayerError(f"{self.name}, {at}: {got}, not {wanted}")

    def first_coordinate(self, place: int) -> str:
        """Where the first value of a word belongs, or of the word after the header."""
        if "words" in self._entry:
            return f"word {place}"
        return self.coordinate(max(place - 1, 0) * WORD_BITS // int(self._entry["bits"]))

    def coordinate(self, index: int) -> str:
        """Item, row, column and channel of a value in the layer's whole output."""
        entry = self._entry
        items, rows, columns, channels = entry["box"]
        lanes = entry["lanes"]
        blocks = -(-(channels[1] - channels[0]) // lanes)
        index, lane = divmod(index, lanes)
        index, column = divmod(index, columns[1] - columns[0])
        index, row = divmod(index, rows[1] - rows[0])
        item, block = divmod(index, blocks)
        return (
            f"item {items[0] + item}, row {rows[0] + row}, column {columns[0] + column}, "
            f"channel {channels[0] + block * lanes + lane}"
        )

    def _values(self, word: int, bits: str) -> Iterator[tuple[int, int, int | str]]:
        """Index, wanted value and value of each lane of a word that holds a channel."""
        width = int(self._entry["bits"])
        per_word = WORD_BITS // width
        values = self._entry["values"]
        for lane in range(per_word):
            index = word * per_word + lane
            if index < len(values) and values[index] is not None:
                end = WORD_BITS - lane * width
                yield index, values[index], self._number(bits[end - width : end])

    def _number(self, bits: str) -> int | str:
        if set(bits) - {"0", "1"}:
            return f"unknown ({bits})"
        number = int(bits, 2)
        return number - (1 << len(bits)) if self._entry["signed"] and bits[0] == "1" else number

    def _equal(self, bits: str, wanted: int, what: str) -> None:
        if bits != format(wanted, f"0{WORD_BITS}b"):
            raise WrongLayerError(f"{what} is {bits}, not {wanted:0{WORD_BITS}b}")


class Results:
    """Takes words apart into blocks and checks each as it comes."""

    def __init__(self) -> None:
        self.blocks = [LayerBlock(entry) for entry in PROGRAM["results"]]
        self._block = 0
        self._place = 0

    @property
    def done(self) -> bool:
        """Everything came."""
        return self._block == len(self.blocks)

    @property
    def awaited(self) -> str:
        """What comes next."""
        block = self.blocks[self._block]
        return f"{block.name}, {block.first_coordinate(self._place)}"

    def take(self, bits: str) -> None:
        """The next word."""
        if self.done:
            raise WrongLayerError("a word came after the last result")
        block = self.blocks[self._block]
        block.check(self._place, bits)
        self._place += 1
        if self._place > block.length:
            self._block, self._place = self._block + 1, 0


@cocotb.test()
@cocotb.parametrize(stall=(0.0, 0.3))
async def layers(dut: Any, stall: float) -> None:
    """Every layer's outputs, without stalls and with the streams waiting at random."""
    coins = random.Random(cocotb.RANDOM_SEED)
    width = PROGRAM["link_width"]
    per_word = WORD_BITS // width
    beats = [
        int(word, 16) >> (width * part) & ((1 << width) - 1)
        for word in PROGRAM["words"]
        for part in range(per_word)
    ]
    results, parts = Results(), list[str]()
    dut.rst.value = 1
    dut.cmd__valid.value = dut.cmd__payload.value = dut.result__ready.value = 0
    Clock(dut.clk, PERIOD_NS, unit="ns").start()
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0
    sent, offering, ready, quiet = 0, False, False, 0
    while not results.done or sent < len(beats):
        await RisingEdge(dut.clk)
        quiet += 1
        if offering and dut.cmd__ready.value == 1:
            sent, offering, quiet = sent + 1, False, 0
        if ready and dut.result__valid.value == 1:
            parts.insert(0, str(dut.result__payload.value))
            quiet = 0
            if len(parts) == per_word:
                results.take("".join(parts))
                parts.clear()
        if quiet > PROGRAM["patience"]:
            waiting = "the end of the commands" if results.done else results.awaited
            raise WrongLayerError(f"{waiting}: nothing came for {quiet} cycles")
        offering = offering or (sent < len(beats) and coins.random() >= stall)
        dut.cmd__valid.value = int(offering)
        if offering:
            dut.cmd__payload.value = beats[sent]
        ready = coins.random() >= stall
        dut.result__ready.value = int(ready)

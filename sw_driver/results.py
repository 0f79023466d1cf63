"""Result blocks: what the accelerator must still answer, and what its answers mean."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from hw.arch.commands import RESULT, ResultBlock, Status
from hw.arch.errors import RowforgeError
from hw.arch.images.messages import RUN_ACCOUNT
from hw.arch.program import Words
from hw.arch.program.coding import unmask
from sw_driver.protocol.errors import ProtocolError, program_error
from sw_driver.protocol.link import Link

RUN_WORDS = 1 + RUN_ACCOUNT.words
"""Words of a RUN block after its header."""

Consumer: TypeAlias = Callable[[Words], None]


@dataclass(frozen=True)
class Expected:
    """A result block to come: kind, length in words (after its header), and who takes it.

    `element_bits`: of a data block in whose place a code of such elements may come; 0: none may.
    """

    block: ResultBlock
    length: int
    consume: Consumer
    element_bits: int


class ResultReader:
    """Receives result blocks in the order in which their commands were sent."""

    def __init__(self, link: Link):
        self._link = link
        self._queue: deque[Expected] = deque()
        self._received = 0

    def expect(
        self, block: ResultBlock, length: int, consume: Consumer, *, element_bits: int = 0
    ) -> int:
        """Note a block that the words just sent will cause; its number counts from 1."""
        self._queue.append(Expected(block, length, consume, element_bits))
        return self._received + len(self._queue)

    def receive_until(self, number: int) -> None:
        """Receive blocks up to and including that number."""
        while self._received < number:
            self._receive()

    def _receive(self) -> None:
        """Receive one block.

        Raises `ProgramError` if the accelerator reports an error instead, `ProtocolError` for any
        other block and for a damaged code. Nothing is expected any more after any of them.
        """
        expected = self._queue[0]
        header = RESULT.unpack(self._link.receive(1).tolist())
        block, length = header["block"], header["length"]
        if block == ResultBlock.STATUS and header["status"] != Status.OK and length == 1:
            self._queue.clear()
            value = int(self._link.receive(1)[0])
            raise program_error(header["status"], value, header["tag"])
        if block == ResultBlock.RUN and header["status"] != Status.OK and length == RUN_WORDS:
            self._queue.clear()
            words = self._link.receive(length).tolist()
            tag = RUN_ACCOUNT.unpack(words[1:])["tag"]
            raise program_error(header["status"], int(words[0]), tag)
        coded = block == ResultBlock.CODED and expected.element_bits and length < expected.length
        if not coded and (block != expected.block or length != expected.length):
            self._queue.clear()
            raise ProtocolError(
                f"the accelerator must answer with a {expected.block.name} block of "
                f"{expected.length} words, not with block {block} of {length} words"
            )
        words = self._link.receive(length)
        if coded:
            words = self._decoded(words, expected)
        self._queue.popleft()
        self._received += 1
        expected.consume(words)

    def _decoded(self, code: Words, expected: Expected) -> Words:
        try:
            return unmask(code, expected.length, expected.element_bits)
        except RowforgeError as error:
            self._queue.clear()
            raise ProtocolError(f"a block of the accelerator is wrong: {error}") from None

"""Runs of a program whose images lie in the board's memory."""

from random import randrange

import numpy as np

from hw.arch.commands import ResultBlock
from hw.arch.images.board_program import DIGEST_WORDS, BoardProgram, KeptBlock, ReplayStage
from hw.arch.images.messages import RUN_ACCOUNT, Message, message
from hw.arch.program import Host, Query, Words
from hw.arch.program.layout import pack_load
from sw_driver.protocol.link import Link
from sw_driver.results import RUN_WORDS, ResultReader
from sw_driver.running import Array, ProgramRun

_NUMBERS = (1 << 16) - 1  # of RUNs, from 1 on


class BoardMemory:
    """What the driver knows of the memory behind a link.

    Attributes
    ----------
    sent : words that images have taken on the link, messages included
    """

    def __init__(self, link: Link):
        self._link = link
        # What ran last, of another session, must not be taken for the first RUN of this one.
        self._number = randrange(_NUMBERS)
        self._held: bytes | None = b""  # digest of the images; empty: to be read; None: damaged
        self._ran: list[int] = []
        self.sent = 0

    def forget(self) -> None:
        """After an error the images are written again, whatever the digest says."""
        self._held = None

    def hold(self, program: BoardProgram) -> int:
        """Bring the images into the memory unless its digest says that they are there.

        Returns the words that were sent.
        """
        digest = program.digest
        if self._held == b"":
            self._held = self.read(0, DIGEST_WORDS).tobytes()
        if self._held == digest.tobytes():
            return 0
        before, self._held = self.sent, None
        for address, words in program.writes():
            self.write(address, words)
        self._held = digest.tobytes()
        return self.sent - before

    def write(self, address: int, words: Words) -> None:
        """Words go to the memory."""
        head = message(Message.WRITE, address=address, words=len(words))
        self._link.send(np.concatenate([np.array(head, dtype=np.uint64), words]))
        self.sent += len(head) + len(words)

    def ask(self, address: int, words: int) -> None:
        """A MEMORY block of these words will come."""
        self._tell(message(Message.READ, address=address, words=words))

    def run(self, stage: ReplayStage, area: int, repeat: int = 0) -> None:
        """A stage is replayed with the inputs of an area; its blocks and a RUN block will come."""
        self._number = self._number % _NUMBERS + 1
        self._ran = message(
            Message.RUN,
            number=self._number,
            repeat=repeat,
            address=stage.address,
            words=len(stage.image),
            input=stage.areas[area],
        )
        self._tell(self._ran)

    def run_again(self) -> None:
        """The last RUN's block will come again, or one that says which access failed since."""
        self._tell(self._ran)

    def _tell(self, words: list[int]) -> None:
        self._link.send(np.array(words, dtype=np.uint64))

    def read(self, address: int, count: int) -> Words:
        """Words of the memory, now; nothing else may be under way."""
        self.ask(address, count)
        found: list[Words] = []
        results = ResultReader(self._link)
        results.receive_until(results.expect(ResultBlock.MEMORY, count, found.append))
        return found[0]


class ReplayRun(ProgramRun):
    """The steps are replayed from the memory, stage by stage.

    Parameters
    ----------
    memory : BoardMemory
        It holds the program's images.
    program : BoardProgram
    inputs, results : as for `ProgramRun`
    area : int
        Which input areas are used: those of a run that is still under way are another's.
    """

    def __init__(
        self,
        memory: BoardMemory,
        link: Link,
        program: BoardProgram,
        inputs: dict[int, Array],
        results: ResultReader,
        area: int,
    ):
        super().__init__(link, program.program, inputs, results)
        self._memory = memory
        self._board = program
        self._area = area
        self._end = 0
        self._spent = 0

    def start(self) -> "ReplayRun":
        """Run all stages."""
        for stage in self._board.stages:
            if isinstance(stage, Host):
                self._host(stage)
            else:
                self._replay(stage)
        return self

    def finish(self) -> "ReplayRun":
        """Wait for the last RUN block, and for what is read after it."""
        self._results.receive_until(self._end)
        self.cycles = self._spent or None
        return self

    def _replay(self, stage: ReplayStage) -> None:
        # A stage goes on with the program of the one before, which must have ended well.
        self._results.receive_until(self._end)
        if stage.inputs:
            self._memory.write(stage.areas[self._area], self._payloads(stage))
        self._memory.run(stage, self._area)
        for step in stage.answers:
            if isinstance(step, Query):
                self._expect_counters(step)
            else:
                self._expect_block(step)
        self._end = self._results.expect(ResultBlock.RUN, RUN_WORDS, self._account)
        for block in stage.kept:
            self._memory.ask(block.address, block.words)
            self._end = self._expect_kept(block)
        if stage.kept and self._program.config.memory.kind == "axi":
            # A MEMORY block cannot say that its words were read with an error.
            self._memory.run_again()
            self._end = self._results.expect(ResultBlock.RUN, RUN_WORDS, lambda words: None)

    def _payloads(self, stage: ReplayStage) -> Words:
        """The input area of a stage."""
        parts = []
        for part in stage.inputs:
            view, spec = self._view(part.step.tensor), self._program.tensors[part.step.tensor]
            parts.append(pack_load(self._program.config, view, part.step.box, raw=spec.raw))
        return np.concatenate(parts)

    def _expect_kept(self, block: KeptBlock) -> int:
        """A data block that stayed is read."""
        number = self._results.expect(
            ResultBlock.MEMORY, block.words, lambda words: self._fill(block.step, words)
        )
        self._stored[block.step.tensor] = number
        return number

    def _account(self, words: Words) -> None:
        """A RUN has ended well."""
        self._spent += RUN_ACCOUNT.unpack(words[1:].tolist())["cycles"]

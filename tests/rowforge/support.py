"""The command line inside the test's own process, and a target that is wrong on purpose."""

import json
from dataclasses import dataclass

import numpy as np

from hw.arch.commands import RESULT, ResultBlock
from hw.arch.program import Program
from rowforge.cli import main
from rowforge.configs import preset
from rowforge.demonstration import held_out_digits
from rowforge.running.compilation import compile_model, digits_model
from sim.functional import FunctionalAccelerator
from tests.support.refusals import well_formed

MODEL = str(digits_model())
DIGITS = held_out_digits()


FAST_BUILD = "-O0"  # of a simulator that runs briefly


def small_digits() -> Program:
    """The shipped model on an array whose simulator is soon built, with every counter.

    Tests that observe a run of it on the RTL share one simulator.
    """
    small = {"array.rows": 2, "array.cols": 2, "control.access_counters": True}
    return compile_model(str(digits_model()), preset("tiny").with_values(small)).program


@dataclass
class Outcome:
    status: int
    out: str
    err: str

    @property
    def document(self):
        return json.loads(self.out)

    def assert_refused(self, *words):
        """Bad use: status 2, one message that holds these words, no traceback."""
        assert self.status == 2, self
        assert self.err.endswith("\n"), self.err
        assert well_formed(self.err.removesuffix("\n")), self.err
        assert self.err.startswith("rowforge")
        assert "Traceback" not in self.err
        assert "internal error" not in self.err
        for word in words:
            assert str(word) in self.err, self.err


def rowforge(capsys, *arguments):
    capsys.readouterr()
    status = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return Outcome(status, captured.out, captured.err)


class FaultyLink(FunctionalAccelerator):
    """Adds 1 to a byte of the data block with that number."""

    def __init__(self, config, *, block, byte):
        super().__init__(config)
        self._block, self._byte = block, byte
        self._seen = -1
        self._data = False

    def receive(self, count):
        words = super().receive(count).copy()
        if self._data:
            self._data = False
            if self._seen == self._block:
                words.view(np.uint8)[self._byte] += 1
        elif count == 1 and RESULT.unpack(words.tolist())["block"] == ResultBlock.DATA:
            self._seen += 1
            self._data = True
        return words

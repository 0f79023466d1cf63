"""Spaces for tests, and an evaluator that computes nothing."""

from dataclasses import replace

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.area.cells import CellCount
from rowforge.exploring.evaluation import Evaluated
from rowforge.exploring.space import read_space
from tests.rowforge.support import MODEL

TEXT = f"""\
start = "tiny"
objectives = ["cycles", "area"]
trials = 40
generation = 8
seed = 7

[models]
"{MODEL}" = 2

[space.array]
rows = [2, 3, 4, 5, 6]
cols = [2, 3, 4, 5, 6]

[space.pe]
zero_gating = [true, false]
filter_spad = [128, 16]

[budget]
multipliers = 16
"""


def written(folder, text=TEXT):
    path = folder / "space.toml"
    path.write_text(text)
    return path


def space_of(folder, text=TEXT, **changes):
    return replace(read_space(written(folder, text)), **changes)


class PretendedEvaluator:
    """Figures by a formula; stops at the evaluation with that number, as if it was killed."""

    def __init__(self, stop=None):
        self.stop, self.count = stop, 0

    def evaluated(self, jobs, done):
        return [self._one(job) for job in jobs]

    def _one(self, job):
        self.count += 1
        if self.count == self.stop:
            raise KeyboardInterrupt
        try:
            config = Config.of(job.values)
        except RowforgeError as error:
            return Evaluated(refusal=str(error))
        pes = config.multipliers
        cycles = 1e6 / pes + 100 * abs(config.array.rows - 4) + 7 * config.pe.zero_gating
        luts = 300 * pes + config.pe.filter_spad
        cells = CellCount(luts=luts, multipliers=pes)
        figures = {"cycles": cycles, "energy": cycles * luts, "traffic": 1.0, "area": float(luts)}
        return Evaluated(figures=figures, cells=vars(cells))

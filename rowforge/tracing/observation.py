"""Traces and waves of a run's first input, as `rowforge run` writes them: `Observation`."""

from pathlib import Path

from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from rowforge.tracing.file import traced, write_trace
from rowforge.tracing.rtl import layer_window, observed
from rowforge.tracing.waves import WHOLE, write_waves_layout
from sim.cycles.predict import predict
from sim.cycles.trace import Trace
from sim.masks import core_masks
from sim.observed.engine import MOST_NOTED, too_long
from sw_driver.arrays import Arrays
from sw_driver.runtime import split_inputs


class Observation:
    """What is looked at in the plain program's first run, with the first input's values.

    All that the exact model can find out is found out when it is made, before the RTL is built.

    Parameters
    ----------
    program : Program
    inputs : array, or arrays by name
    rtl : whether the RTL is observed; otherwise the trace is the exact model's
    trace, waves : files to write, None for none; waves are of the RTL
    layer : of which alone waves are written, None for all

    Raises `RowforgeError` for a layer that has no cycles, and for a trace of the RTL of more cycles
    than are noted.
    """

    def __init__(
        self,
        program: Program,
        inputs: Arrays,
        *,
        rtl: bool,
        trace: Path | None = None,
        waves: Path | None = None,
        layer: str | None = None,
    ) -> None:
        self._program, self._plain = program, program.uncounted()
        self._rtl, self._trace, self._waves = rtl, trace, waves
        self._values = split_inputs(program, inputs)[0]
        self._first = {program.tensors[i].name: array for i, array in self._values.items()}
        self._masks = core_masks(self._plain, self._first)
        self._window = WHOLE
        if layer is not None:
            self._window = layer_window(program.layers, self._modelled(), layer)
        if rtl and trace is not None:
            cycles = predict(self._plain, values=self._values, masks=self._masks).cycles
            if cycles > MOST_NOTED:
                raise RowforgeError(too_long())

    def _modelled(self) -> Trace:
        return traced(self._plain, values=self._values, masks=self._masks)

    def write(self) -> None:
        """Run, and write what is wanted; raises `RowforgeError` as `observed`."""
        found: Trace | None
        if self._rtl:
            noted = self._trace is not None
            found, _ = observed(
                self._plain, self._first, waves=self._waves, window=self._window, noted=noted
            )
        else:
            found = self._modelled()
        if self._trace is not None and found is not None:
            write_trace(self._trace, self._program, found)
        if self._waves is not None:
            write_waves_layout(self._waves, self._program.config)

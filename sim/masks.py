"""Which ifmap words of a run are zero, for the cycles of PEs that skip them: `zero_masks`."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.arch.program import Program
from sim.functional.accelerator import FunctionalAccelerator
from sw_driver.runtime import Runtime


def zero_masks(program: Program, inputs: Any) -> NDArray[np.uint8] | None:
    """The `masks` of `sim.cycles.predict` for a run with these inputs; None for dense PEs.

    inputs : as `sw_driver.runtime.Runtime.run` takes them; what the program computes is executed
    """
    config = program.config
    if config.pe.kind != "skipping":
        return None
    executor = FunctionalAccelerator(config)
    executor.state.keep_masks()
    Runtime(executor, config).run(program, inputs)
    return executor.state.mask_stream()

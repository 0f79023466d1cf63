"""Which ifmap words of a run are zero, for the cycles of PEs that skip them: `zero_masks`."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hw.arch.program import Program
from sim.functional.accelerator import FunctionalAccelerator
from sim.mesh import FunctionalMesh
from sw_driver.runtime import Runtime

_Masks: TypeAlias = NDArray[np.uint8]


def zero_masks(program: Program, inputs: Any) -> _Masks | list[_Masks] | None:
    """The `masks` of `sim.cycles.predict` for a run with these inputs; None for dense PEs.

    inputs : as `sw_driver.runtime.Runtime.run` takes them; what the program computes is executed
    """
    config = program.config
    if config.pe.kind != "skipping":
        return None
    executor = FunctionalMesh(config) if config.clusters.several else FunctionalAccelerator(config)
    keep_masks(executor)
    Runtime(executor, config).run(program, inputs)
    return kept_masks(executor)


def keep_masks(executor: FunctionalAccelerator | FunctionalMesh) -> None:
    """Note from now on which ifmap words are zero."""
    for core in _cores(executor):
        core.state.keep_masks()


def kept_masks(executor: FunctionalAccelerator | FunctionalMesh) -> _Masks | list[_Masks]:
    """What was noted, of clusters one by one."""
    masks = [core.state.mask_stream() for core in _cores(executor)]
    return masks if isinstance(executor, FunctionalMesh) else masks[0]


def _cores(executor: FunctionalAccelerator | FunctionalMesh) -> list[FunctionalAccelerator]:
    return executor.clusters if isinstance(executor, FunctionalMesh) else [executor]

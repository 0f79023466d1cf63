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
    if not config.clusters.several:
        return core_masks(program, inputs)
    if config.pe.kind != "skipping":
        return None
    mesh = FunctionalMesh(config)
    keep_masks(mesh)
    Runtime(mesh, config).run(program, inputs)
    return [core.state.mask_stream() for core in mesh.clusters]


def core_masks(program: Program, inputs: Any) -> _Masks | None:
    """The same of a program for one cluster, of which alone traces are made."""
    config = program.config
    if config.pe.kind != "skipping":
        return None
    core = FunctionalAccelerator(config)
    core.state.keep_masks()
    Runtime(core, config).run(program, inputs)
    return core.state.mask_stream()


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

"""Programs on the simulated RTL, observed: traces of its signals, and waves of a layer."""

from collections.abc import Sequence
from pathlib import Path

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Layer, Program
from rowforge.running.progress import Progress
from rowforge.tracing.events import layer_times
from rowforge.tracing.waves import WHOLE
from sim.cycles.trace import Trace
from sim.observed.link import ObservedLink
from sw_driver.accelerator import Accelerator, Connection
from sw_driver.arrays import Arrays
from sw_driver.runtime import RunOutcome


def check_observed(option: str, config: Config) -> None:
    """`RowforgeError` for a configuration whose RTL has other signals than are read."""
    if config.control.microcontroller or config.clusters.several or config.memory.present:
        raise RowforgeError(
            f'{option} of the RTL must have control.kind "engines", memory.kind "none" and a '
            "single cluster: of others no signals are known"
        )


def observed(
    program: Program,
    inputs: Arrays,
    *,
    waves: Path | None = None,
    window: tuple[int, int] = WHOLE,
    noted: bool = True,
    optimise: str = "-O2",
) -> tuple[Trace | None, RunOutcome]:
    """A run of `program`, as it is, on the RTL over a full link: its trace and what it yields.

    What fills a weight memory before the run is neither in the trace nor in the waves.

    Parameters
    ----------
    program : Program
    inputs : arrays by name, of one item
    waves : file for waves of the cycles of `window`, to before the second; None: none
    noted : whether a trace is wanted; it is None otherwise
    optimise : C++ compiler option

    Raises `RowforgeError` if the simulation cannot be built, or for more cycles than are noted.
    """
    progress = Progress()
    progress.show("RTL: looking for the simulator")
    link = ObservedLink(
        program.config,
        waves=waves,
        window=window,
        noted=noted,
        unseen=int(program.memory.size > 0),
        optimise=optimise,
        progress=lambda cycles: progress.show(f"RTL: {cycles:,} cycles"),
    )
    with Accelerator(Connection(link, program.config)) as accelerator:
        accelerator.load(program)
        outcome = accelerator.run_in_full(inputs)
        found = link.trace() if noted else None
    progress.clear()
    return found, outcome


def check_layer(layers: Sequence[Layer], name: str) -> int:
    """The place of the layer of that name.

    Raises `RowforgeError` for a layer that the program has not, or that is not the accelerator's.
    """
    names = [layer.name for layer in layers]
    of_array = [layer.name for layer in layers if layer.where == "array"]
    if name in names and name not in of_array:
        raise RowforgeError(f"--from must be a layer of the accelerator, which {name} is not")
    if name not in of_array:
        known = ", ".join(of_array) or "the accelerator's, which has none"
        raise RowforgeError(f"--from must be one of {known}, not {name!r}")
    return names.index(name)


def layer_window(layers: Sequence[Layer], trace: Trace, name: str) -> tuple[int, int]:
    """The cycles in which passes or the vector engine are in a layer, to before the second.

    Raises `RowforgeError` as `check_layer`, and for a layer that needs neither.
    """
    number = check_layer(layers, name)
    times = [(begin, end) for place, begin, end in layer_times(trace) if place == number]
    if not times:
        raise RowforgeError(f"--from must be a layer with passes or vectors, which {name} has not")
    return times[0][0], times[-1][1]

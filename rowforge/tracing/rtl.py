"""Programs on the simulated RTL, observed: traces of its signals, and waves of a layer."""

from collections.abc import Sequence
from pathlib import Path

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
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
    optimise: str = "-O2",
) -> tuple[Trace, RunOutcome]:
    """A run of `program`, as it is, on the RTL over a full link: its trace and what it yields.

    Parameters
    ----------
    program : Program
    inputs : arrays by name, of one item
    waves : file for waves of the cycles of `window`, to before the second; None: none
    optimise : C++ compiler option

    Raises `RowforgeError` if the simulation cannot be built.
    """
    progress = Progress()
    progress.show("RTL: looking for the simulator")
    link = ObservedLink(
        program.config,
        waves=waves,
        window=window,
        optimise=optimise,
        progress=lambda cycles: progress.show(f"RTL: {cycles:,} cycles"),
    )
    with Accelerator(Connection(link, program.config)) as accelerator:
        accelerator.load(program)
        outcome = accelerator.run_in_full(inputs)
        found = link.trace()
    progress.clear()
    return found, outcome


def layer_window(names: Sequence[str], trace: Trace, layer: str) -> tuple[int, int]:
    """The cycles in which passes or the vector engine are in a layer, to before the second.

    Raises `RowforgeError` for a layer that the program has not, or of which the host does all.
    """
    if layer not in names:
        raise RowforgeError(f"--from must be one of {', '.join(names)}, not {layer!r}")
    number = list(names).index(layer)
    times = [(begin, end) for place, begin, end in layer_times(trace) if place == number]
    if not times:
        raise RowforgeError(f"--from must be a layer of the accelerator, which {layer} is not")
    return times[0][0], times[-1][1]

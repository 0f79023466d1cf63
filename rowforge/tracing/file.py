"""`--trace`: traces of programs by the exact model, as JSON files of Chrome trace events."""

import json
from pathlib import Path

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from rowforge.running.progress import Progress
from rowforge.tracing.events import trace_events
from sim.cycles.predict import Masks
from sim.cycles.stream import NO_VALUES, Values
from sim.cycles.trace import Trace, check_traced, trace
from sw_driver.arrays import check_writable


def check_trace(path: Path, config: Config) -> None:
    """Refuse, before anything runs, a name that says no JSON, and what nothing can trace."""
    if path.suffix != ".json":
        raise RowforgeError(f"--trace must name a file that ends in .json, not {path.name!r}")
    if config.control.microcontroller:
        raise RowforgeError(
            '--trace must have control.kind "engines": the exact model, which makes traces, knows '
            "nothing of firmware"
        )
    check_traced(config)
    check_writable(path)


def traced(
    program: Program,
    *,
    dry: bool = False,
    values: Values = NO_VALUES,
    masks: Masks | None = None,
    density: float | None = None,
) -> Trace:
    """`sim.cycles.trace.trace` of the plain program, which shows its progress on a terminal."""
    progress = Progress()
    found = trace(
        program.uncounted(),
        dry=dry,
        values=values,
        masks=masks,
        density=density,
        progress=lambda cycles: progress.show(f"trace: {cycles:,} cycles"),
    )
    progress.clear()
    return found


def write_trace(path: Path, program: Program, found: Trace) -> None:
    """Write a trace of `program`; `RowforgeError` if the file cannot be written."""
    array = program.config.array
    title = f"{program.name}, {array.rows} x {array.cols} PEs: cycles, shown as microseconds"
    names = [layer.name for layer in program.layers]
    try:
        with path.open("w", encoding="utf-8") as file:
            file.write('{"displayTimeUnit": "ns", "otherData": ')
            file.write(json.dumps({"model": program.name, "cycles": found.cycles}))
            file.write(', "traceEvents": [\n')
            for place, event in enumerate(trace_events(found, names, title)):
                file.write((",\n" if place else "") + json.dumps(event, separators=(",", ":")))
            file.write("\n]}\n")
    except OSError as error:
        raise RowforgeError(f"cannot write {path}: {error.strerror or error}") from None

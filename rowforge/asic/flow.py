"""From a configuration to the figures of its netlist: `analyse`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.asic.netlist.blocks import BlockArea, block_areas
from hw.asic.netlist.liberty import Library, liberty_text, parse_liberty
from hw.asic.netlist.netlist import Netlist
from hw.asic.netlist.synthesis import synthesise
from hw.asic.netlist.timing import SlowestPath, slowest_path, sta_command
from hw.asic.process import Process
from hw.emit.prefix import PREFIX
from rowforge.generation import generate


@dataclass(frozen=True)
class LibraryFile:
    """A liberty file as it was read: its text and what was understood of it."""

    text: str
    library: Library


@dataclass(frozen=True)
class CornerLibraries:
    """The liberty files of one corner.

    Attributes
    ----------
    name : supply and temperature
    cells : standard cells
    macros : memories
    """

    name: str
    cells: LibraryFile
    macros: tuple[LibraryFile, ...]

    @property
    def libraries(self) -> list[Library]:
        """All of them."""
        return [self.cells.library, *(file.library for file in self.macros)]


@dataclass(frozen=True)
class AsicResult:
    """What became of a configuration.

    Attributes
    ----------
    process : by name
    gated : flip-flops with a gated clock, of each module once; 0: no clock was to be gated
    blocks : by corner, the largest first
    paths : by corner; empty without OpenSTA
    netlist : what was measured
    """

    process: str
    gated: int
    blocks: dict[str, list[BlockArea]]
    paths: dict[str, SlowestPath]
    netlist: Netlist


def read_corners(process: Process, files: Sequence[Path]) -> list[CornerLibraries]:
    """The liberty files by corner, in the order of their standard cells.

    Raises `RowforgeError` for a file that is none, files without standard cells, macros of a corner
    that has no standard cells, and two files of standard cells for one corner.
    """
    if process.cells is None:
        raise RowforgeError(f"process {process.name} has no standard cells to synthesise for")
    cells: dict[str, LibraryFile] = {}
    macros: dict[str, list[LibraryFile]] = {}
    for path in files:
        text = liberty_text(path)
        library = parse_liberty(text, str(path))
        if process.cells.clock_gate.cell in library.cells:
            if library.corner in cells:
                raise RowforgeError(
                    f"--liberty must name one file of standard cells for {library.corner}, not two"
                )
            cells[library.corner] = LibraryFile(text, library)
        else:
            macros.setdefault(library.corner, []).append(LibraryFile(text, library))
    if not cells:
        raise RowforgeError(
            f"--liberty must name a file of standard cells of {process.name}, with the cell "
            f"{process.cells.clock_gate.cell}"
        )
    for corner in macros:
        if corner not in cells:
            raise RowforgeError(
                f"--liberty must name standard cells for {corner} too, as for its macros"
            )
    return [
        CornerLibraries(corner, file, tuple(macros.get(corner, ())))
        for corner, file in cells.items()
    ]


def analyse(
    config: Config,
    process: Process,
    corners: Sequence[CornerLibraries],
    folder: Path,
    *,
    period_ns: float = 10.0,
    clock_gating: bool = True,
    progress: Callable[[str], None] = lambda _: None,
) -> AsicResult:
    """Generate, synthesise by the first corner, and measure by all.

    Parameters
    ----------
    config : Config
    process : Process
    corners : sequence of CornerLibraries
        With the macros that the design has.
    folder : Path
        Gets what `generate` writes, `netlist.v`, and files of the tools.
    period_ns : float
        Clock period that logic is optimised for.
    clock_gating : bool
        Whether clocks are gated.
    progress : callable
        Told what goes on.

    Raises `RowforgeError` if a macro has no liberty file in a corner, or a tool fails.
    """
    progress("generating")
    files = generate(config, folder, process=process.name, period_ns=period_ns)
    stubs = [path.name for path in files if path.name.startswith(f"{PREFIX}_stub_")]
    _check_macros(corners, [name.removeprefix(f"{PREFIX}_stub_")[:-2] for name in stubs])
    foreign = [
        name
        for name in (folder / f"{PREFIX}.f").read_text().split()
        if name not in (f"{PREFIX}_macros.v",)
    ]
    progress("synthesising, which takes minutes")
    synthesis = synthesise(
        folder,
        process,
        PREFIX,
        [*stubs, *foreign],
        corners[0].cells.text,
        period_ns=period_ns,
        clock_gating=clock_gating,
    )
    blocks = {c.name: block_areas(synthesis.netlist, c.libraries) for c in corners}
    paths: dict[str, SlowestPath] = {}
    if sta_command() is not None:
        for corner in corners:
            progress(f"timing at {corner.name}")
            paths[corner.name] = _timed(folder, corner, period_ns)
    return AsicResult(process.name, synthesis.gated, blocks, paths, synthesis.netlist)


def _check_macros(corners: Sequence[CornerLibraries], macros: Sequence[str]) -> None:
    for corner in corners:
        known = {cell for library in corner.libraries for cell in library.cells}
        if missing := sorted(set(macros) - known):
            raise RowforgeError(
                f"--liberty must name files of all macros for {corner.name}; missing: "
                f"{', '.join(missing)}"
            )


def _timed(folder: Path, corner: CornerLibraries, period_ns: float) -> SlowestPath:
    """The slowest path of a corner; its libraries are written where OpenSTA reads plain text."""
    names = []
    for file in (corner.cells, *corner.macros):
        name = re.sub(r"\W", "_", file.library.name) + ".lib"
        (folder / name).write_text(file.text)
        names.append(name)
    return slowest_path(folder, "netlist.v", PREFIX, names, period_ns=period_ns)

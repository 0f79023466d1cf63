"""Verilog of a configuration with everything that belongs beside it."""

import warnings
from pathlib import Path
from typing import Literal

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.version import version_text
from hw.asic.process import process as asic_process
from hw.emit.documents import documents
from hw.emit.prefix import PREFIX
from rowforge.testbench.network import NoNetworkError
from rowforge.testbench.write import write_testbench


def generate(
    config: Config,
    out_dir: str | Path,
    *,
    reset_all: bool = False,
    memories: Literal["infer", "blackbox"] | None = None,
    process: str | None = None,
    period_ns: float = 10.0,
    prefix: str = PREFIX,
) -> list[Path]:
    """Write the accelerator's Verilog, file list, constraints, documents and testbench.

    Parameters
    ----------
    config : Config
    out_dir : path
        Made if absent; other files in it are left alone.
    reset_all : bool
        Reset every register and give none an initial value: for ASIC.
    memories : "infer", "blackbox" or None
        Memories that tools infer, or macros with models in `PREFIX_rams.v`. None: "infer", or, with
        a process, its macros.
    process : str or None
        An ASIC process of `hw.asic.process`. It implies `reset_all`; memories of more than 64 words
        are made of its macros, and the folder gets files for layout flows.
    period_ns : float
        Clock period of the timing constraints.
    prefix : str
        Name of the top module, with which the names of all other modules, of files and of C macros
        begin. Two designs of different prefixes fit in one.

    A configuration that takes no network gets no testbench, and a warning.

    Returns the files, sorted by name. Raises `RowforgeError` for a prefix that cannot be one, if
    the folder cannot be written, for an unknown process, memories together with a process, or a
    memory that its macros cannot make.
    """
    if process is not None and memories is not None:
        raise RowforgeError(
            f"--memories must not be given with --process, not {memories!r}: the process decides"
        )
    kit = None if process is None else asic_process(process)
    from hw.asic.flows.kit import kit_maker
    from hw.emit.verilog import Options
    from hw.emit.verilog import generate as generate_design
    from hw.top.accelerator import (
        AcceleratorCore,  # amaranth is slow to import; other commands need none
    )

    files = generate_design(
        AcceleratorCore(config),
        out_dir,
        name=prefix,
        version=version_text(),
        options=Options(
            reset_all=reset_all or kit is not None,
            memories=memories or ("infer" if kit is None else "macros"),
        ),
        period_ns=period_ns,
        documents=documents(config, prefix),
        make_kit=None if kit is None else kit_maker(kit),
    )
    try:
        files = [*files, *write_testbench(config, Path(out_dir), top=prefix)]
    except NoNetworkError as error:
        warnings.warn(f"no testbench was written: {error}", stacklevel=2)
    return sorted(files)

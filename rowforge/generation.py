"""Verilog of a configuration with everything that belongs beside it."""

import warnings
from pathlib import Path
from typing import Literal

from hw.arch.config import Config
from hw.arch.version import version_text
from hw.emit.documents import documents
from hw.emit.prefix import PREFIX
from rowforge.testbench.network import NoNetworkError
from rowforge.testbench.write import write_testbench


def generate(
    config: Config,
    out_dir: str | Path,
    *,
    reset_all: bool = False,
    memories: Literal["infer", "blackbox"] = "infer",
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
    memories : "infer" or "blackbox"
        Memories that tools infer, or macros with models in `PREFIX_rams.v`.
    period_ns : float
        Clock period of the timing constraints.
    prefix : str
        Name of the top module, with which the names of all other modules, of files and of C macros
        begin. Two designs of different prefixes fit in one.

    A configuration that takes no network gets no testbench, and a warning.

    Returns the files, sorted by name. Raises `RowforgeError` for a prefix that cannot be one or if
    the folder cannot be written.
    """
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
        options=Options(reset_all=reset_all, memories=memories),
        period_ns=period_ns,
        documents=documents(config, prefix),
    )
    try:
        files = [*files, *write_testbench(config, Path(out_dir), top=prefix)]
    except NoNetworkError as error:
        warnings.warn(f"no testbench was written: {error}", stacklevel=2)
    return sorted(files)

"""Files of waves, and a layout of the accelerator's units for GTKWave."""

from pathlib import Path

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.emit.prefix import PREFIX
from sim.observed.signals import probes
from sim.verilator import fst_headers
from sw_driver.arrays import check_writable

WHOLE = (0, 1 << 62)
"""A window of all cycles of a program."""

_INSTANCES = {"engine": "core.engine", "next_command": "core.engine.sequencer.next_command"}


def check_waves(path: Path) -> None:
    """Refuse a name that says no form of waves, and FST where its headers are missing."""
    if path.suffix not in (".vcd", ".fst"):
        raise RowforgeError(f"--waves must name a .vcd or .fst file, not {path.name!r}")
    if path.suffix == ".fst" and not fst_headers():
        raise RowforgeError(
            "FST waves need the headers lz4.h and zlib.h (Debian: apt-get install liblz4-dev "
            "zlib1g-dev); a name that ends in .vcd needs nothing"
        )
    check_writable(path)


def write_waves_layout(waves: Path, config: Config) -> Path:
    """Write `NAME.gtkw` beside a file of waves: clock and streams, then what a trace reads.

    `@28` shows bits in binary, `@22` vectors in hexadecimal, `@200` a comment.
    """
    lines = [f'[dumpfile] "{waves.resolve()}"', "[timestart] 0", "*-16 0", "@200", "-link"]
    for name in ("clk", "cmd__valid", "cmd__ready", "result__valid", "result__ready"):
        lines += ["@28", f"{PREFIX}.{name}"]
    shown: set[str] = set()
    for block in ("decoder", "engine", "next_command"):
        lines += ["@200", f"-{block}"]
        for probe in probes(config).values():
            bits = "" if probe.whole == 1 else f"[{probe.whole - 1}:0]"
            path = f"{PREFIX}.{_INSTANCES.get(block, block)}.{probe.name}{bits}"
            if probe.block == block and path not in shown:
                shown.add(path)
                lines += ["@22" if bits else "@28", path]
    layout = waves.with_suffix(".gtkw")
    layout.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return layout

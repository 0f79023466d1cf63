"""Files of waves, and a layout of the accelerator's units for GTKWave."""

from pathlib import Path

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.emit.prefix import PREFIX
from sim.observed.signals import probes
from sim.verilator import check_fst
from sim.wave_layout import write_wave_layout
from sw_driver.arrays import check_writable

WHOLE = (0, 1 << 62)
"""A window of all cycles of a program."""

_LINK = ("clk", "cmd__valid", "cmd__ready", "result__valid", "result__ready")
_INSTANCES = {"engine": "core.engine", "next_command": "core.engine.sequencer.next_command"}


def check_waves(path: Path) -> None:
    """Refuse a name that says no form of waves, and FST where its headers are missing."""
    if path.suffix not in (".vcd", ".fst"):
        raise RowforgeError(f"--waves must name a .vcd or .fst file, not {path.name!r}")
    if path.suffix == ".fst":
        check_fst()
    check_writable(path)


def write_waves_layout(waves: Path, config: Config) -> Path:
    """Write `NAME.gtkw` beside a file of waves: clock and streams, then what a trace reads."""
    link = [(f"{PREFIX}.{name}", 1) for name in _LINK]
    groups: dict[str, list[tuple[str, int]]] = {"link": link}
    for probe in probes(config).values():
        path = f"{PREFIX}.{_INSTANCES.get(probe.block, probe.block)}.{probe.name}"
        members = groups.setdefault(probe.block, [])
        if (path, probe.whole) not in members:
            members.append((path, probe.whole))
    return write_wave_layout(waves, groups.items())

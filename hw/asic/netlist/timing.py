"""Static timing by OpenSTA, where it is installed: the slowest path of a netlist, without wires."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.arch.errors import RowforgeError

_IO_FRACTION = 0.2


@dataclass(frozen=True)
class SlowestPath:
    """The path that limits the clock.

    Attributes
    ----------
    start, end : pins or ports, in the netlist's names
    steps : (time in ns, pin, cell) of each step
    period_ns : the shortest period that it would meet
    """

    start: str
    end: str
    steps: tuple[tuple[float, str, str], ...]
    period_ns: float

    @property
    def megahertz(self) -> float:
        """The clock that it allows."""
        return 1000 / self.period_ns


def sta_command() -> str | None:
    """The path of OpenSTA; None if it is not installed."""
    return shutil.which("sta")


def slowest_path(
    folder: Path, netlist: str, top: str, libraries: Sequence[str], *, period_ns: float
) -> SlowestPath:
    """The slowest path of a netlist.

    Parameters
    ----------
    folder : Path
        With the files; gets a script and a log.
    netlist : str
        Verilog file in the folder.
    top : str
    libraries : sequence of str
        Liberty files of one corner in the folder, those of macros among them.
    period_ns : float
        Of the clock; ports take a fifth of it on either side.

    Raises `RowforgeError` if OpenSTA is absent or tells no path.
    """
    command = sta_command()
    if command is None:
        raise RowforgeError("timing needs OpenSTA, whose program sta is not on the PATH")
    delay = period_ns * _IO_FRACTION
    script = [
        *(f"read_liberty {name}" for name in libraries),
        f"read_verilog {netlist}",
        f"link_design {top}",
        f"create_clock -name clk -period {period_ns} [get_ports clk]",
        f"set_input_delay {delay} -clock clk [all_inputs]",
        f"set_output_delay {delay} -clock clk [all_outputs]",
        "report_checks -path_delay max -format full -digits 4",
        "exit",
    ]
    (folder / "sta.tcl").write_text("\n".join(script) + "\n")
    done = subprocess.run(
        [command, "-exit", "sta.tcl"], cwd=folder, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    (folder / "sta.log").write_text(said)
    if done.returncode or re.search(r"^Error", said, re.MULTILINE):
        errors = re.findall(r"^Error.*$", said, re.MULTILINE) or [said[-300:]]
        raise RowforgeError(f"OpenSTA failed: {' '.join(errors)[:400]}")
    return parse_path(said, period_ns)


def parse_path(report: str, period_ns: float) -> SlowestPath:
    """The first path of a report; `RowforgeError` if there is none."""
    start = re.search(r"^Startpoint: (\S+)", report, re.MULTILINE)
    end = re.search(r"^Endpoint: (\S+)", report, re.MULTILINE)
    slack = re.search(r"^ *(-?[\d.]+) +slack", report, re.MULTILINE)
    if start is None or end is None or slack is None:
        raise RowforgeError("OpenSTA found no path: the netlist has no register")
    arrival = report[: report.index("data arrival time")]
    steps = re.findall(r"^ *-?[\d.]+ +(-?[\d.]+) [v^] (\S+) \((.*?)\)$", arrival, re.MULTILINE)
    return SlowestPath(
        start[1],
        end[1],
        tuple((float(time), pin, cell) for time, pin, cell in steps),
        period_ns - float(slack[1]),
    )

"""What a simulated netlist did: changes of its nets, as `Toggles`."""

import ctypes
from collections import Counter
from pathlib import Path

import numpy as np

from hw.asic.netlist.netlist import Netlist
from hw.asic.netlist.toggles import Bit, Toggles, net_text
from sim.netlist.gates.design import GateDesign


def clear_activity(library: Path) -> None:
    """Count from now on."""
    ctypes.CDLL(str(library)).rowforge_activity_clear()


def read_activity(library: Path, design: GateDesign, netlist: Netlist, cycles: int) -> Toggles:
    """What has been counted in the engine of a library that was made last.

    Parameters
    ----------
    library : Path
        Of `gate_library`.
    design, netlist : GateDesign, Netlist
        What it simulates.
    cycles : int
        Over which it was counted. Two units of time are a cycle.
    """
    changes = np.zeros(design.nets, dtype=np.uint64)
    ones = np.zeros(len(design.watched), dtype=np.uint64)
    ctypes.CDLL(str(library)).rowforge_activity_read(
        ctypes.c_void_p(changes.ctypes.data), ctypes.c_void_p(ones.ctypes.data)
    )
    counts: Counter[Bit] = Counter()
    counts.update({("net", net): int(count) for net, count in enumerate(changes) if count})
    high: Counter[Bit] = Counter()
    high.update({("net", net): int(t) for net, t in zip(design.watched, ones, strict=True)})
    return Toggles(_bits(design, netlist), counts, high, span=2 * cycles)


def _bits(design: GateDesign, netlist: Netlist) -> dict[tuple[str, str], Bit]:
    """The net at each pin, by what the netlist calls it."""
    found: dict[tuple[str, str], Bit] = {}
    for path, module in netlist.instances():
        for cell in netlist.modules[module]:
            nets = design.pins.get(f"{path}.{cell.name}" if path else cell.name, {})
            for pin, net in nets.items():
                if net >= 0 and pin in cell.pins:
                    found[path, net_text(cell.pins[pin])] = "net", net
    return found

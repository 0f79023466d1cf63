"""Energy of a replayed netlist, instance by instance: toggles of nets times what liberty files say.

A change of a net costs the internal energy of the pin that drives it and half of C·V², with the
pins that hang on the net as its capacitance: wires are not known. Internal energy is that of the
process's table at the net's load and a fixed slope, the mean of all conditions and of both edges.
Changes are those of a simulation without delays, which has no glitches. Pins of the design's own
clock spend energy at every edge, whatever the flip-flop does; those of gated clocks only where the
clock is open, which is work like any other.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from hw.asic.netlist.liberty import LibertyGroup, Library
from hw.asic.netlist.netlist import CellInstance, Netlist
from hw.asic.netlist.toggles import Bit, Toggles, net_text

_SLOPE = 0.05  # ns of every transition


@dataclass
class SpentEnergy:
    """Joules of an instance.

    Attributes
    ----------
    internal : in cells, at pins of gated clocks, too
    switching : to charge pins
    clock : at pins of the design's own clock
    leakage : by leaking
    accesses : of memory macros
    """

    internal: float = 0.0
    switching: float = 0.0
    clock: float = 0.0
    leakage: float = 0.0
    accesses: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.internal + self.switching + self.clock + self.leakage + self.accesses

    @property
    def idle(self) -> float:
        """What is spent without any data: clock and leakage."""
        return self.clock + self.leakage

    def add(self, other: "SpentEnergy") -> None:
        """Count another instance in."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


def spent_energy(
    netlist: Netlist, libraries: Sequence[Library], toggles: Toggles, *, seconds: float
) -> dict[str, SpentEnergy]:
    """Energy by path of the module that a cell is in.

    Parameters
    ----------
    netlist : Netlist
    libraries : sequence of Library
        Of one corner: standard cells and macros.
    toggles : Toggles
        Of a replay.
    seconds : float
        Its length at the clock that leakage is counted for.
    """
    return _Accountant(netlist, libraries, toggles, seconds).spent()


class _Accountant:
    """One pass for the load of each net, and one for what is spent."""

    def __init__(
        self, netlist: Netlist, libraries: Sequence[Library], toggles: Toggles, seconds: float
    ):
        self._netlist = netlist
        self._libraries = {cell: library for library in libraries for cell in library.cells}
        self._toggles = toggles
        self._seconds = seconds
        self._pins_of: dict[str, dict[str, LibertyGroup]] = {}
        self._energies: dict[tuple[str, str, float], float] = {}

    def spent(self) -> dict[str, SpentEnergy]:
        loads: Counter[Bit] = Counter()
        for path, cell in self._leaves():
            for pin, group in self._pins(cell.kind).items():
                bit = self._bit(path, cell, pin)
                if bit is not None and group.values.get("direction") == "input":
                    loads[bit] += float(group.values.get("capacitance", 0.0))  # type: ignore[assignment]
        found: dict[str, SpentEnergy] = defaultdict(SpentEnergy)
        for path, cell in self._leaves():
            found[path].add(self._cell(path, cell, loads))
        return dict(found)

    def _leaves(self) -> Iterator[tuple[str, CellInstance]]:
        for path, module in self._netlist.instances():
            for cell in self._netlist.modules[module]:
                if cell.kind not in self._netlist.modules:
                    yield path, cell

    def _pins(self, kind: str) -> dict[str, LibertyGroup]:
        if kind not in self._pins_of:
            groups = self._libraries[kind].cells[kind].of("pin")
            self._pins_of[kind] = {group.arguments[0]: group for group in groups}
        return self._pins_of[kind]

    def _bit(self, path: str, cell: CellInstance, pin: str) -> Bit | None:
        return self._toggles.bits.get((path, net_text(cell.pins.get(pin, ""))))

    def _cell(self, path: str, cell: CellInstance, loads: Counter[Bit]) -> SpentEnergy:
        library = self._libraries[cell.kind]
        spent = SpentEnergy(leakage=library.leakage(cell.kind) * self._seconds)
        group = library.cells[cell.kind]
        if any(group.of("memory")):
            spent.accesses = self._accesses(path, cell, library)
            return spent
        clocks = _clock_pins(group)
        for pin, about in self._pins(cell.kind).items():
            bit = self._bit(path, cell, pin)
            if bit is None:
                continue
            changes, load = self._toggles.counts[bit], round(loads[bit], 4)
            if about.values.get("direction") == "output":
                spent.internal += changes * self._internal(cell.kind, pin, load)
                volts = library.volts
                capacity = load * library.capacitance_unit
                spent.switching += changes * 0.5 * capacity * volts * volts
            elif pin in clocks and self._always(bit):
                spent.clock += changes * self._internal(cell.kind, pin, 0.0)
            else:
                spent.internal += changes * self._internal(cell.kind, pin, 0.0)
        return spent

    def _always(self, bit: Bit) -> bool:
        """Whether a net rises and falls in every cycle, as only a clock does."""
        return self._toggles.counts[bit] * self._toggles.period >= 2 * (self._toggles.span - 2)

    def _accesses(self, path: str, cell: CellInstance, library: Library) -> float:
        """Joules of a macro's reads and writes, as IHP's files state them at the clock pin."""
        spent = 0.0
        for pin, group in self._pins(cell.kind).items():
            if not pin.endswith("_CLK"):
                continue
            port = pin.removesuffix("CLK")
            for enable, other in (("REN", "WEN"), ("WEN", "REN")):
                bit = self._bit(path, cell, f"{port}{enable}")
                if bit is None:
                    continue
                wanted = {f"{port}MEN", f"{port}{enable}", f"!{port}{other}"}
                edges = self._toggles.ones[bit] / self._toggles.period
                spent += edges * library.energy_unit * _power_when(group, wanted)
        return spent

    def _internal(self, kind: str, pin: str, load: float) -> float:
        """Joules of one change of a pin."""
        key = kind, pin, load
        if key not in self._energies:
            self._energies[key] = self._looked_up(*key)
        return self._energies[key]

    def _looked_up(self, kind: str, pin: str, load: float) -> float:
        library = self._libraries[kind]
        edges: dict[str, list[float]] = {"rise_power": [], "fall_power": []}
        for power in self._pins(kind)[pin].of("internal_power"):
            for table in power.of(*edges):
                edges[table.kind].append(table_value(library, table, load))
        means = [sum(values) / len(values) if values else 0.0 for values in edges.values()]
        return sum(means) / 2 * library.energy_unit


def _clock_pins(cell: LibertyGroup) -> set[str]:
    return {
        pin.arguments[0]
        for pin in cell.of("pin")
        if "true" in (pin.values.get("clock"), pin.values.get("clock_gate_clock_pin"))
    }


def _power_when(pin: LibertyGroup, wanted: set[str]) -> float:
    """The energy of a rising edge in a state that is a conjunction of pins."""
    for power in pin.of("internal_power"):
        if set(power.values.get("when", "").replace(" ", "").split("&")) == wanted:
            return float(next(power.of("rise_power")).lists["values"][0])
    return 0.0


def table_value(library: Library, table: LibertyGroup, load: float) -> float:
    """A table of power at a load, in the library's unit; linear between its points."""
    values = [float(x) for row in table.lists["values"] for x in row.replace(",", " ").split()]
    if len(values) == 1:
        return values[0]
    template = library.templates.get(table.arguments[0] if table.arguments else "")
    variables = template.values if template is not None else {}
    axes: list[list[float]] = []
    for number in (1, 2):
        name = f"index_{number}"
        given = table.lists.get(name) or (template.lists.get(name) if template else None)
        axes.append([float(x) for x in given[0].replace(",", " ").split()] if given else [0.0])

    def at(number: int) -> float:
        return load if "capacitance" in variables.get(f"variable_{number}", "") else _SLOPE

    across = len(axes[1])
    return sum(
        one * two * values[first * across + second]
        for first, one in _weights(axes[0], at(1))
        for second, two in _weights(axes[1], at(2))
    )


def _weights(axis: Sequence[float], x: float) -> list[tuple[int, float]]:
    """The points beside x with their shares; the ends hold beyond them."""
    x = min(max(x, axis[0]), axis[-1])
    for place in range(len(axis) - 1):
        if x <= axis[place + 1]:
            share = (x - axis[place]) / (axis[place + 1] - axis[place])
            return [(place, 1 - share), (place + 1, share)]
    return [(0, 1.0)]

"""A netlist of standard cells as gates, flip-flops, clock gates and memories: `gate_design`."""

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hw.arch.errors import RowforgeError
from hw.asic.macros.macro import Macro, MacroPort
from hw.asic.netlist.liberty import LibertyGroup, Library
from hw.asic.netlist.netlist import Netlist
from hw.asic.process import Process
from hw.emit.yosys import run_yosys
from sim.netlist.gates.functions import MOST_INPUTS, names_in, truth_table

LOW, HIGH, CLOCK = 0, 1, 2
"""Nets that every design has: the constants and the clock."""
NONE = -1

_INPUTS = ("rst", "cmd__valid", "cmd__payload", "result__ready")
_OUTPUTS = ("cmd__ready", "result__valid", "result__payload")


@dataclass(frozen=True)
class Gate:
    """A net as a table of up to `MOST_INPUTS` others."""

    output: int
    inputs: tuple[int, ...]
    table: int


@dataclass(frozen=True)
class Flop:
    """A flip-flop: the net that it takes, and those that it gives, or `NONE`."""

    next: int
    output: int
    inverse: int


@dataclass
class Domain:
    """Flip-flops of one clock; of a gated one `enable` is the net that opens it, else `NONE`."""

    enable: int
    clock: int
    flops: list[Flop] = field(default_factory=list)


@dataclass(frozen=True)
class MemoryNets:
    """A port of a memory macro, its mask for each bit; output bits that nobody reads are `NONE`."""

    active: int
    write: int
    read: int
    address: tuple[int, ...]
    data: tuple[int, ...]
    mask: tuple[int, ...]
    output: tuple[int, ...]


@dataclass(frozen=True)
class Memory:
    """A memory macro in the netlist, with all its ports."""

    macro: Macro
    ports: tuple[MemoryNets, ...]


@dataclass
class GateDesign:
    """A netlist as its simulation wants it.

    Attributes
    ----------
    nets : how many there are; nets are numbers
    ports : nets of the inputs and outputs of an accelerator core, by name
    gates : each after those that it reads
    domains : the clock's first
    memories : all macros
    watched : nets whose time at 1 is counted
    pins : the net of each pin of a leaf cell, by the cell's path with its name, and the pin
    """

    nets: int = 3
    ports: dict[str, list[int]] = field(default_factory=dict)
    gates: list[Gate] = field(default_factory=list)
    domains: list[Domain] = field(default_factory=list)
    memories: list[Memory] = field(default_factory=list)
    watched: list[int] = field(default_factory=list)
    pins: dict[str, dict[str, int]] = field(default_factory=dict)

    def numbers(self) -> list[int]:
        """All of it in the order in which `engine/gates.h` reads it."""
        found = [self.nets]
        for name in (*_INPUTS, *_OUTPUTS):
            found += _listed(self.ports[name])
        found += _listed(self.watched)
        found.append(len(self.gates))
        for gate in self.gates:
            padding = (LOW,) * (MOST_INPUTS - len(gate.inputs))
            found += [gate.output, *gate.inputs, *padding, gate.table]
        found.append(len(self.domains))
        for domain in self.domains:
            found += [domain.enable, domain.clock, len(domain.flops)]
            for flop in domain.flops:
                found += [flop.next, flop.output, flop.inverse]
        found.append(len(self.memories))
        for memory in self.memories:
            macro = memory.macro
            found += [macro.depth, macro.width, not macro.holds, len(memory.ports)]
            for port in memory.ports:
                found += [port.active, port.write, port.read]
                for nets in (port.address, port.data, port.mask, port.output):
                    found += _listed(nets)
        return found


def gate_design(netlist: Netlist, process: Process, library: Library) -> GateDesign:
    """A netlist of an accelerator core, flattened.

    Parameters
    ----------
    netlist : Netlist
    process : Process
        Of its macros and its clock gate.
    library : Library
        Functions of the standard cells.

    Raises `RowforgeError` for what is not simulated: cells without a function, clocks that are
    neither the core's nor those of clock gates on it, resets that are not tied off, latches,
    combinational loops.
    """
    return _Elaboration(_flattened(netlist), process, library).design()


def _listed(nets: Sequence[int]) -> list[int]:
    return [len(nets), *nets]


def _flattened(netlist: Netlist) -> dict[str, Any]:
    """The netlist as one module of yosys' JSON; its cells have their paths as names."""
    with tempfile.TemporaryDirectory(prefix="rowforge-") as name:
        folder = Path(name)
        (folder / "netlist.v").write_text(netlist.verilog)
        script = f"""
            read_verilog netlist.v
            hierarchy -top {netlist.top}
            flatten -noscopeinfo
            write_json netlist.json
        """
        run_yosys(script, folder)
        module: dict[str, Any] = json.loads((folder / "netlist.json").read_text())["modules"]
        return dict(module[netlist.top])


class _Elaboration:
    """Turns cells into gates, cell by cell, and then finds an order."""

    def __init__(self, module: Mapping[str, Any], process: Process, library: Library):
        assert process.cells is not None
        self._module = module
        self._library = library
        self._gate = process.cells.clock_gate
        self._macros = {macro.name: macro for macro in process.macros}
        self._design = GateDesign()
        (clock,) = module["ports"]["clk"]["bits"]
        self._numbers: dict[int | str, int] = {
            "0": LOW,
            "1": HIGH,
            "x": LOW,
            "z": LOW,
            clock: CLOCK,
        }
        self._tables: dict[tuple[str, str], tuple[list[str], int]] = {}

    def design(self) -> GateDesign:
        design, cells = self._design, self._module["cells"]
        for name in (*_INPUTS, *_OUTPUTS):
            design.ports[name] = [self._net(bit) for bit in self._module["ports"][name]["bits"]]
        design.pins = {
            name: {
                pin: self._net(bits[0]) if len(bits) == 1 else NONE
                for pin, bits in cell["connections"].items()
            }
            for name, cell in cells.items()
        }
        self._clocks()
        for name, cell in cells.items():
            self._cell(name, cell["type"], cell["connections"])
        design.gates = _ordered(design.gates)
        self._check()
        return design

    def _net(self, bit: int | str) -> int:
        if bit not in self._numbers:
            self._numbers[bit] = self._design.nets
            self._design.nets += 1
        return self._numbers[bit]

    def _fresh(self) -> int:
        self._design.nets += 1
        return self._design.nets - 1

    def _clocks(self) -> None:
        """The core's clock, and one for each clock gate."""
        self._design.domains.append(Domain(NONE, CLOCK))
        enable, clock, output = self._gate.pins
        for name, cell in self._module["cells"].items():
            if cell["type"] == self._gate.cell:
                pins = self._design.pins[name]
                if pins[clock] != CLOCK:
                    raise RowforgeError(f"clock gate {name} must be on the core's clock")
                self._design.domains.append(Domain(pins[enable], pins[output]))

    @cached_property
    def _domains(self) -> dict[int, Domain]:
        return {domain.clock: domain for domain in self._design.domains}

    def _cell(self, name: str, kind: str, connections: Mapping[str, Sequence[int | str]]) -> None:
        if kind == self._gate.cell:
            return
        if kind in self._macros:
            self._macro(self._macros[kind], connections)
            return
        if kind not in self._library.cells:
            raise RowforgeError(f"cell {name} must be of the liberty file, not {kind}")
        group, pins = self._library.cells[kind], self._design.pins[name]
        state = next(group.of("ff"), None)
        if state is not None:
            self._flop(name, kind, state, pins)
            return
        if next(group.of("latch", "statetable"), None) is not None:
            raise RowforgeError(f"cell {name} is a latch, {kind}, which is not simulated")
        for pin, function in _functions(group):
            if pin in pins:
                inputs, table = self._table(kind, function)
                self._design.gates.append(
                    Gate(pins[pin], tuple(pins[name] for name in inputs), table)
                )

    def _table(self, kind: str, function: str) -> tuple[list[str], int]:
        key = kind, function
        if key not in self._tables:
            names = names_in(function)
            self._tables[key] = names, truth_table(function, names)
        return self._tables[key]

    def _flop(self, name: str, kind: str, state: LibertyGroup, pins: Mapping[str, int]) -> None:
        clock = state.values.get("clocked_on", "").strip("() ")
        if pins.get(clock) not in self._domains:
            raise RowforgeError(f"flip-flop {name} must have the core's clock or a gated one")
        true, false = state.arguments[:2]
        outputs = {function.strip("() "): pins.get(pin) for pin, function in self._given(kind)}
        flop = Flop(
            self._function(kind, state.values["next_state"], pins),
            _or_none(outputs.get(true)),
            _or_none(outputs.get(false)),
        )
        self._domains[pins[clock]].flops.append(flop)
        for reset in ("clear", "preset"):
            if reset in state.values:
                self._off.append((name, self._function(kind, state.values[reset], pins)))

    @cached_property
    def _off(self) -> list[tuple[str, int]]:
        """Cells, and nets of theirs that must be constantly 0."""
        return []

    def _given(self, kind: str) -> Iterator[tuple[str, str]]:
        yield from _functions(self._library.cells[kind])

    def _function(self, kind: str, function: str, pins: Mapping[str, int]) -> int:
        """The net with the value of a function of pins."""
        names, table = self._table(kind, function)
        if len(names) == 1 and table == 0b10:
            return pins[names[0]]
        found = self._fresh()
        self._design.gates.append(Gate(found, tuple(pins[name] for name in names), table))
        return found

    def _macro(self, macro: Macro, connections: Mapping[str, Sequence[int | str]]) -> None:
        def nets(pin: str) -> tuple[int, ...]:
            return tuple(self._net(bit) for bit in connections.get(pin, ()))

        def level(pin: str) -> int:
            """The net of a control pin; `!` before its name: active low; none: never."""
            if pin in ("0", "1"):
                return int(pin)
            (net,) = nets(pin.removeprefix("!"))
            if not pin.startswith("!"):
                return net
            found = self._fresh()
            self._design.gates.append(Gate(found, (net,), 0b01))
            return found

        def port(about: MacroPort) -> MemoryNets:
            masks = nets(about.mask) if about.mask else ()
            self._design.watched += [net for pin in about.controls for net in nets(pin)]
            return MemoryNets(
                level(about.active),
                level(about.write),
                level(about.read),
                nets(about.address),
                nets(about.data) if about.data else (),
                tuple(net for net in masks for _ in range(macro.mask_bits)),
                nets(about.output),
            )

        for about in macro.ports:
            if nets(about.clock) != (CLOCK,):
                raise RowforgeError(f"memory {macro.name} must be on the core's clock")
        for pin in macro.tied_off:
            self._off.append((macro.name, nets(pin)[0]))
        self._design.memories.append(Memory(macro, tuple(map(port, macro.ports))))

    def _check(self) -> None:
        """Resets and self-tests are tied off by constants, through whatever gates."""
        constants = {LOW: 0, HIGH: 1}
        for gate in self._design.gates:
            if all(net in constants for net in gate.inputs):
                index = sum(constants[net] << place for place, net in enumerate(gate.inputs))
                constants[gate.output] = gate.table >> index & 1
        for name, net in self._off:
            if constants.get(net) != 0:
                raise RowforgeError(f"a reset or self-test of {name} must be tied off")


def _functions(group: LibertyGroup) -> Iterator[tuple[str, str]]:
    """Output pins of a cell with their functions."""
    for pin in group.of("pin"):
        if pin.values.get("direction") == "output" and "function" in pin.values:
            yield pin.arguments[0], pin.values["function"]


def _or_none(net: int | None) -> int:
    return NONE if net is None else net


def _ordered(gates: Sequence[Gate]) -> list[Gate]:
    """The gates, each after those that it reads; `RowforgeError` if they form a loop."""
    by_output = {gate.output: number for number, gate in enumerate(gates)}
    readers: list[list[int]] = [[] for _ in gates]
    waiting = [0] * len(gates)
    for number, gate in enumerate(gates):
        for net in gate.inputs:
            if (driver := by_output.get(net)) is not None:
                readers[driver].append(number)
                waiting[number] += 1
    ready = [number for number, count in enumerate(waiting) if count == 0]
    for number in ready:
        for reader in readers[number]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                ready.append(reader)
    if len(ready) != len(gates):
        raise RowforgeError("the netlist has a combinational loop")
    return [gates[number] for number in ready]

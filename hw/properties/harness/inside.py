"""A way into a block: its signals, memories and parts by name, for properties alone."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.hdl._dsl import resolve_statements

from hw.base.block import signature_ports
from hw.base.unused import mark_used


class Inside:
    """The contents of a component, elaborated once, so that a property can speak of its registers.

    An invariant that is proven by induction must name what the block remembers. The block stays as
    it is: it gets no ports for that, and its Verilog does not change.

    Parameters
    ----------
    component : Component
        What is looked into. Its ports are the same objects as before.
    """

    def __init__(self, component: Any):
        self.component = component
        self.module: Module = component.elaborate(None)
        mark_used(component)
        self._signals: dict[str, list[Signal]] | None = None

    def signal(self, name: str) -> Signal:
        """The signal of this name, ports apart. Raises `KeyError` unless there is exactly one."""
        if self._signals is None:
            ports = {id(port) for _, port, _ in signature_ports(self.component)}
            self._signals = _signals(self.module, ports)
        found = self._signals.get(name, [])
        if len(found) != 1:
            raise KeyError(f"{type(self.component).__name__} has {len(found)} signals {name!r}")
        return found[0]

    def states(self, name: str = "fsm_state") -> dict[str, int]:
        """The states of an FSM, by the signal that holds its state, and their numbers."""
        signal = self.signal(name)
        found = {}
        for number in range(1 << len(signal)):
            try:
                found[signal.decoder(number).partition("/")[0]] = number
            except KeyError:  # numbers are dealt from 0 on
                break
        return found

    def part(self, name: str) -> "Inside":
        """A submodule, which is elaborated for good."""
        component, location = self.module._named_submodules[name]
        inside = Inside(component)
        self.module._named_submodules[name] = (inside.module, location)
        return inside

    def submodule(self, name: str) -> Any:
        """A submodule as it was placed; a memory takes more read ports until it is elaborated."""
        return self.module._named_submodules[name][0]


def _signals(module: Module, apart: set[int]) -> dict[str, list[Signal]]:
    """Signals that a module's own statements drive or read, by name, without those of these IDs."""
    module._flush()
    found: dict[str, list[Signal]] = {}
    for statements in module._statements.values():
        for statement in resolve_statements(statements):
            for signal in (*statement._lhs_signals(), *statement._rhs_signals()):
                known = found.setdefault(signal.name, [])
                if id(signal) not in apart and all(signal is not other for other in known):
                    known.append(signal)
    return found

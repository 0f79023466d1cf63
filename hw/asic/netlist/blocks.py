"""Area, leakage and flip-flops of a netlist, block by block."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hw.asic.netlist.liberty import Library
from hw.asic.netlist.netlist import CellInstance, Netlist

_OPENED = ("core", "engine", "array")  # instances whose parts are blocks of their own
_NUMBERED = re.compile(r"(_\d+)+$")


@dataclass(frozen=True, kw_only=True)
class BlockArea:
    """A block of a design: all instances of a name, such as the PEs.

    Attributes
    ----------
    name : of the instances, without numbers
    count : of instances
    cells, macros : µm² of standard cells and of macros, of all instances
    bits : flip-flops
    gated : those whose clock is not the module's own
    leakage : watts, macros included
    """

    name: str
    count: int
    cells: float
    macros: float
    bits: int
    gated: int
    leakage: float

    def __add__(self, other: "BlockArea") -> "BlockArea":
        return BlockArea(
            name=self.name,
            count=self.count + other.count,
            cells=self.cells + other.cells,
            macros=self.macros + other.macros,
            bits=self.bits + other.bits,
            gated=self.gated + other.gated,
            leakage=self.leakage + other.leakage,
        )


def block_areas(netlist: Netlist, libraries: Sequence[Library]) -> list[BlockArea]:
    """The blocks, the largest first. What lies between blocks is the block `rest`."""
    modules = _ModuleAreas(netlist, libraries)
    found: dict[str, BlockArea] = {}
    for name, area in _parts(netlist, modules, netlist.top):
        found[name] = found[name] + area if name in found else area
    return sorted(found.values(), key=lambda block: -(block.cells + block.macros))


def total(blocks: Sequence[BlockArea]) -> BlockArea:
    """The sum of all blocks."""
    empty = BlockArea(name="total", count=0, cells=0, macros=0, bits=0, gated=0, leakage=0)
    return sum(blocks, empty)


def _parts(netlist: Netlist, modules: "_ModuleAreas", module: str) -> list[tuple[str, BlockArea]]:
    """Names and areas of what is in a module, itself with the name `rest`."""
    found = [("rest", modules.own("rest", module))]
    for cell in netlist.modules[module]:
        if cell.kind not in netlist.modules:
            continue
        if cell.name in _OPENED:
            found += _parts(netlist, modules, cell.kind)
        else:
            name = _NUMBERED.sub("", cell.name)
            found.append((name, modules.whole(name, cell.kind)))
    return found


class _ModuleAreas:
    """Areas of modules, each computed once."""

    def __init__(self, netlist: Netlist, libraries: Sequence[Library]):
        self._netlist = netlist
        self._cells = {name: library for library in libraries for name in library.cells}
        self._whole: dict[str, BlockArea] = {}

    def own(self, name: str, module: str) -> BlockArea:
        """Of the cells of a module itself."""
        cells = macros = leakage = 0.0
        bits = gated = 0
        for cell in self._netlist.modules[module]:
            if cell.kind in self._netlist.modules:
                continue
            library = self._cells[cell.kind]
            area = library.area(cell.kind)
            leakage += library.leakage(cell.kind)
            group = library.cells[cell.kind]
            if any(group.of("memory")):
                macros += area
                continue
            cells += area
            if (clock := _clock(cell, group.groups)) is not None:
                bits += 1
                gated += clock != "clk"
        return BlockArea(
            name=name,
            count=1,
            cells=cells,
            macros=macros,
            bits=bits,
            gated=gated,
            leakage=leakage,
        )

    def whole(self, name: str, module: str) -> BlockArea:
        """Of a module with all that is in it."""
        if module not in self._whole:
            area = self.own(name, module)
            for cell in self._netlist.modules[module]:
                if cell.kind in self._netlist.modules:
                    area = area + self.whole(cell.name, cell.kind)
            self._whole[module] = area
        return replace(self._whole[module], name=name, count=1)


def _clock(cell: CellInstance, groups: Sequence[object]) -> str | None:
    """The net at the clock of a flip-flop; None for other cells."""
    for group in groups:
        if getattr(group, "kind", "") == "ff":
            found = re.search(r"\w+", getattr(group, "values", {}).get("clocked_on", ""))
            return cell.pins[found[0]] if found else None
    return None

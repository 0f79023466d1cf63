"""Reads what `synth_xilinx` left: resources of a module with all below it, and logic depth."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

Cells = Mapping[str, Any]

_LUTS = {f"LUT{inputs}": 1 for inputs in range(1, 7)} | {"INV": 1}
_LUT_RAMS = {"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "SRL16E": 1, "SRLC32E": 1}
_FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
_HALF_RAMS = {"RAMB36E1": 2, "RAMB18E1": 1}
_DSP = "DSP48E1"

# Levels of a combinational cell on the way of a signal; carries and multiplexers are beside the
# look-up tables of a slice and count nothing.
_COMBINATIONAL = {
    **dict.fromkeys(_LUTS, 1),
    **dict.fromkeys(("RAM32M", "RAM64M", "RAM32X1D", "RAM64X1D"), 1),
    **dict.fromkeys(("CARRY4", "MUXF7", "MUXF8"), 0),
    _DSP: 1,
}
_DSP_REGISTERS = ("AREG", "BREG", "MREG", "PREG")


@dataclass(frozen=True)
class Xc7Resources:
    """Look-up tables (those that are memory included), flip-flops, DSP48, block RAMs of 36 kbit.

    `lut` counts every one that yosys made. Two functions of at most five inputs together fit one
    place of a slice: `lut_paired` is what is left if all that can be so paired are, which no placer
    reaches.
    """

    lut: int
    lut_paired: int
    lut_ram: int
    ff: int
    dsp: int
    block_ram: float

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Depth:
    """The longest way between registers.

    `levels` counts look-up tables, LUT RAMs and DSP48 that compute without registers; `cells` are
    the cells passed, from the first to the last, by type.
    """

    levels: int
    cells: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON; equal neighbours are counted."""
        return {"levels": self.levels, "path": list(_runs(self.cells))}


def _runs(cells: Iterable[str]) -> Iterable[str]:
    before, count = "", 0
    for cell in (*cells, ""):
        if cell == before:
            count += 1
            continue
        if before:
            yield before if count == 1 else f"{count} x {before}"
        before, count = cell, 1


def count_cells(modules: Mapping[str, Any], top: str) -> Counter[str]:
    """Library cells in a module of a hierarchical netlist and in all below it.

    `modules` is that of yosys' JSON.
    """
    known: dict[str, Counter[str]] = {}

    def count(name: str) -> Counter[str]:
        if name not in known:
            total: Counter[str] = Counter()
            for cell in modules[name]["cells"].values():
                kind = cell["type"]
                if kind in modules and not _is_box(modules[kind]):
                    total += count(kind)
                else:
                    total[kind] += 1
            known[name] = total
        return known[name]

    return count(top)


def _is_box(module: Mapping[str, Any]) -> bool:
    return bool({"blackbox", "whitebox"} & set(module.get("attributes", {})))


def resources(cells: Mapping[str, int]) -> Xc7Resources:
    """What cells by type cost."""
    memory = sum(cells.get(kind, 0) * luts for kind, luts in _LUT_RAMS.items())
    return Xc7Resources(
        lut=sum(cells.get(kind, 0) for kind in _LUTS) + memory,
        lut_paired=_paired(cells) + memory,
        lut_ram=memory,
        ff=sum(cells.get(kind, 0) for kind in _FLIP_FLOPS),
        dsp=cells.get(_DSP, 0),
        block_ram=sum(cells.get(kind, 0) * half for kind, half in _HALF_RAMS.items()) / 2,
    )


def _paired(cells: Mapping[str, int]) -> int:
    """Places that the logic takes if small functions share them: 4 + 1, 3 + 2, 2 + 2 inputs."""
    one = sum(cells.get(kind, 0) for kind in ("LUT1", "INV"))
    two, three, four = (cells.get(f"LUT{inputs}", 0) for inputs in (2, 3, 4))
    alone = cells.get("LUT6", 0) + cells.get("LUT5", 0)
    small = max(one - four, 0) + max(two - three, 0)
    return alone + four + three + -(-small // 2)


def module_below(modules: Mapping[str, Any], name: str) -> str:
    """The module called `name`, whatever yosys put before or after the name."""
    found = [module for module in modules if module == name or module.endswith(f"\\{name}")]
    if len(found) != 1:
        raise KeyError(f"netlist has {len(found)} modules {name}")
    return found[0]


# ---- depth -----------------------------------------------------------------------------------


def logic_depth(cells: Cells) -> Depth:
    """The longest way through combinational cells of a flat netlist.

    Levels are those of the netlist as it is: modules synthesised apart keep their borders.
    Raises `ValueError` for a combinational loop.
    """
    drivers: dict[int, str] = {}
    inputs: dict[str, list[int]] = {}
    for name, cell in cells.items():
        if not _is_combinational(cell):
            continue
        directions = cell["port_directions"]
        inputs[name] = []
        for port, bits in cell["connections"].items():
            wires = [bit for bit in bits if isinstance(bit, int)]
            if directions[port] == "output":
                drivers.update(dict.fromkeys(wires, name))
            elif _is_data(cell["type"], port):
                inputs[name] += wires
    depth, before = _longest(cells, drivers, inputs)
    if not depth:
        return Depth(0, ())
    last: str | None = max(depth, key=lambda name: depth[name])
    (levels, _), path = depth[str(last)], []
    while last is not None:
        path.append(cells[last]["type"])
        last = before[last]
    return Depth(levels, tuple(reversed(path)))


def _is_combinational(cell: Mapping[str, Any]) -> bool:
    if cell["type"] != _DSP:
        return cell["type"] in _COMBINATIONAL
    return not any(int(cell["parameters"].get(name, "0"), 2) for name in _DSP_REGISTERS)


def _is_data(kind: str, port: str) -> bool:
    """Whether a port's signal goes through a cell at once: not the write port of a LUT RAM."""
    if kind in _LUT_RAMS:
        return port.startswith(("ADDR", "DPRA"))
    return True


def _longest(
    cells: Cells, drivers: Mapping[int, str], inputs: Mapping[str, list[int]]
) -> tuple[dict[str, tuple[int, int]], dict[str, str | None]]:
    """Levels and cells up to and with each cell, and the cell before it on that way."""
    depth: dict[str, tuple[int, int]] = {}
    before: dict[str, str | None] = {}
    for start in inputs:
        stack, open_ = [start], set()
        while stack:
            name = stack[-1]
            if name in depth:
                stack.pop()
                continue
            sources = {drivers[wire] for wire in inputs[name] if wire in drivers}
            missing = [source for source in sources if source not in depth]
            if missing:
                if name in open_:
                    raise ValueError(f"combinational loop through {name}")
                open_.add(name)
                stack += missing
                continue
            best = max(sources, key=lambda source: depth[source], default=None)
            levels, passed = depth[best] if best else (0, 0)
            depth[name] = (levels + _COMBINATIONAL[cells[name]["type"]], passed + 1)
            before[name] = best
            stack.pop()
    return depth, before

"""Amaranth's RTLIL text made readable: plain names, ordered ports, no leftovers.

Amaranth names a module after its place in the hierarchy (`pe.fifo`), a second signal of one name
`count$5`, a partly used signal at a module's border `port$12$0`, and adds a wire for every field
of a layout (`payload.last`). Verilog must escape such names and many tools stumble over them. This
module rewrites the text before yosys reads it.

The text is Amaranth 0.5's own: one statement a line, every identifier preceded by a backslash and
followed by white space.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from hw.arch.errors import RowforgeError

# Words that Verilog-2005 or SystemVerilog reserves (IEEE 1800-2017, annex B): Verilator and most
# synthesis tools read a `.v` file as SystemVerilog unless told otherwise.
_WORDS = """
    accept_on alias always always_comb always_ff always_latch and assert assign assume automatic
    before begin bind bins binsof bit break buf bufif0 bufif1 byte case casex casez cell chandle
    checker class clocking cmos config const constraint context continue cover covergroup
    coverpoint cross deassign default defparam design disable dist do edge else end endcase
    endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface
    endmodule endpackage endprimitive endprogram endproperty endsequence endspecify endtable
    endtask enum event eventually expect export extends extern final first_match for force foreach
    forever fork forkjoin function generate genvar global highz0 highz1 if iff ifnone ignore_bins
    illegal_bins implements implies import incdir include initial inout input inside instance int
    integer interconnect interface intersect join join_any join_none large let liblist library
    local localparam logic longint macromodule matches medium modport module nand negedge nettype
    new nexttime nmos nor noshowcancelled not notif0 notif1 null or output package packed parameter
    pmos posedge primitive priority program property protected pull0 pull1 pulldown pullup
    pulsestyle_ondetect pulsestyle_onevent pure rand randc randcase randsequence rcmos real
    realtime ref reg reject_on release repeat restrict return rnmos rpmos rtran rtranif0 rtranif1
    s_always s_eventually s_nexttime s_until s_until_with scalared sequence shortint shortreal
    showcancelled signed small soft solve specify specparam static string strong strong0 strong1
    struct super supply0 supply1 sync_accept_on sync_reject_on table tagged task this throughout
    time timeprecision timeunit tran tranif0 tranif1 tri tri0 tri1 triand trior trireg type typedef
    union unique unique0 unsigned until until_with untyped use uwire var vectored virtual void wait
    wait_order wand weak weak0 weak1 while wildcard wire with within wor xnor xor
"""
RESERVED_WORDS = frozenset(_WORDS.split())

_IDENTIFIER = re.compile(r"\\(\S+)")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_FIELD = re.compile(r"[.\[]")  # what follows a signal's name in the name of one of its fields
_CONSTANT = re.compile(r"\d+'([01]+)\Z")
_COMPARISONS = {"$lt": operator.lt, "$le": operator.le, "$gt": operator.gt, "$ge": operator.ge}
_PORT = re.compile(r"( (?:input|output|inout)) \d+ ")
_DROPPED_ATTRIBUTES = re.compile(r"\s*attribute \\(generator|top|src|enum_\w+|amaranth\.\w+) ")


def is_plain(name: str) -> bool:
    """True for a name that Verilog takes without escaping."""
    return _PLAIN.match(name) is not None and name not in RESERVED_WORDS


class Names:
    """Hands out distinct plain names, the same for the same order of requests."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)

    def take(self, wish: str) -> str:
        """`wish` made plain; with the first free suffix `_1`, `_2`, … where it is taken."""
        base = re.sub(r"\$\d+$", "", wish).replace(".", "__")
        base = re.sub(r"[^A-Za-z0-9_]+", "_", base)
        if not is_plain(base):
            base = f"{base}_" if base in RESERVED_WORDS else f"n_{base}"
        name, number = base, 0
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name


@dataclass
class _Module:
    """One module of the text: its name and its body, a list of lines."""

    name: str
    lines: list[str] = field(default_factory=list)
    renames: dict[str, str] = field(default_factory=dict)


def rewrite(
    text: str, ports: Sequence[str], name_module: Callable[[str], str], *, keep_init: bool
) -> str:
    """The text of one conversion with plain names.

    Parameters
    ----------
    text : str
        What `amaranth.back.rtlil` wrote; the first module is the block, the others its submodules.
    ports : sequence of str
        Ports of the block in their final order. These names are kept.
    name_module : callable
        Gives a module of the text its final name.
    keep_init : bool
        Whether registers keep their initial values.
    """
    modules = _split(text)
    final = {module.name: name_module(module.name) for module in modules}
    for module in modules:
        _drop_leftovers(module, keep_init)
        _drop_memory_contents(module)
        _widen_shifts(module)
        _fold_comparisons(module)
        _take_empty_cases(module)
        module.renames = _plan_renames(module, kept=ports if module is modules[0] else ())
    by_name = {module.name: module for module in modules}
    written = []
    for module in modules:
        body = _ordered(_renamed(module, by_name, final), ports if module is modules[0] else None)
        written.append(f"module \\{final[module.name]}\n{''.join(body)}end\n")
    return "".join(written)


def _split(text: str) -> list[_Module]:
    """The modules of a text; blank lines vanish."""
    modules: list[_Module] = []
    for line in text.splitlines(keepends=True):
        if line.startswith("module "):
            modules.append(_Module(line.split()[1][1:]))
        elif line.strip() and line != "end\n" and not line.startswith("attribute"):
            modules[-1].lines.append(line)
    return modules


def _take_empty_cases(module: _Module) -> None:
    """A switch over no bits has one case, which matches; as yosys drops it, make it the default."""
    module.lines = [re.sub(r"^( *case) 0'$", r"\1", line) for line in module.lines]


def _declared(line: str) -> str | None:
    """The name that a wire, memory or cell statement declares, if it is a public one."""
    words = line.split()
    if line.startswith("  ") and words[0] in ("wire", "memory", "cell") and words[-1][0] == "\\":
        return words[-1][1:]
    return None


def _drop_leftovers(module: _Module, keep_init: bool) -> None:
    """Remove what nobody needs: attributes that only Amaranth reads, initial values of wires that
    are no register, wires without bits, and wires that repeat the fields of a layout."""
    wires = {name for line in module.lines if (name := _declared(line)) is not None}
    dropped = {name for name in wires if _FIELD.search(name) and _FIELD.split(name)[0] in wires}
    dropped |= {line.split()[-1][1:] for line in module.lines if line.startswith("  wire width 0 ")}
    module.lines = [_one_bit(line) for line in module.lines]
    registers = {line.split()[2] for line in module.lines if line.startswith("    connect \\Q ")}
    kept: list[str] = []
    attributes: list[str] = []
    for line in module.lines:
        if line.startswith("  attribute "):
            if not _DROPPED_ATTRIBUTES.match(line):
                attributes.append(line)
            continue
        words = line.split()
        is_wire = words[0] == "wire"
        if (is_wire and _declared(line) in dropped) or (
            line.startswith("connect ") and words[1][1:] in dropped
        ):
            attributes = []
            continue
        drop_init = is_wire and not (keep_init and words[-1] in registers)
        kept += [item for item in attributes if not (drop_init and "\\init " in item)]
        kept.append(line)
        attributes = []
    module.lines = kept


def _one_bit(line: str) -> str:
    """A constant operand without bits, Amaranth's zero, as one bit: Verilog has none of width 0."""
    if line.startswith("    parameter ") and line.endswith("_WIDTH 0\n"):
        return line[:-2] + "1\n"
    return f"{line[:-5]}1'0\n" if re.match(r"    connect \\[AB] \{  \}\n", line) else line


def _drop_memory_contents(module: _Module) -> None:
    """Remove the zeros that Amaranth writes as initial contents of every writable memory.

    With them no tool infers a memory that has none (an SRAM macro, an iCE40 SPRAM). A memory
    without a write port is a ROM and keeps its contents.
    """
    cells = [(start, stop, module.lines[start:stop]) for start, stop in _cells(module.lines)]
    writable = {_memory_of(cell) for _, _, cell in cells if "$memwr_v2 " in cell[0]}
    for start, stop, cell in reversed(cells):
        memory = _memory_of(cell)
        if "$meminit_v2 " not in cell[0] or memory not in writable:
            continue
        contents = next(line for line in cell if line.startswith("    connect \\DATA "))
        if "1" in contents.split("'")[-1]:
            raise RowforgeError(
                f"memory {memory} in {module.name} must be empty at the start: it can be written"
            )
        del module.lines[start:stop]


def _widen_shifts(module: _Module) -> None:
    """Give right shifts a result as wide as their operand, and take its low bits.

    Amaranth's variable slices shift a wide operand into a narrow result; in Verilog that would be
    an assignment that drops bits in silence, which lint rightly reports.
    """
    for start, stop in reversed(list(_cells(module.lines))):
        cell = module.lines[start:stop]
        if cell[0].split()[1] not in ("$shr", "$sshr", "$shift", "$shiftx"):
            continue
        width = {line.split()[1]: int(line.split()[2]) for line in cell if "_WIDTH " in line}
        operand, result = width["\\A_WIDTH"], width["\\Y_WIDTH"]
        if result >= operand:
            continue
        wide = f"$wide${start}"
        for index, line in enumerate(cell):
            if line.startswith("    parameter \\Y_WIDTH "):
                cell[index] = f"    parameter \\Y_WIDTH {operand}\n"
            elif line.startswith("    connect \\Y "):
                module.lines.append(
                    f"connect {line.split(None, 2)[2].strip()} {wide} [{result - 1}:0]\n"
                )
                cell[index] = f"    connect \\Y {wide}\n"
        module.lines[start:stop] = [f"  wire width {operand} {wide}\n", *cell]


def _fold_comparisons(module: _Module) -> None:
    """Replace unsigned comparisons with a constant beyond the operand's range by their outcome.

    Generic gateware compares counters with bounds that some parameters make trivial.
    """
    for start, stop in reversed(list(_cells(module.lines))):
        cell = module.lines[start:stop]
        kind = cell[0].split()[1]
        if kind not in _COMPARISONS or "    parameter \\A_SIGNED 0\n" not in cell:
            continue
        given = {line.split()[1]: line.split(None, 2)[2].strip() for line in cell[1:-1]}
        (low_a, high_a), (low_b, high_b) = (
            _range(given[f"\\{operand}"], int(given[f"\\{operand}_WIDTH"])) for operand in "AB"
        )
        compare = _COMPARISONS[kind]
        outcomes = {compare(a, b) for a in (low_a, high_a) for b in (low_b, high_b)}
        if len(outcomes) == 1:
            width = int(given["\\Y_WIDTH"])
            result, outcome = given["\\Y"], int(outcomes.pop())
            module.lines.append(f"connect {result} {width}'{outcome:0{width}b}\n")
            del module.lines[start:stop]


def _range(sigspec: str, width: int) -> tuple[int, int]:
    """Least and greatest unsigned value that a constant or any other operand takes."""
    constant = _CONSTANT.match(sigspec)
    return (int(constant[1], 2),) * 2 if constant else (0, 2**width - 1)


def _cells(lines: list[str]) -> Iterator[tuple[int, int]]:
    """First line and end of each cell statement of a module."""
    start = 0
    for index, line in enumerate(lines):
        if line.startswith("  cell "):
            start = index
        elif line == "  end\n" and lines[start].startswith("  cell "):
            yield start, index + 1
            start = index


def _memory_of(cell: list[str]) -> str:
    """Name of the memory that a memory cell belongs to; empty for any other cell."""
    for line in cell:
        if line.startswith("    parameter \\MEMID "):
            return line.split('"')[1].removeprefix("\\\\")
    return ""


def _plan_renames(module: _Module, kept: Iterable[str]) -> dict[str, str]:
    """New names for all declared objects of a module whose own are not plain."""
    declared = [name for line in module.lines if (name := _declared(line)) is not None]
    names = Names({name for name in declared if is_plain(name)} | set(kept))
    kept = set(kept)
    return {name: names.take(name) for name in declared if not is_plain(name) and name not in kept}


def _renamed(
    module: _Module, by_name: Mapping[str, _Module], final: Mapping[str, str]
) -> list[str]:
    """The lines of a module with new names, those of its submodules and their ports included."""

    def plain(text: str) -> str:
        return _IDENTIFIER.sub(lambda m: "\\" + module.renames.get(m[1], m[1]), text)

    lines = []
    inside: _Module | None = None  # the submodule whose cell is being read
    for line in module.lines:
        words = line.split()
        if words[0] == "cell":
            kind = words[1]
            inside = by_name.get(kind[1:]) if kind[0] == "\\" else None
            kind = f"\\{final[inside.name]}" if inside else kind
            line = f"  cell {kind} {plain(words[2])}\n"
        elif line.startswith("    connect "):
            _, port, value = line.split(None, 2)
            port = inside.renames.get(port[1:], port[1:]) if inside else port[1:]
            line = f"    connect \\{port} {plain(value)}"
        elif words[0] == "parameter":
            if words[1] == "\\MEMID":
                memory = line.split('"')[1].removeprefix("\\\\")
                line = f'    parameter \\MEMID "\\\\{module.renames.get(memory, memory)}"\n'
        elif words[0] != "attribute":
            line = plain(line)
        lines.append(line)
    return lines


def _ordered(lines: list[str], ports: Sequence[str] | None) -> list[str]:
    """Ports numbered from one (yosys puts number 0 last), in the given order or their own."""
    declared = [_declared(line) or "" for line in lines if _PORT.search(line)]
    number = {name: index for index, name in enumerate(ports or declared, start=1)}
    for index, line in enumerate(lines):
        name = _declared(line)
        if name in number and line.startswith("  wire "):
            lines[index] = _PORT.sub(rf"\1 {number[name]} ", line)
    return lines

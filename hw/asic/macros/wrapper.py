"""Verilog of a memory that is composed of macros, with the ports of the memories of `hw.base`."""

from hw.asic.macros.composition import Composition
from hw.asic.macros.macro import Signals, zeros
from hw.base.geometry import MemoryGeometry


def header(geometry: MemoryGeometry, module: str) -> str:
    """The module's head: the ports that gateware sees; see `hw.base.memory`."""
    word, address = f"[{geometry.width - 1}:0]", f"[{geometry.address_bits - 1}:0]"
    lanes = "" if geometry.lanes == 1 else f"[{geometry.lanes - 1}:0] "
    if geometry.ports == "1rw":
        ports = [
            *("input  wire clk", "input  wire en", f"input  wire {lanes}we"),
            *(f"input  wire {address} addr", f"input  wire {word} wdata"),
            f"output wire {word} rdata",
        ]
    else:
        ports = [
            *("input  wire clk", f"input  wire {lanes}wr_en", f"input  wire {address} wr_addr"),
            *(f"input  wire {word} wr_data", "input  wire rd_en"),
            *(f"input  wire {address} rd_addr", f"output wire {word} rd_data"),
        ]
    return f"module {module} (\n  " + ",\n  ".join(ports) + "\n);\n"


def wrapper(composition: Composition, module: str) -> str:
    """The memory's module."""
    geometry, rows = composition.geometry, composition.rows
    single = geometry.ports == "1rw"
    lines = _common_names(geometry)
    for row in range(rows):
        lines += [f"  wire [{geometry.width - 1}:0] from_{row};"]
    if rows > 1:
        lines += _selection(composition)
    for row in range(rows):
        for column, (start, width) in enumerate(composition.slices):
            lines += _instance(composition, row, column, start, width)
    lines += _result(composition, "rdata" if single else "rd_data")
    return header(geometry, module) + "\n".join(lines) + "\nendmodule\n"


def _common_names(geometry: MemoryGeometry) -> list[str]:
    """One set of names for both kinds of ports, and the mask of the word's bits."""
    if geometry.ports == "1rw":
        enables, write, read = "we", "en && (|we)", "en && !(|we)"
        places, data = ("addr", "addr"), "wdata"
    else:
        enables, write, read = "wr_en", "|wr_en", "rd_en"
        places, data = ("wr_addr", "rd_addr"), "wr_data"
    if geometry.lanes == 1:
        mask = f"{{{geometry.width}{{{enables}}}}}"
    else:
        lanes = (f"{{{geometry.lane_width}{{{enables}[{i}]}}}}" for i in range(geometry.lanes))
        mask = f"{{{', '.join(reversed(list(lanes)))}}}"
    last = geometry.address_bits - 1
    return [
        f"  wire writes = {write};",
        f"  wire reads = {read};",
        f"  wire [{last}:0] write_place = {places[0]};",
        f"  wire [{last}:0] read_place = {places[1]};",
        f"  wire [{geometry.width - 1}:0] data = {data};",
        f"  wire [{geometry.width - 1}:0] mask = {mask};",
    ]


def _selection(composition: Composition) -> list[str]:
    """Which row an address means, and which was read last."""
    last, low = composition.geometry.address_bits - 1, composition.macro.address_bits
    bits = last - low + 1
    return [
        f"  wire [{bits - 1}:0] write_row = write_place[{last}:{low}];",
        f"  wire [{bits - 1}:0] read_row = read_place[{last}:{low}];",
        f"  reg [{bits - 1}:0] shown;",
        "  always @(posedge clk)",
        "    if (reads)",
        "      shown <= read_row;",
    ]


def _instance(c: Composition, row: int, column: int, start: int, width: int) -> list[str]:
    """A macro on its slice of the word; bits that it has too many stay zero."""
    macro, place = c.macro, f"{row}_{column}"
    bits = c.geometry.address_bits - (c.rows > 1) * (c.geometry.address_bits - macro.address_bits)
    select = "" if c.rows == 1 else f" && {{side}}_row == {_constant(c, row)}"

    def wide(name: str) -> str:
        part = f"{name}[{start + width - 1}:{start}]"
        spare = macro.width - width
        return part if spare == 0 else f"{{{zeros(spare)}, {part}}}"

    def address(name: str) -> str:
        spare = macro.address_bits - bits
        part = name if c.rows == 1 else f"{name}[{bits - 1}:0]"
        return part if spare == 0 else f"{{{zeros(spare)}, {part}}}"

    lines = [
        f"  wire [{macro.width - 1}:0] data_{place} = {wide('data')};",
        f"  wire [{macro.width - 1}:0] mask_{place} = {wide('mask')};",
        f"  wire [{macro.width - 1}:0] read_{place};",
        f"  wire [{macro.width - 1}:0] unused_{place};",
        f"  assign from_{row}[{start + width - 1}:{start}] = read_{place}[{width - 1}:0];",
    ]
    # The mask of a slice is empty if only lanes elsewhere in the word are written.
    written = f"writes && (|mask_{place})" if c.geometry.lanes > 1 else "writes"
    pins = macro.connections(
        c.geometry.ports,
        Signals(
            write=written + select.format(side="write"),
            write_address=address("write_place"),
            data=f"data_{place}",
            mask=f"mask_{place}",
            read="reads" + select.format(side="read"),
            read_address=address("read_place"),
            result=f"read_{place}",
            unused=f"unused_{place}",
        ),
    )
    lines.append(f"  {macro.name} ram_{place} (")
    lines.append(",\n".join(f"    .{pin}({value})" for pin, value in pins.items()))
    return [*lines, "  );"]


def _constant(c: Composition, row: int) -> str:
    bits = c.geometry.address_bits - c.macro.address_bits
    return f"{bits}'d{row}"


def _result(c: Composition, output: str) -> list[str]:
    """What was read, from the row it was read from, held until the next read."""
    word = f"[{c.geometry.width - 1}:0]"
    chosen = f"from_{c.rows - 1}"
    for row in reversed(range(c.rows - 1)):
        chosen = f"(shown == {_constant(c, row)} ? from_{row} : {chosen})"
    if c.macro.holds:
        return [f"  assign {output} = {chosen};"]
    return [
        "  reg fresh;",
        f"  reg {word} held;",
        f"  wire {word} chosen = {chosen};",
        "  always @(posedge clk) begin",
        "    fresh <= reads;",
        "    if (fresh)",
        "      held <= chosen;",
        "  end",
        f"  assign {output} = fresh ? chosen : held;",
    ]

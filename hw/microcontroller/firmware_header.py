"""The header that tells the firmware's C of configuration, records, numbers and registers."""

from collections.abc import Iterable, Iterator
from enum import IntEnum

from hw.arch.commands import (
    ADDRESS,
    BASES,
    BEGIN,
    CHANNEL,
    COMMAND_SET_VERSION,
    CONSTANTS,
    HEADER,
    INDEX,
    LOOP,
    LOOPS,
    MAGIC,
    OUTPUT,
    REGION,
    RESULT,
    START,
    VECTOR,
    Opcode,
    ResultBlock,
    Rounding,
    Status,
    VectorOp,
    descriptor_words,
)
from hw.arch.config import Config
from hw.arch.config.identity import identity_words
from hw.arch.counters import COUNTERS
from hw.arch.entries import PARAM, SHIFTS, TABLE
from hw.arch.fields import WORD_BITS, Field, Struct
from hw.arch.patterns import (
    COLUMN,
    COLUMNS,
    PATTERN,
    ROW,
    SEGMENT,
    SLOT,
    col_pattern_words,
    row_pattern_words,
)
from hw.arch.program.layout import psum_capacity
from hw.microcontroller.registers import ACTIVITY, ACTIVITY_BITS, MAP, RAM, REGISTERS, STATUS_BITS

_RECORDS = (
    HEADER,
    INDEX,
    REGION,
    SLOT,
    SEGMENT,
    PATTERN,
    COLUMN,
    COLUMNS,
    CONSTANTS,
    BASES,
    LOOP,
    START,
    VECTOR,
)
_SIGNED, _GAP, _WIDTH = 1 << 7, 1 << 6, (1 << 6) - 1
_HALF = 32
_UNKNOWN = 255
_TABLE_ENTRIES = 256
_KEYWORDS = {"signed": "is_signed"}

_ACTIVE = COUNTERS.offsets["pe_active_cycles"] // WORD_BITS
assert [f.name for f in COUNTERS.fields[_ACTIVE:][: len(ACTIVITY)]] == [
    "pe_active_cycles",
    "macs",
    "gated_macs",
]


def render_header(config: Config) -> str:
    """The text of `rowforge.h` for a configuration."""
    lines = ["#pragma once"]
    lines += [f"#define {name} {_number(value)}" for name, value in _numbers(config)]
    lines.append(_struct("post", OUTPUT))
    for record in _RECORDS:
        lines += _record(record)
    lines += [_getter(struct, field) for struct in (PARAM, TABLE) for field in struct.fields]
    known = {int(opcode): descriptor_words(opcode, ()) for opcode in _opcodes(config)}
    lines.append(
        _array("u8", "DESCRIPTOR_WORDS", [known.get(i, _UNKNOWN) for i in range(max(Opcode) + 1)])
    )
    lines.append(_array("u8", "CONFIGURATION", _sevens(identity_words(config)[3:])))
    return "\n".join(lines) + "\n"


def _sevens(values: Iterable[int]) -> Iterator[int]:
    """Numbers as bytes: seven bits each, lowest first, and 128 with all but a number's last."""
    for value in values:
        while value >= 128:
            yield value & 127 | 128
            value >>= 7
        yield value


def _number(value: int) -> str:
    return f"{value}u" if value > 0x7FFF_FFFF else str(value)


def _opcodes(config: Config) -> list[Opcode]:
    return [op for op in Opcode if op is not Opcode.MEMORY or config.buffer.weight_memory]


def _numbers(config: Config) -> Iterator[tuple[str, int]]:
    yield from _configuration(config)
    yield from _identity(config)
    for name, kind in (
        ("OPCODE", Opcode),
        ("BLOCK", ResultBlock),
        ("STATUS", Status),
        ("ROUNDING", Rounding),
        ("VECTOR_OP", VectorOp),
    ):
        yield from _enumeration(name, kind)
    for record in (*_RECORDS, ROW, PARAM, TABLE):
        yield f"{record.name.upper()}_WORDS", record.words
    for name, offset in RESULT.offsets.items():
        yield f"RESULT_{name.upper()}", offset
    for number, field in enumerate(COUNTERS.fields):
        yield f"COUNTER_{field.name.upper()}", number
    for register in MAP:
        yield f"REGISTER_{register.name}", register.offset
    for bit, name in enumerate(STATUS_BITS):
        yield f"READY_{name.upper()}", 1 << bit


def _configuration(config: Config) -> Iterator[tuple[str, int]]:
    words = config.buffer.banks * config.buffer.depth
    yield from {
        "RAM": RAM,
        "REGISTERS": REGISTERS,
        "ROWS": config.array.rows,
        "COLS": config.array.cols,
        "NOC_FILTER": config.noc.filter,
        "WEIGHT_ZERO_POINTS": int(config.pe.weight_zero_points),
        "BUFFER_FILTERS": int(config.buffer.filters),
        "GLB_BANKS": config.buffer.banks,
        "GLB_DEPTH": config.buffer.depth,
        "BUFFER_WORDS": words,
        "ACTIVATION_WORDS": config.act_banks * config.buffer.depth,
        "PSUM_CAPACITY": psum_capacity(config),
        "ADDRESS_MASK": (1 << ADDRESS) - 1,
        "BYTE_MASK": (config.buffer.width // 8 << ADDRESS) - 1,
        "CHANNEL_MASK": (1 << CHANNEL) - 1,
        "CHECKSUM_MASK": _mask(HEADER, "checksum"),
        "VERSION_MASK": _mask(BEGIN, "version"),
        "PATTERN_MASK": _mask(BASES, "rows"),
        "WEIGHTS_MASK": _mask(BASES, "weights"),
        "PARAM_MASK": _mask(VECTOR, "param"),
        "ROW_PATTERNS": config.control.row_patterns,
        "ROW_PATTERN_WORDS": row_pattern_words(config.array.rows),
        "COLUMN_PATTERNS": config.control.col_patterns,
        "COLUMN_PATTERN_WORDS": col_pattern_words(config.array.cols),
        "PARAM_ENTRIES": config.post.channels,
        "TABLE_ENTRIES": _TABLE_ENTRIES,
        "SHIFTS_GROUP": len(SHIFTS.fields),
        "WEIGHT_WORDS": config.buffer.weight_memory * 8 // WORD_BITS,
        "LINK_WIDTH": config.link.width,
        "ACTIVITY_MASK": (1 << ACTIVITY_BITS) - 1,
        "ACTIVITY_CYCLES": (1 << ACTIVITY_BITS) // (2 * config.array.rows * config.array.cols),
        "WATCHDOG": config.control.watchdog,
        "LOOPS": LOOPS,
        "BASES_FIELDS": len(BASES.fields),
        "START_LOOPS": START.offsets["loops"] % 32,
        "START_CONSTANTS": START.offsets["constants"] % 32,
        "COUNTERS": len(COUNTERS.fields),
        # Of a CONV that claims more loops than there are, too.
        "DESCRIPTOR_MOST": START.words + CONSTANTS.words + (LOOPS + 1) * LOOP.words,
        "LAST_FILTER_BEAT": 1 << 31,
        "NONE": 0xFFFF_FFFF,
        "UNKNOWN": _UNKNOWN,
        "LAYOUT_SIGNED": _SIGNED,
        "LAYOUT_GAP": _GAP,
        "LAYOUT_WIDTH": _WIDTH,
    }.items()


def _mask(struct: Struct, name: str) -> int:
    return (1 << next(field.width for field in struct.fields if field.name == name)) - 1


def _identity(config: Config) -> Iterator[tuple[str, int]]:
    words = identity_words(config)
    for name, word in zip(("MAGIC", "VERSIONS", "CONFIGURATION"), words[:3], strict=True):
        yield f"{name}_LOW", word & 0xFFFF_FFFF
        yield f"{name}_HIGH", word >> 32
    assert words[0] == MAGIC
    yield "IDENTITY_WORDS", len(words)
    yield "COMMAND_SET_VERSION", COMMAND_SET_VERSION


def _enumeration(name: str, kind: type[IntEnum]) -> Iterator[tuple[str, int]]:
    for item in kind:
        yield f"{name}_{item.name}", int(item)


# ---- records ------------------------------------------------------------------------------------


def _member(field: Field) -> str:
    kind = "i32" if field.signed else "u32"
    return f"{kind} {_KEYWORDS.get(field.name, field.name)};"


def _struct(name: str, fields: Iterable[Field]) -> str:
    return f"struct {name} {{ {' '.join(_member(field) for field in fields)} }};"


def _record(struct: Struct) -> list[str]:
    """The C structure of a record, a word a field, and how its fields lie one after another.

    A byte of the layout is a field's width, `LAYOUT_SIGNED` with it, or `LAYOUT_GAP` and bits that
    mean nothing; 0 ends it.
    """
    members, layout, position = [], [], 0
    names = {field.name for field in OUTPUT}
    grouped = names < {field.name for field in struct.fields}
    for field in struct.fields:
        offset = struct.offsets[field.name]
        if offset > position:
            layout.append(offset - position | _GAP)
        layout.append(field.width | (_SIGNED if field.signed else 0))
        position = offset + field.width
        if not grouped or field.name not in names:
            members.append(_member(field))
        elif field is OUTPUT[0]:
            members.append("struct post post;")
    return [
        f"struct {struct.name} {{ {' '.join(members)} }};",
        _array("u8", f"{struct.name.upper()}_LAYOUT", [*layout, 0]),
    ]


def _getter(struct: Struct, field: Field) -> str:
    """A macro that takes a field out of a record's 32-bit halves; it lies within one of them."""
    half, offset = divmod(struct.offsets[field.name], _HALF)
    assert offset + field.width <= _HALF
    kind = "i32" if field.signed else "u32"
    left, right = _HALF - field.width - offset, _HALF - field.width
    name = f"{struct.name.upper()}_{field.name.upper()}"
    return f"#define {name}(words) (({kind})((words)[{half}] << {left}) >> {right})"


def _array(kind: str, name: str, values: Iterable[int]) -> str:
    return f"static const {kind} {name}[] = {{{', '.join(_number(v) for v in values)}}};"

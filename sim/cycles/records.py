"""The C++ view of configuration, commands and counters, generated from their descriptions."""

from collections.abc import Iterable

from hw.arch.commands import (
    ADDRESS,
    BASES,
    BEGIN,
    CHANNEL,
    CONSTANTS,
    DESCRIPTOR_WORDS,
    HEADER,
    INDEX,
    LOOP,
    LOOPS,
    REGION,
    START,
    TAG,
    VECTOR,
    Opcode,
    Rounding,
    VectorOp,
    descriptor_words,
)
from hw.arch.config import Config
from hw.arch.config.modes import WHOLE_SUM_BITS
from hw.arch.config.section import as_number
from hw.arch.counters import ACCESS_COUNTERS, COUNTERS
from hw.arch.fields import WORD_BITS, Field, Struct
from hw.arch.images.messages import MESSAGE, Message
from hw.arch.images.records import RecordKind
from hw.arch.patterns import COLUMN, COLUMNS, PATTERN, ROW, ROW_BITS, SEGMENT, SLOT
from hw.arch.program.coding import MASK_WORDS
from hw.arch.program.layout import MOST_SPREAD
from hw.arch.routes import RouteKind

DERIVED = ("lanes", "psum_beat", "psums_per_word", "banks_per_beat", "act_banks", "psum_groups")
"""Properties of `Config` that the model reads besides the fields."""

COUNTER_NAMES = tuple(field.name for field in (*COUNTERS.fields, *ACCESS_COUNTERS))
"""What the model counts, in its order, whether or not a configuration has the counters."""

POST_RANKS, WINDOW_RANKS = 12, 9
"""Register ranks of the post-processor in front of its packer: of one that scales sums, and of one
for windows of products alone (`hw.arch.config.modes`)."""

AGAIN = max(Message) + 1
"""In place of `Message.RUN`, for the model: a RUN whose number was answered before."""

_STRUCTS = (
    HEADER,
    INDEX,
    REGION,
    ROW,
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

_ENUMS = (Opcode, Rounding, VectorOp, RouteKind, RecordKind)


def config_values(config: Config) -> list[int]:
    """The values of the C++ `Config`, in its order."""
    words = [as_number(config.value(name), item) for name, item in Config.declared(hardware=True)]
    return [*words, *(int(getattr(config, name)) for name in DERIVED)]


def records_header() -> str:
    """The text of `records.h`."""
    parts = [
        "#pragma once\n#include <cstdint>\n",
        _config_struct(),
        *(_record(struct) for struct in _STRUCTS),
        _bases_add(),
        *(_enum(kind.__name__, kind) for kind in _ENUMS),
        _enum("MessageKind", {**{kind.name: int(kind) for kind in Message}, "AGAIN": AGAIN}),
        _enum("Counter", {name: i for i, name in enumerate(COUNTER_NAMES)}),
        _lengths(),
        _ranks(),
        f"constexpr int kAddressBits = {ADDRESS}, kTagBits = {TAG}, kChannelBits = {CHANNEL};\n"
        f"constexpr int kLoops = {LOOPS}, kCounters = {len(COUNTER_NAMES)};\n"
        f"constexpr int kCountersAlways = {len(COUNTERS.fields)};\n"
        f"constexpr int kMostSpread = {MOST_SPREAD}, kRowBits = {ROW_BITS};\n"
        f"constexpr int kMaskWords = {MASK_WORDS};\n"
        f"constexpr int kBeginWords = {1 + BEGIN.words}, kMessageWords = {MESSAGE.words};\n",
    ]
    return "\n".join(parts)


def _member(field: Field) -> str:
    """A field's name in C++, where `signed` is a word of the language."""
    return f"{field.name}_" if field.name == "signed" else field.name


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _config_struct() -> str:
    """`Config` with a structure for each section, then what follows from the fields."""
    sections: dict[str, list[str]] = {}
    for full_name, _ in Config.declared(hardware=True):
        name, _, member = full_name.partition(".")
        sections.setdefault(name, []).append(member)
    lines = [f"    struct {{ {_members(names)} }} {name};\n" for name, names in sections.items()]
    return f"struct Config {{\n{''.join(lines)}    {_members(DERIVED)}\n}};\n"


def _members(names: Iterable[str]) -> str:
    return " ".join(f"int64_t {name} = 0;" for name in names)


def _extract(struct: Struct, field: Field) -> str:
    """A field out of the record's words `w`, sign-extended where it is signed."""
    word, offset = divmod(struct.offsets[field.name], WORD_BITS)
    left, right = WORD_BITS - field.width - offset, WORD_BITS - field.width
    if field.signed:
        return f"int64_t(w[{word}] << {left}) >> {right}"
    return f"int64_t((w[{word}] << {left}) >> {right})"


def _record(struct: Struct) -> str:
    name = _title(struct.name.removeprefix("conv_"))
    members = "".join(f"    int64_t {_member(field)} = 0;\n" for field in struct.fields)
    reads = "".join(f"        r.{_member(f)} = {_extract(struct, f)};\n" for f in struct.fields)
    return (
        f"struct {name} {{\n{members}"
        f"    static constexpr int kWords = {struct.words};\n"
        f"    static {name} unpack(const uint64_t* w) {{\n        {name} r;\n{reads}"
        f"        return r;\n    }}\n}};\n"
    )


def _bases_add() -> str:
    """Adds the increments of a loop, every field modulo its width."""
    lines = []
    for field in BASES.fields:
        shift = WORD_BITS - field.width
        total = f"uint64_t(b.{field.name} + l.{field.name}) << {shift}"
        wrapped = f"int64_t({total})" if field.signed else f"({total})"
        lines.append(f"    b.{field.name} = int64_t({wrapped} >> {shift});\n")
    return f"inline void add(Bases& b, const Loop& l) {{\n{''.join(lines)}}}\n"


def _enum(name: str, items: object) -> str:
    pairs = items.items() if isinstance(items, dict) else ((i.name, i.value) for i in items)  # type: ignore[attr-defined]
    body = ", ".join(f"{key} = {value}" for key, value in pairs)
    return f"namespace {name} {{ enum : int {{ {body} }}; }}\n"


def _ranks() -> str:
    narrow = f"width == 16 && psum_width < {WHOLE_SUM_BITS}"
    return (
        f"constexpr int post_ranks(int width, int psum_width) "
        f"{{ return {narrow} ? {WINDOW_RANKS} : {POST_RANKS}; }}\n"
    )


def _lengths() -> str:
    cases = "".join(
        f"        case {int(op)}: return {descriptor_words(op, ())};\n" for op in DESCRIPTOR_WORDS
    )
    return (
        "// Of CONV only those that say how many follow.\n"
        "inline int descriptor_words(int opcode) {\n    switch (opcode) {\n"
        f"{cases}        default: return -1;\n    }}\n}}\n"
    )

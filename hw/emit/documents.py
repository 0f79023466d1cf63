"""The command set of a configuration as documents: JSON, C header, Markdown and TOML.

All are rendered from `hw.arch.commands`, `counters`, `identity` and the configuration itself, so
that drivers written elsewhere cannot disagree with the gateware.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from enum import IntEnum
from typing import Any

from hw.arch import commands, frames
from hw.arch.accesses import counter_block
from hw.arch.c_header import define, enumeration_lines, record_lines
from hw.arch.commands import COMMAND_SET_VERSION, DESCRIPTOR_WORDS, LOOPS, MAGIC, Opcode
from hw.arch.config import Config
from hw.arch.config.file import config_hash, render_toml
from hw.arch.config.identity import VERSIONS
from hw.arch.config.section import as_number
from hw.arch.entries import PARAM, SHIFTS, SHORT_PARAM, TABLE
from hw.arch.fields import WORD_BITS, Struct
from hw.arch.patterns import COLUMN, COLUMNS, PATTERN, ROW, SEGMENT, SLOT
from hw.arch.registers import MEANINGS, Register
from hw.arch.version import LINK_PROTOCOL_VERSION, version_text

ENUMS: tuple[type[IntEnum], ...] = (
    commands.Opcode,
    commands.ResultBlock,
    commands.Status,
    commands.Rounding,
    commands.VectorOp,
    frames.LinkOpcode,
    frames.LinkStatus,
    Register,
)

_RECORDS: tuple[Struct, ...] = (
    commands.HEADER,
    commands.RESULT,
    commands.BEGIN,
    commands.INDEX,
    commands.REGION,
    commands.CODE,
    PATTERN,
    ROW,
    SLOT,
    SEGMENT,
    COLUMNS,
    COLUMN,
    PARAM,
    SHIFTS,
    SHORT_PARAM,
    TABLE,
    commands.CONSTANTS,
    commands.BASES,
    commands.LOOP,
    commands.START,
    commands.VECTOR,
    VERSIONS,
    frames.FRAME,
    frames.LINK_STATUS,
)


def records(config: Config) -> tuple[Struct, ...]:
    """Every record that a driver meets."""
    return (*_RECORDS, counter_block(config))


def descriptor(opcode: Opcode) -> tuple[tuple[Struct, int], ...]:
    """The records that follow the header of a command, each with how often at most."""
    if opcode is Opcode.CONV:
        return ((commands.START, 1), (commands.CONSTANTS, 1), (commands.LOOP, LOOPS))
    if opcode is Opcode.VECTOR:
        return ((commands.VECTOR, 1),)
    if opcode in (Opcode.LOAD, Opcode.STORE):
        return ((commands.REGION, 1),)
    return ((commands.INDEX, 1),) if DESCRIPTOR_WORDS[opcode] else ()


def documents(config: Config, name: str) -> dict[str, str]:
    """The documents of a configuration by file name, for a design called `name`."""
    return {
        f"{name}.toml": render_toml(config),
        f"{name}.json": render_json(config),
        f"{name}.h": render_header(config, name),
        f"{name}.md": render_markdown(config, name),
    }


# ---- JSON -------------------------------------------------------------------------------------


def render_json(config: Config) -> str:
    """Versions, configuration, enumerations and records with every field's place and meaning."""
    document = {
        "command_set": COMMAND_SET_VERSION,
        "link_protocol": LINK_PROTOCOL_VERSION,
        "generator": version_text(),
        "magic": f"{MAGIC:#018x}",
        "configuration": config.as_dict(),
        "configuration_hash": f"{config_hash(config):#018x}",
        "enumerations": {kind.__name__: {item.name: int(item) for item in kind} for kind in ENUMS},
        "commands": {
            opcode.name: {
                "opcode": int(opcode),
                "descriptor_words": DESCRIPTOR_WORDS[opcode],
                "descriptor": [
                    {"record": record.name, "count": count} for record, count in descriptor(opcode)
                ],
            }
            for opcode in Opcode
        },
        "registers": {
            register.name: {"address": int(register), **asdict(MEANINGS[register])}
            for register in Register
        },
        "records": {record.name: _record_document(record) for record in records(config)},
    }
    return json.dumps(document, indent=1) + "\n"


def _record_document(record: Struct) -> dict[str, Any]:
    return {
        "words": record.words,
        "meaning": record.doc,
        "fields": [
            {
                "name": field.name,
                "word": record.offsets[field.name] // WORD_BITS,
                "bit": record.offsets[field.name] % WORD_BITS,
                "width": field.width,
                "signed": field.signed,
                "meaning": field.doc,
            }
            for field in record.fields
        ],
    }


# ---- C ------------------------------------------------------------------------------------------


def render_header(config: Config, name: str) -> str:
    """A C header of constants: enumerations, places of fields, configuration.

    All macros begin with the design's name in capitals.
    """
    prefix = name.upper()
    guard = f"{prefix}_H"

    lines = [
        f"/* Command set {COMMAND_SET_VERSION} of the accelerator {name},",
        f" * written by rowforge {version_text()}. A record is a row of 64-bit words; a field has",
        " * a word, a least significant bit (LSB) in it, and a width. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        f"#define {prefix}_COMMAND_SET {COMMAND_SET_VERSION}",
        f"#define {prefix}_LINK_PROTOCOL {LINK_PROTOCOL_VERSION}",
        f"#define {prefix}_MAGIC {MAGIC:#018x}ULL",
        f"#define {prefix}_CONFIG_HASH {config_hash(config):#018x}ULL",
    ]
    lines += ["", "/* Configuration */"]
    lines += [
        define(prefix, "CONFIG", (name.replace(".", "_"), *_number_and_meaning(config, name, item)))
        for name, item in Config.declared(hardware=True)
    ]
    for kind in ENUMS:
        lines += ["", *enumeration_lines(prefix, kind)]
    lines += ["", "/* Words of the descriptor after the header of each command */"]
    lines += [
        define(prefix, "DESCRIPTOR_WORDS", (op.name, str(DESCRIPTOR_WORDS[op]), ""))
        for op in Opcode
    ]
    for record in records(config):
        lines += ["", *record_lines(prefix, record)]
    return "\n".join([*lines, "", f"#endif /* {guard} */", ""])


def _number_and_meaning(config: Config, name: str, item: Any) -> tuple[str, str]:
    return str(as_number(config.value(name), item)), _meaning(item.metadata)


def _meaning(metadata: Mapping[str, Any]) -> str:
    """What a field means; for a kind also the numbers that stand for the kinds."""
    kinds = "; ".join(f"{number}: {name}" for number, name in enumerate(metadata.get("kinds", ())))
    return f"{metadata['doc']} ({kinds})" if kinds else str(metadata["doc"])


# ---- Markdown -----------------------------------------------------------------------------------


def render_markdown(config: Config, name: str) -> str:
    """The same for a reader."""
    lines = [
        f"# {name}: command set {COMMAND_SET_VERSION}",
        "",
        f"Written by rowforge {version_text()}. Configuration hash "
        f"`{config_hash(config):#018x}`, magic word `{MAGIC:#018x}`.",
        "",
        "## Configuration",
        "",
        *_table(
            ("field", "value", "meaning"),
            (
                (f"`{name}`", str(config.value(name)), item.metadata["doc"])
                for name, item in Config.declared(hardware=True)
            ),
        ),
        "",
        "## Commands",
        "",
        "A command is a `header` word, a descriptor and `length` words of payload.",
        "",
        *_table(("command", "opcode", "descriptor", "words"), map(_command_row, Opcode)),
        "",
        "## Registers",
        "",
        "Of the AXI4-Lite port, 32 bits each, by byte address.",
        "",
        *_table(("register", "address", "read", "write"), map(_register_row, Register)),
        "",
        "## Enumerations",
    ]
    for kind in ENUMS[1:-1]:
        rows = ((item.name, str(int(item))) for item in kind)
        lines += ["", f"### {kind.__name__}", "", *_table(("name", "value"), rows)]
    lines += ["", "## Records", "", "Words of 64 bits, least significant first."]
    for record in records(config):
        lines += ["", f"### {record.name}", "", record.doc, "", *_record_table(record)]
    return "\n".join(lines) + "\n"


def _command_row(opcode: Opcode) -> tuple[str, ...]:
    records = [
        f"`{record.name}`" + (f" × {count}" if count > 1 else "")
        for record, count in descriptor(opcode)
    ]
    return opcode.name, str(int(opcode)), ", ".join(records), str(DESCRIPTOR_WORDS[opcode])


def _register_row(register: Register) -> tuple[str, ...]:
    access = MEANINGS[register]
    return register.name, f"{register:#04x}", access.read, access.write


def link_tables() -> str:
    """Requests, statuses, records and registers of the links, as in docs/link.md."""
    opcodes = ((item.name, str(int(item)), text) for item, text in frames.OPCODES.items())
    statuses = ((item.name, str(int(item)), text) for item, text in frames.STATUSES.items())
    lines = ["### Requests", "", *_table(("request", "opcode", "what it does"), opcodes)]
    lines += ["", "### Statuses", "", *_table(("status", "value", "what happened"), statuses)]
    for record in (frames.FRAME, frames.LINK_STATUS):
        lines += ["", f"### Record `{record.name}`", "", record.doc, "", *_record_table(record)]
    registers = _table(("register", "address", "read", "write"), map(_register_row, Register))
    return "\n".join([*lines, "", "### Registers of the AXI wrapper", "", *registers]) + "\n"


def _record_table(record: Struct) -> list[str]:
    def row(field: Any) -> tuple[str, ...]:
        word, low = divmod(record.offsets[field.name], WORD_BITS)
        bits = f"{low + field.width - 1}:{low}" if field.width > 1 else str(low)
        return str(word), bits, f"`{field.name}`", "signed" if field.signed else "", field.doc

    return _table(("word", "bits", "field", "", "meaning"), map(row, record.fields))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + [
        "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows
    ]

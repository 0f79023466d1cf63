"""Enumerations and records as constants of a C header, for all who write one."""

from collections.abc import Iterable
from enum import IntEnum

from hw.arch.fields import WORD_BITS, Struct

Constant = tuple[str, str, str]
"""Name, value and meaning; a meaning of "" is left out."""


def define(prefix: str, group: str, constant: Constant) -> str:
    """A macro whose name is prefix, group and the constant's name in capitals."""
    item, value, doc = constant
    comment = f" /* {doc} */" if doc else ""
    return f"#define {prefix}_{group.upper()}_{item.upper()} {value}{comment}"


def enumeration_lines(prefix: str, kind: type[IntEnum]) -> list[str]:
    """A comment with the enumeration's name, then a macro for each of its items."""
    items = (define(prefix, kind.__name__, (item.name, str(int(item)), "")) for item in kind)
    return [f"/* {kind.__name__} */", *items]


def record_lines(prefix: str, record: Struct) -> list[str]:
    """A comment with the record's meaning, then where each field is in its words."""
    constants = (define(prefix, record.name, constant) for constant in record_constants(record))
    return [f"/* {record.name}: {record.doc} */", *constants]


def record_constants(record: Struct) -> Iterable[Constant]:
    """The words of a record; of each field the word, the lowest bit in it, and the width."""
    yield "WORDS", str(record.words), ""
    for field in record.fields:
        offset = record.offsets[field.name]
        signed = " (signed)" if field.signed else ""
        yield f"{field.name}_WORD", str(offset // WORD_BITS), field.doc + signed
        yield f"{field.name}_LSB", str(offset % WORD_BITS), ""
        yield f"{field.name}_WIDTH", str(field.width), ""

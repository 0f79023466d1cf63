"""What the processor's firmware sees of the array and the streams: registers of 32 bits."""

from dataclasses import dataclass

MAX_ROWS = 16
MAX_COLS = 8

ROM = 0x0000_0000  # firmware
RAM = 0x1000_0000  # the global buffer from its word 0, then the firmware's own words
REGISTERS = 0x2000_0000


@dataclass(frozen=True)
class RegisterGroup:
    """`count` registers of one kind, 4 bytes apart; `offset` in bytes from `REGISTERS`."""

    name: str
    offset: int
    doc: str
    count: int = 1


STATUS_BITS = ("command", "result", "ifmap", "filter", "begun", "settled")
"""Bits of STATUS from bit 0.

`command`: a beat of the command stream waits; `result`, `ifmap`, `filter`: the stream takes a beat;
`begun`, `settled`: as in `PEArray`.
"""

ACTIVITY = ("running", "fired", "gated")
"""States of PEs that are counted."""

ACTIVITY_BITS = 24

MAP = (
    RegisterGroup("STATUS", 0x00, "read: `STATUS_BITS`"),
    RegisterGroup("COMMAND", 0x04, "read: takes a beat (`link.width` bits) of the command stream"),
    RegisterGroup("RESULT", 0x08, "write: sends a beat of the result stream"),
    RegisterGroup("FACTORS", 0x0C, "write: two factors without sign, 16 bits each"),
    RegisterGroup("PRODUCT", 0x10, "read: their product"),
    RegisterGroup("CYCLES", 0x14, "read: cycles since reset, modulo 2^32"),
    RegisterGroup("ISSUE", 0x18, "write: the pass in the table that was written begins"),
    RegisterGroup("PSUM_READY", 0x1C, "read: bit j: column j takes a psum"),
    RegisterGroup("PSUM_VALID", 0x20, "read: bit j: column j has a collected psum"),
    RegisterGroup("IFMAP_TAG", 0x24, "write: row tag in bits 0 to 15, column tag in bits 16 to 31"),
    RegisterGroup("IFMAP", 0x28, "write: an operand; sends it as a beat to the tag"),
    RegisterGroup(
        "FILTER_TAG", 0x2C, "write: row tag in bits 0 to 15, column tag in bits 16 to 31"
    ),
    RegisterGroup(
        "FILTER",
        0x30,
        "write: weight i of a beat in bits 12 i and on, bit 31: a PE's last beat; sends it",
    ),
    RegisterGroup("PSUM_ROW", 0x34, "write: the row of the head that PSUM feeds"),
    RegisterGroup(
        "ENDS",
        0x38,
        "write: step_end, slot_end, last_tap and last_free of `PassConfig`, 8 bits each",
    ),
    RegisterGroup(
        "WINDOWS",
        0x3C,
        "write: windows in bits 0 to 15, bit 30: the pass releases its filters, bit 31: it may "
        "start psums at zero",
    ),
    RegisterGroup(
        "COLUMN",
        0x40,
        "write: the low half of a COLUMN record",
        MAX_COLS,
    ),
    RegisterGroup(
        "ROW",
        0x80,
        "write: the low half of a ROW record",
        MAX_ROWS,
    ),
    RegisterGroup(
        "PSUM",
        0xC0,
        "write: feeds a psum to column j; read: takes its collected psum, sign-extended",
        MAX_COLS,
    ),
    RegisterGroup(
        "ACTIVITY",
        0xE0,
        "read: PEs in each state of `ACTIVITY`, added up over all cycles, modulo 2^`ACTIVITY_BITS`",
        len(ACTIVITY),
    ),
    RegisterGroup("RESET", 0xFC, "write: array and networks forget everything"),
)
"""Table registers (ENDS, WINDOWS, COLUMN, ROW) hold the pass that ISSUE begins, until all its psums
have been collected.

A write to a stream that STATUS, PSUM_READY or PSUM_VALID does not call ready is lost.
"""

"""The C runtime's header of constants, made from the descriptions that gateware is made from."""

from hw.arch.c_header import Constant, define, enumeration_lines, record_lines
from hw.arch.commands import COMMAND_SET_VERSION, MAGIC, RESULT, ResultBlock, Status
from hw.arch.frames import (
    COBS_BLOCK,
    CRC_FINAL_XOR,
    CRC_INITIAL,
    CRC_POLYNOMIAL,
    CRC_WIDTH,
    EPOCH_BITS,
    FRAME,
    LINK_STATUS,
    NAK,
    REPLY,
    REPLY_WORDS,
    LinkOpcode,
    LinkStatus,
)
from hw.arch.images.messages import MESSAGE, RUN_ACCOUNT
from hw.arch.registers import STATE_RESULT, Register
from hw.arch.version import LINK_PROTOCOL_VERSION, version_text
from sw_driver.c.records import (
    ALIGNMENT,
    C_ENUMS,
    C_MAGIC,
    C_RECORDS,
    C_VERSION,
    LONGEST_NAME,
    MOST_RANK,
    NO_INTEGER,
)
from sw_driver.protocol.errors import MEANINGS

HEADER = "rowforge_records.h"
_PREFIX = "ROWFORGE"

_RECORDS = (*C_RECORDS, RESULT, MESSAGE, RUN_ACCOUNT, FRAME, LINK_STATUS)
_ENUMS = (*C_ENUMS, ResultBlock, Status, LinkOpcode, LinkStatus, Register)


def render_records() -> str:
    """The text of `rowforge_records.h`; it is the same for all configurations and programs."""
    guard = f"{_PREFIX}_RECORDS_H"
    lines = [
        "/* What the C runtime shares with the accelerator and with what exports programs for it,",
        f" * written by rowforge {version_text()}. A record is a row of 64-bit words; a field has",
        " * a word, a least significant bit (LSB) in it, and a width. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        *(define(_PREFIX, group, constant) for group, constant in _constants()),
    ]
    for kind in _ENUMS:
        lines += ["", *enumeration_lines(_PREFIX, kind)]
    for record in _RECORDS:
        lines += ["", *record_lines(_PREFIX, record)]
    return "\n".join([*lines, "", *_statuses(), "", f"#endif /* {guard} */", ""])


def _constants() -> list[tuple[str, Constant]]:
    program: dict[str, tuple[str, str]] = {
        "MAGIC": (f"{C_MAGIC:#018x}ULL", "first word of a program"),
        "VERSION": (str(C_VERSION), "of the form of programs"),
        "COMMAND_SET": (str(COMMAND_SET_VERSION), "of the accelerator"),
        "MOST_RANK": (str(MOST_RANK), "axes of a tensor"),
        "LONGEST_NAME": (str(LONGEST_NAME), "bytes of the name of a host step or a parameter"),
        "NO_INTEGER": (f"(-{-1 - NO_INTEGER:#x}LL - 1)", "stands for None in a list of integers"),
        "ALIGNMENT": (str(ALIGNMENT), "bytes: of the working memory"),
    }
    link: dict[str, tuple[str, str]] = {
        "MAGIC": (f"{MAGIC:#018x}ULL", "first word of a command stream"),
        "PROTOCOL": (str(LINK_PROTOCOL_VERSION), ""),
        "COBS_BLOCK": (str(COBS_BLOCK), "bytes without a zero after a code byte, at most"),
        "REPLY": (f"{REPLY:#x}", "added to the opcode of a request"),
        "NAK": (str(NAK), "opcode of the reply to a frame that could not be read"),
        "EPOCH_BITS": (str(EPOCH_BITS), "lowest bits of a session's number"),
        "MOST_WORDS": (str(REPLY_WORDS), "of a frame's payload"),
        "STATE_RESULT": (f"{STATE_RESULT:#x}", "bit of the register STATE: a result word waits"),
    }
    crc: dict[str, tuple[str, str]] = {
        "POLYNOMIAL": (f"{_reflected(CRC_POLYNOMIAL):#010x}UL", "reflected"),
        "INITIAL": (f"{CRC_INITIAL:#010x}UL", ""),
        "FINAL_XOR": (f"{CRC_FINAL_XOR:#010x}UL", ""),
    }
    groups = {"PROGRAM": program, "LINK": link, "CRC": crc}
    return [
        (group, (name, *rest)) for group, names in groups.items() for name, rest in names.items()
    ]


def _reflected(polynomial: int) -> int:
    """The polynomial for bytes that enter with their least significant bit first."""
    return int(f"{polynomial:0{CRC_WIDTH}b}"[::-1], 2)


def _statuses() -> list[str]:
    """A macro that applies another one to every status with its sentence."""
    entries = [f'    X({int(status)}, "{text}")' for status, text in MEANINGS.items()]
    head = "/* Sentences of the statuses; the offending value follows each. */"
    return [head, f"#define {_PREFIX}_STATUS_SENTENCES(X) \\", " \\\n".join(entries)]

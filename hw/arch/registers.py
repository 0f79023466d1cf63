"""The registers of the AXI wrapper: 32-bit words behind an AXI4-Lite port."""

from dataclasses import dataclass
from enum import IntEnum

REGISTER_BITS = 32
ADDRESS_BITS = 6  # of a byte address


class Register(IntEnum):
    """Byte address of each register."""

    MAGIC_LOW = 0x00
    MAGIC_HIGH = 0x04
    HASH_LOW = 0x08
    HASH_HIGH = 0x0C
    VERSIONS = 0x10
    CONTROL = 0x14
    PACKET = 0x18
    STATE = 0x1C
    WORDS_IN = 0x20
    WORDS_OUT = 0x24


@dataclass(frozen=True)
class RegisterAccess:
    """What a register means to its reader and, if it has one, to its writer."""

    read: str
    write: str = ""


MEANINGS: dict[Register, RegisterAccess] = {
    Register.MAGIC_LOW: RegisterAccess("low half of the magic word of programs"),
    Register.MAGIC_HIGH: RegisterAccess("high half of it"),
    Register.HASH_LOW: RegisterAccess("low half of the configuration's hash"),
    Register.HASH_HIGH: RegisterAccess("high half of it"),
    Register.VERSIONS: RegisterAccess("bits 15:0 command set, bits 31:16 link protocol"),
    Register.CONTROL: RegisterAccess(
        "0", "bit 0: 1 resets the accelerator and both streams' state"
    ),
    Register.PACKET: RegisterAccess(
        "result words still to pass", "result words that may pass now; the last one has TLAST"
    ),
    Register.STATE: RegisterAccess("bit 0: a command word waits, bit 1: a result word waits"),
    Register.WORDS_IN: RegisterAccess("words of the command stream since the reset, modulo 2^32"),
    Register.WORDS_OUT: RegisterAccess("words of the result stream since the reset, modulo 2^32"),
}

STATE_COMMAND = 1 << 0
STATE_RESULT = 1 << 1

"""What can go wrong between host and accelerator."""

from hw.arch.commands import Status
from hw.arch.images.messages import RANGE_BITS, MemoryRange

MEANINGS = {
    Status.UNKNOWN_COMMAND: "unknown command",
    Status.BAD_CHECKSUM: "the checksum of a command does not fit, it should be",
    Status.BAD_LENGTH: "a command has a payload that does not fit, of words:",
    Status.BAD_ADDRESS: "address or entry out of range:",
    Status.BAD_VERSION: "the program is of another command set:",
    Status.BAD_CONFIGURATION: "the program was made for another configuration: hash",
    Status.WATCHDOG: "a stream was stuck and the watchdog ended the program: state",
    Status.BAD_FIELD: "a field of a command has a value without meaning:",
    Status.BAD_CODE: "the code of a payload is damaged: command",
    Status.BAD_IMAGE: "the image in the board's memory is damaged: its words have the CRC-32",
    Status.BAD_RECORD: "a record of the image in the board's memory is damaged:",
    Status.BAD_MESSAGE: "a message to the board's memory is damaged:",
    Status.BAD_BLOCK: "the image has no place for a data block of so many words:",
    Status.BAD_RANGE: "outside of the board's memory:",
    Status.BAD_MEMORY: "the board's memory refused an access from this word on:",
}


class DriverError(RuntimeError):
    """Host and accelerator do not understand each other, or a program failed."""


class LinkError(DriverError):
    """The link is broken, closed, or carries nothing more."""


class LinkTimeoutError(LinkError):
    """Nothing answers: the link is unplugged, or the board has stopped."""


class LinkCorruptedError(LinkError):
    """The link carries bytes, but too few of them whole."""


class LinkBusyError(LinkError):
    """Another client has the board."""


class SessionLostError(LinkError):
    """Another client has taken the board over, or it was restarted (`taken_over` tells)."""

    def __init__(self, *, taken_over: bool):
        reason = "another client has opened the board" if taken_over else "the board was restarted"
        super().__init__(f"the session is over: {reason}")
        self.taken_over = taken_over


class ProtocolError(DriverError):
    """The accelerator answered with something that the program does not call for."""


class ProgramError(DriverError):
    """The accelerator ended a program with an error; `status` and `value` say why."""

    def __init__(self, status: Status, value: int, tag: int):
        shown = _range(value) if status is Status.BAD_RANGE else f"{value:#x}"
        super().__init__(f"{MEANINGS[status]} {shown} (after command tag {tag})")
        self.status = status
        self.value = value
        self.tag = tag


class VersionError(ProgramError):
    """The program's command set is not the accelerator's."""


class ConfigurationError(ProgramError):
    """The program's configuration is not the accelerator's."""


class WatchdogError(ProgramError):
    """A stream made no progress."""


class DamagedImageError(ProgramError):
    """What is in the board's memory is not the image that was written there."""


def _range(value: int) -> str:
    """What the value of BAD_RANGE says: which words, and the number of the one after them."""
    field, end = value & ((1 << RANGE_BITS) - 1), value >> RANGE_BITS
    name = MemoryRange(field).name if field in list(MemoryRange) else f"range {field}"
    return f"{name}, which ends before word {end}"


_TYPES: dict[Status, type[ProgramError]] = {
    Status.BAD_VERSION: VersionError,
    Status.BAD_CONFIGURATION: ConfigurationError,
    Status.WATCHDOG: WatchdogError,
    Status.BAD_IMAGE: DamagedImageError,
    Status.BAD_RECORD: DamagedImageError,
}


def program_error(code: int, value: int, tag: int) -> DriverError:
    """The exception for a status block that is not OK."""
    if code not in list(MEANINGS):
        return ProtocolError(f"unknown status {code} with value {value:#x}")
    status = Status(code)
    return _TYPES.get(status, ProgramError)(status, value, tag)

"""What the executor raises when a program asks for something that hardware would not survive."""

from collections.abc import Iterator
from contextlib import contextmanager

from hw.arch.commands import Status


class SemanticsError(AssertionError):
    """A program breaks a rule that hardware does not check: a bug in whatever made the program."""

    def __init__(self, message: str):
        super().__init__(message)
        self.message = message
        self.places: list[str] = []

    def __str__(self) -> str:
        return ", ".join([*reversed(self.places)]) + (": " if self.places else "") + self.message


class CommandError(Exception):
    """The stream is refused with a status block: `status`, and the offending `value`."""

    def __init__(self, status: Status, value: int):
        super().__init__(status.name, value)
        self.status = status
        self.value = value


def require(condition: object, message: str) -> None:
    """Raise `SemanticsError` with `message` unless the condition holds."""
    if not condition:
        raise SemanticsError(message)


@contextmanager
def place(name: str) -> Iterator[None]:
    """Adds where it happened to a `SemanticsError` that passes through."""
    try:
        yield
    except SemanticsError as error:
        error.places.append(name)
        raise

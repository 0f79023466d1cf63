"""A hand-made kind of broken file."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """How such a file is made, the exit status it must yield, and words of the refusal."""

    content: Callable[[], bytes]
    status: int = 2
    words: tuple[str, ...] = ()
    suffix: str = ".tflite"

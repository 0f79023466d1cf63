"""How a campaign ends: each condition that it missed in a line, and the exit status."""

from collections.abc import Iterable

Condition = tuple[bool, str]  # whether it holds, and with its figures what to say if it does not


def conclude(conditions: Iterable[Condition]) -> int:
    """Prints `missed: …` for every condition that does not hold; 1 if there is one, else 0."""
    missed = [said for holds, said in conditions if not holds]
    for said in missed:
        print(f"missed: {said}", flush=True)
    return int(bool(missed))

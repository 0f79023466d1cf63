"""The pass nest: loops with the bases they advance, as CONV's records hold them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hw.arch.commands import BASES, LOOP, LOOPS


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A loop of the nest: what every step adds to the bases as seen from outside.

    `accumulate`: over channels or filter rows; `held`: filters stay in the PEs.

    The records hold something else: when a loop steps, what the loops inside it have added stays
    and is taken back by the step.
    """

    count: int
    steps: Mapping[str, int] = field(default_factory=dict)
    accumulate: bool = False
    held: bool = False


_ONCE = LOOP.pack({"count": 1})


def loop_records(loops: Sequence[Loop]) -> tuple[list[list[int]], dict[str, int]]:
    """(six LOOP records, `accumulate` and `held` masks) for loops given outermost first."""
    padded = [Loop(count=1)] * (LOOPS - len(loops)) + list(loops)
    records = []
    for index, loop in enumerate(padded):
        if loop.count == 1:
            records.append(_ONCE)
            continue
        steps = dict(loop.steps)
        for inner in padded[index + 1 :]:
            for name, step in inner.steps.items():
                steps[name] = steps.get(name, 0) - (inner.count - 1) * step
        records.append(LOOP.pack({**wrapped(steps), "count": loop.count}))
    masks = {
        name: sum(1 << index for index, loop in enumerate(padded) if getattr(loop, name))
        for name in ("accumulate", "held")
    }
    return records, masks


def wrapped(bases: Mapping[str, int]) -> dict[str, int]:
    """Bases modulo their widths."""
    result = {}
    for item in BASES.fields:
        if item.name in bases:
            value = bases[item.name] & ((1 << item.width) - 1)
            result[item.name] = value - (1 << item.width) if value > item.high else value
    return result


def recorded(loop: Loop) -> Loop:
    """The loop as the hardware knows it."""
    steps_ = {name: step for name, step in loop.steps.items() if name in BASES.offsets}
    return replace(loop, steps=steps_)

"""Nested counters, the skeleton of every engine."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, Value


@dataclass(frozen=True)
class LoopCounter:
    """A counter of a nest.

    `index`: iterations done; `last`: this is the loop's last iteration; `ends`: this and all loops
    inside are at their last iteration; `steps`: the counter steps or starts over in this cycle.
    """

    index: Signal
    last: Signal
    ends: Signal
    steps: Signal


@dataclass(frozen=True)
class Begin:
    """When a loop's limit changes: `now` is high in the last cycle before `limit` holds."""

    now: Value
    limit: Value


def nest(
    m: Module,
    step: Value,
    limits: dict[str, Value],
    width: int = 16,
    begins: dict[str, Begin] | None = None,
) -> dict[str, LoopCounter]:
    """Counters from the outermost to the innermost; `step` moves to the next iteration.

    Limits are iteration counts, at least 1, constant while the nest runs. All counters are 0 again
    after the last iteration, so the nest is ready for the next run. The outermost loop's `ends`
    says that the iteration shown is the very last. Where `begins` tells ahead when limits change,
    `last` is a register, and no path leads through a comparison.
    """
    loops: dict[str, LoopCounter] = {}
    inside: list[Value] = []  # "last" of this loop and those inside it: no chain through all loops
    # From the innermost loop outwards, since a loop needs the ends of those inside it.
    for name in reversed(limits):
        limit = Value.cast(limits[name])
        index = Signal(min(width, len(limit)), name=f"{name}_index")
        last = Signal(name=f"{name}_last")
        ends = Signal(name=f"{name}_ends")
        steps = Signal(name=f"{name}_steps")
        m.d.comb += [steps.eq(Cat(step, *inside).all()), ends.eq(Cat(*inside, last).all())]
        with m.If(steps):
            m.d.sync += index.eq(Mux(last, 0, index + 1))
        if begins is None:
            m.d.comb += last.eq(index + 1 == limit)
        else:
            with m.If(steps):
                m.d.sync += last.eq(Mux(last, limit == 1, index + 2 == limit))
            with m.If(begins[name].now):
                m.d.sync += last.eq(begins[name].limit == 1)
        loops[name] = LoopCounter(index, last, ends, steps)
        inside.append(last)
    return loops

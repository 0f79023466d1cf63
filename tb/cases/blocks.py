"""Cases of the blocks below the accelerator."""

from functools import partial

from amaranth.hdl import Shape

from hw.arch.config import Config
from hw.glb.buffer import GlobalBuffer
from hw.noc.collector import ColumnCollector
from hw.noc.feeder import ColumnFeeder
from hw.noc.multicast import MulticastNetwork
from hw.noc.tags import TaggedBeat, filter_bus, ifmap_bus
from hw.pe.kinds import pe_kind
from hw.post.processor import PostProcessor
from hw.sequencer.sequencer import Sequencer
from hw.sequencer.walker import NestWalker
from tb.cases.case import Case, Demand


def _values(config: Config, demand: Demand, **values: object) -> dict[str, object]:
    return {
        "config": config.as_dict(),
        "seed": demand.seed,
        "stalls": demand.stalls,
        **values,
    }


def pe(config: Config, demand: Demand, *, passes: int = 12) -> list[Case]:
    """Random passes; every stall named; no bubbles where none has to be.

    A spad of one word does not take one while it is read, a queue of one beat passes one every
    second cycle, and with `control.pipeline` a PE rests between passes.
    """
    smooth = config.pe.ifmap_spad > 1 and config.pe.ifmap_fifo > 1 and not config.control.pipeline
    return [
        Case(
            name="passes",
            block=partial(pe_kind(config), config),
            bench="pe_bench",
            values=_values(config, demand, passes=passes),
            test=None if smooth else "random_passes",
        )
    ]


# Stalled targets of a beat, on the average: a beat is taken when no target stalls.
_STALLED_TARGETS = 5


def multicast(
    bits: int,
    grid: dict[str, int],
    demand: Demand,
    *,
    name: str = "multicast",
    pipeline: int = 0,
    entry: int = 0,
) -> Case:
    """Beats of so many bits to random targets in a grid (rows, cols, row_tag, col_tag)."""
    places = grid["rows"] * grid["cols"]
    return Case(
        name=name,
        block=partial(MulticastNetwork, bits, **grid, pipeline=pipeline, entry=entry),
        bench="multicast_bench",
        values={
            "geometry": grid,
            "pipeline": pipeline or entry,
            "payload_bits": bits,
            "rounds": 4,
            "beats": 80,
            "stall": min(demand.rate(0.3), _STALLED_TARGETS / places),
            "seed": demand.seed,
        },
    )


def columns(
    config: Config, demand: Demand, *, segments: int = 80, passes: int = 12
) -> dict[str, Case]:
    """The psum feeder and the psum collector of a column."""
    return {
        "feeder": Case(
            name="feeder",
            block=partial(ColumnFeeder, config),
            bench="column_bench",
            values=_values(config, demand, segments=segments),
            test="feeder",
        ),
        "collector": Case(
            name="collector",
            block=partial(ColumnCollector, config),
            bench="column_bench",
            values=_values(config, demand, passes=passes),
            test="collector",
        ),
    }


def noc(config: Config, demand: Demand) -> list[Case]:
    """Both multicast networks with the tags of the configuration, and both ends of a column."""
    cases = []
    for name, bus in (("ifmap", ifmap_bus(config)), ("filter", filter_bus(config))):
        cases.append(
            multicast(
                _bits(bus),
                {
                    "rows": config.array.rows,
                    "cols": config.array.cols,
                    "row_tag": bus["row"].width,
                    "col_tag": bus["tag"].width,
                },
                demand,
                name=f"{name}_network",
                pipeline=config.noc.pipeline,
                entry=config.control.pipeline,
            )
        )
    return [*cases, *columns(config, demand).values()]


def _bits(bus: TaggedBeat) -> int:
    return int(Shape.cast(bus["payload"].shape).width)


def glb(config: Config, demand: Demand, *, requests: int = 300) -> list[Case]:
    """All four ports of the global buffer at random."""
    return [
        Case(
            name="traffic",
            block=partial(GlobalBuffer, config),
            bench="buffer_bench",
            values=_values(config, demand, requests=requests),
        )
    ]


def post(config: Config, demand: Demand, *, items: int = 40) -> list[Case]:
    """Every rounding mode of the post-processor beside 32-bit results."""
    return [
        Case(
            name="modes",
            block=partial(PostProcessor, config),
            bench="post_bench",
            values=_values(config, demand, items=items),
        )
    ]


def walker(demand: Demand, *, nests: int = 25) -> Case:
    """The walker of pass nests, which is the same in all configurations."""
    return Case(
        name="walker",
        block=partial(NestWalker),
        bench="sequencer_bench",
        values={"seed": demand.seed, "nests": nests},
        test="walker",
    )


def sequencer(config: Config, demand: Demand, *, commands: int = 3) -> Case:
    """Pass tables of random commands."""
    return Case(
        name="sequencer",
        block=partial(Sequencer, config),
        bench="sequencer_bench",
        values=_values(config, demand, commands=commands),
        test="sequencer",
    )


def control(config: Config, demand: Demand) -> list[Case]:
    """The nest walker and the pass sequencer."""
    return [walker(demand), sequencer(config, demand)]

"""The whole accelerator on the emitted Verilog, in small configurations."""

from random import Random

import pytest

from hw.arch import commands
from hw.arch.commands import Opcode, ResultBlock, Status
from hw.arch.config import Config
from hw.arch.configfile import config_hash
from tb.cases.accelerator import phases_case
from tb.models import program
from tb.models.random_layers import random_convolution
from tb.models.refusals import REFUSALS, STARTS, refused
from tb.models.streams import WordStream

SMALL = {"glb_banks": 12, "glb_depth": 256, "post_channels": 64}
CONFIGS = {
    "2x2": {"rows": 2, "cols": 2},
    "1x1": {"rows": 1, "cols": 1, "post_units": 2},
    "psums enter one by one": {"rows": 2, "cols": 2, "noc_psum_in": 1, "noc_psum_out": 4},
    "3x4, weight zero points": {"rows": 3, "cols": 4, "weight_zero_points": True},
    "3x4, two macs": {"rows": 3, "cols": 4, "macs_per_pe": 2, "glb_width": 128, "post_units": 4},
    "16 bits": {"rows": 3, "cols": 2, "data_width": 16, "psum_width": 24, "noc_filter": 4},
    "16 bits, two macs": {
        "rows": 2,
        "cols": 2,
        "data_width": 16,
        "macs_per_pe": 2,
        "noc_filter": 2,
        "noc_ifmap": 2,
        "psum_width": 40,
        "glb_banks": 16,
        "post_units": 2,
    },
    "narrow": {
        "rows": 5,
        "cols": 3,
        "glb_width": 32,
        "psum_width": 16,
        "post_units": 2,
        "ifmap_spad": 24,
        "noc_ifmap": 2,
        "noc_psum_in": 2,
        "noc_psum_out": 4,
        "bus_pipeline": 1,
        "control_pipeline": 1,
        "link_width": 16,
        "zero_gating": False,
    },
    "odd widths": {
        "rows": 2,
        "cols": 3,
        "psum_width": 20,
        "noc_psum_in": 4,
        "noc_psum_out": 1,
        "noc_ifmap": 8,
        "noc_filter": 2,
        "ifmap_spad": 9,
        "psum_spad": 7,
        "filter_spad": 36,
        "glb_banks": 14,
        "glb_act_banks": 8,
        "glb_psum_banks": 6,
    },
}


def run(
    config: Config,
    phases: list[program.Phase],
    *,
    seed: object,
    stall: float,
    counters: bool = False,
) -> None:
    """Simulate phases; a seed names the stalls. `counters`: those of time are checked too."""
    phases_case(config, phases, seed=seed, stall=stall, counters=counters).run()


SLOW = {"3x4, weight zero points", "3x4, two macs", "16 bits, two macs", "narrow", "odd widths"}


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in CONFIGS]
)
def test_random_layers(name, stall):
    """Convolutions of every kind, psums folded over passes, results and counters."""
    config = Config(**{**SMALL, **CONFIGS[name]})
    random = Random(f"{name} {stall}")
    phases = [program.random_layers(config, random, 2, counters=not stall) for _ in range(2)]
    run(config, phases, seed=name, stall=stall, counters=not stall)


@pytest.mark.slow
def test_counter_block_is_held_until_it_is_taken():
    """The words of a counter block obey the stream rules like all others."""
    config = Config(**RECOVERY)
    phases = [program.random_layers(config, Random(7), 3, largest=600)]
    run(config, phases, seed="counters", stall=0.5)


RECOVERY = {**SMALL, "rows": 2, "cols": 2, "watchdog": 200}


def busy_start(config: Config, random: Random) -> list[int]:
    """A program up to a CONV that is under way, without END and without results."""
    stream = WordStream(config)
    random_convolution(config, random).append(stream, store=False)
    return stream.words


@pytest.mark.slow
@pytest.mark.parametrize("stall", [0.0, 0.3])
@pytest.mark.parametrize("width", [8, 16])
def test_refusals(width, stall):
    """Every refusal, at rest and in the middle of work; the program after it runs."""
    config = Config(**RECOVERY, data_width=width, noc_filter=4)
    random = Random(f"{width} {stall}")
    phases = []
    for name in REFUSALS:
        start = [] if name in STARTS else commands.begin(config_hash(config))
        if name not in STARTS and random.random() < 0.5:
            start = busy_start(config, random)
        phases.append(refused(config, name, start))
        phases.append(program.random_layers(config, random, 1, largest=600, counters=False))
    run(config, phases, seed=width, stall=stall)


@pytest.mark.slow
def test_reset_in_the_middle_of_work():
    """Whatever the accelerator was doing, after a reset it runs the next program."""
    config = Config(**RECOVERY, macs_per_pe=2)
    random = Random("reset")
    phases = []
    for _ in range(8):
        broken = program.random_layers(config, random, 2, counters=False)
        broken.reset_after = random.randint(1, 1500)
        phases += [broken, program.random_layers(config, random, 1, largest=600, counters=False)]
    run(config, phases, seed="reset", stall=0.2)


@pytest.mark.slow
def test_late_host():
    """A host that reads nothing for longer than the watchdog waits loses nothing."""
    config = Config(**RECOVERY)
    random = Random("late")
    phases = [
        program.random_layers(config, random, 1, largest=600, counters=False) for _ in range(2)
    ]
    for phase in phases:
        phase.deaf = 3000
    run(config, phases, seed="late", stall=0.2)


@pytest.mark.slow
def test_surplus_filters_do_not_reach_the_next_program():
    """Filters that no pass takes are an error, and gone when the next program runs."""
    config = Config(**RECOVERY)
    random = Random("surplus")
    stream = WordStream(config)
    random_convolution(config, random).append(stream, store=False, surplus=2)
    header = commands.RESULT.pack(
        {"block": ResultBlock.STATUS, "status": Status.BAD_LENGTH, "length": 1}
    )
    phases = [
        program.Phase(stream.end().words, [*header, 0], [program.ALL, 0]),
        program.random_layers(config, random, 4, largest=600, counters=False),
    ]
    run(config, phases, seed="surplus", stall=0.0)


def test_boxes_walk_backwards():
    """Strides count modulo 2^20: a box may go down."""
    config = Config(**RECOVERY)
    words = list(range(1, 25))
    down = {"address": 200, "run": 4, "rows": 3, "planes": 2, "words": 24}
    down |= {"row_stride": (1 << 20) - 8, "plane_stride": (1 << 20) - 64}
    stream = WordStream(config)
    stream.command(Opcode.LOAD, commands.REGION, down, payload=words)
    stream.command(Opcode.STORE, commands.REGION, down, fence=True)
    run(config, [program.executed(config, stream)], seed="down", stall=0.3)

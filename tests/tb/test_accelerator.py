"""The whole accelerator on the emitted Verilog, in small configurations."""

from random import Random

import numpy as np
import pytest

from hw.arch import commands
from hw.arch.commands import Opcode, ResultBlock, Status
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from tb.cases.accelerator import phases_case
from tb.models import program
from tb.models.random_layers import random_convolution
from tb.models.refusals import REFUSALS, STARTS, refused
from tb.models.result_words import ALL, block_places
from tb.models.streams import WordStream
from tests.thorough import thorough

SMALL = {"buffer.banks": 12, "buffer.depth": 256, "post.channels": 64}
CONFIGS = {
    "2x2": {"array.rows": 2, "array.cols": 2, "control.watchdog": 200},
    "1x1": {"array.rows": 1, "array.cols": 1, "post.units": 2},
    "psums enter one by one": {
        "array.rows": 2,
        "array.cols": 2,
        "noc.psum_in": 1,
        "noc.psum_out": 4,
    },
    "3x4, weight zero points": {"array.rows": 3, "array.cols": 4, "pe.weight_zero_points": True},
    "3x4, two macs": {
        "array.rows": 3,
        "array.cols": 4,
        "pe.macs": 2,
        "buffer.width": 128,
        "post.units": 4,
    },
    "16 bits": {
        "array.rows": 3,
        "array.cols": 2,
        "array.data_width": 16,
        "array.psum_width": 24,
        "noc.filter": 4,
        "control.access_counters": True,
    },
    "16 bits, two macs": {
        "array.rows": 2,
        "array.cols": 2,
        "array.data_width": 16,
        "pe.macs": 2,
        "noc.filter": 2,
        "noc.ifmap": 2,
        "array.psum_width": 40,
        "buffer.banks": 16,
        "post.units": 2,
    },
    "narrow": {
        "array.rows": 5,
        "array.cols": 3,
        "buffer.width": 32,
        "array.psum_width": 16,
        "post.units": 2,
        "pe.ifmap_spad": 24,
        "noc.ifmap": 2,
        "noc.psum_in": 2,
        "noc.psum_out": 4,
        "noc.pipeline": 1,
        "control.pipeline": 1,
        "link.width": 16,
        "pe.zero_gating": False,
        "control.access_counters": True,
    },
    "odd widths": {
        "array.rows": 2,
        "array.cols": 3,
        "array.psum_width": 20,
        "noc.psum_in": 4,
        "noc.psum_out": 1,
        "noc.ifmap": 8,
        "noc.filter": 2,
        "pe.ifmap_spad": 9,
        "pe.psum_spad": 7,
        "pe.filter_spad": 36,
        "buffer.banks": 14,
        "buffer.act_banks": 8,
        "buffer.psum_banks": 6,
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
# Most of the time goes into a configuration's Verilog. What only these have alone is elsewhere with
# something else: two MACs at 16 bits, psums one by one as they leave at odd widths.
WIDER = {"psums enter one by one", "3x4, two macs", "16 bits"}
NAMES = [name for name in CONFIGS if name not in thorough(WIDER, set())]


@pytest.mark.parametrize("stall", [0.0, 0.4])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n in SLOW else []) for n in NAMES]
)
def test_random_layers(name, stall):
    """Convolutions of every kind, psums folded over passes, results and counters."""
    config = Config.of({**SMALL, **CONFIGS[name]})
    random = Random(f"{name} {stall}")
    phases = [program.random_layers(config, random, 2, counters=not stall)]
    run(config, phases, seed=name, stall=stall, counters=not stall)


@pytest.mark.slow
def test_counter_block_is_held_until_it_is_taken():
    """The words of a counter block obey the stream rules like all others."""
    config = Config.of(RECOVERY)
    phases = [program.random_layers(config, Random(7), 3, largest=600)]
    run(config, phases, seed="counters", stall=0.5)


SIXTEEN = {"array.data_width": 16, "noc.filter": 4, "array.psum_width": 24}
RECOVERY = {**SMALL, "array.rows": 2, "array.cols": 2, "control.watchdog": 200}


def busy_start(config: Config, random: Random) -> list[int]:
    """A program up to a CONV that is under way, without END and without results."""
    stream = WordStream(config)
    random_convolution(config, random, largest=thorough(300, 4000)).append(stream, store=False)
    return stream.words


@pytest.mark.slow
@pytest.mark.parametrize(("width", "stall"), [(8, 0.3), (16, 0.0)])
def test_refusals(width, stall):
    """Every refusal, at rest and in the middle of work; the program after it runs.

    At 16 bits, where the decoder is the same, every other one.
    """
    coding = "mask" if stall else "none"
    config = Config.of(
        {**RECOVERY, "array.data_width": width, "noc.filter": 4, "link.coding": coding}
    )
    random = Random(f"{width} {stall}")
    largest = thorough(60, 600)
    phases = []
    for name in [*REFUSALS][:: thorough(width // 8, 1)]:
        start = [] if name in STARTS else commands.begin(config_hash(config))
        if name not in STARTS and random.random() < 0.5:
            start = busy_start(config, random)
        phases.append(refused(config, name, start))
        phases.append(program.random_layers(config, random, 1, largest=largest, counters=False))
    run(config, phases, seed=width, stall=stall)


@pytest.mark.slow
@pytest.mark.parametrize("width", [8, 16])
def test_damaged_codes(width):
    """Damaged codes, one after another, with stalls: each ends its own program alone."""
    values = SIXTEEN if width == 16 else {"noc.filter": 4}
    config = Config.of(RECOVERY | values | {"link.coding": "mask"})
    start = commands.begin(config_hash(config))
    names = [name for name in REFUSALS if "code" in name]
    phases = [refused(config, name, start) for name in (*names, *reversed(names))]
    run(config, phases, seed=width, stall=0.3)


@pytest.mark.slow
def test_reset_in_the_middle_of_work():
    """Whatever the accelerator was doing, after a reset it runs the next program."""
    config = Config.of({**SMALL, **CONFIGS["16 bits, two macs"]})
    random = Random("reset")
    phases = []
    for _ in range(thorough(5, 8)):
        broken = program.random_layers(config, random, 2, counters=False)
        broken.reset_after = random.randint(1, 1500)
        phases += [broken, program.random_layers(config, random, 1, largest=600, counters=False)]
    run(config, phases, seed="reset", stall=0.2)


@pytest.mark.slow
def test_late_host():
    """A host that reads nothing for longer than the watchdog waits loses nothing."""
    config = Config.of(RECOVERY)
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
    config = Config.of(RECOVERY)
    random = Random("surplus")
    stream = WordStream(config)
    random_convolution(config, random).append(stream, store=False, surplus=2)
    header = commands.RESULT.pack(
        {"block": ResultBlock.STATUS, "status": Status.BAD_LENGTH, "length": 1}
    )
    phases = [
        program.Phase(stream.end().words, [*header, 0], [ALL, 0]),
        program.random_layers(config, random, 4, largest=600, counters=False),
    ]
    run(config, phases, seed="surplus", stall=0.0)


@pytest.mark.slow
def test_boxes_walk_backwards():
    """Strides count modulo 2^20: a box may go down."""
    config = Config.of(RECOVERY)
    words = list(range(1, 25))
    down = {"address": 200, "run": 4, "rows": 3, "planes": 2, "words": 24}
    down |= {"row_stride": (1 << 20) - 8, "plane_stride": (1 << 20) - 64}
    stream = WordStream(config)
    stream.command(Opcode.LOAD, commands.REGION, down, payload=words)
    stream.command(Opcode.STORE, commands.REGION, down, fence=True)
    run(config, [program.executed(config, stream)], seed="down", stall=0.3)


@pytest.mark.parametrize("stall", thorough([0.3], [0.0, 0.3]))
@pytest.mark.parametrize(
    "values",
    [
        {"buffer.width": 32, "noc.ifmap": 2, "post.units": 2},
        pytest.param({"buffer.width": 128, "control.pipeline": 1}, marks=pytest.mark.slow),
        pytest.param(SIXTEEN, marks=pytest.mark.slow),
    ],
    ids=["narrow", "wide", "16 bits"],
)
def test_boxes_are_stored_as_codes_where_these_are_shorter(values, stall):
    """Dense ones as they are; of channels that fill no word, only what is there counts."""
    config = Config.of(RECOVERY | values | {"link.coding": "mask"})
    stream, random = WordStream(config), np.random.default_rng(6)
    kind = f"int{config.array.data_width}"
    for channels in (1, config.lanes, config.lanes + 1):
        for zeros in (0, 0.5, 1):
            view = random.integers(-100, 100, (2, 3, 5, channels)).astype(kind)
            view[random.random(view.shape) < zeros] = 7
            whole = (2, 3, 5, -(-channels // config.lanes) * config.lanes)
            stream.load(np.full(whole, 77, kind), 0, fence=True).load(view, 0, fence=True)
            stream.store(view.shape, 0, zero=7, fence=True)
    phase = program.executed(config, stream)
    coded, raw = (
        block_places(phase.expected, kind) for kind in (ResultBlock.CODED, ResultBlock.DATA)
    )
    assert len(coded) >= 5
    assert raw
    run(config, [phase], seed="stored", stall=stall)


@pytest.mark.parametrize(
    "values",
    [
        {"buffer.width": 32, "noc.ifmap": 2, "post.units": 2},
        {"buffer.width": 128, "control.pipeline": 1},
        SIXTEEN,
    ],
    ids=["narrow", "wide", "16 bits"],
)
def test_few_channels_are_spread_over_buffer_words(values):
    """Boxes of every number of channels and pixels; what their words hold comes back whole."""
    config = Config.of(RECOVERY | values | {"link.coding": "mask"})
    stream, random = WordStream(config), np.random.default_rng(5)
    per_word = 64 // config.array.data_width
    for channels in (1, 2, 3):
        for pixels in (1, per_word // channels, per_word + 1, 4 * per_word + 3):
            view = random.integers(0, 100, (1, 2, pixels, channels)).astype(
                f"int{config.array.data_width}"
            )
            stream.load(np.full((1, 2, pixels, config.lanes), 77, view.dtype), 0, fence=True)
            stream.load(view, 0, fence=True).store((1, 2, pixels, config.lanes), 0)
            whole = np.zeros((1, 2, pixels, config.lanes), view.dtype)
            whole[..., :channels] = view
            stream.load(whole, 100, fence=True).store(whole.shape, 100)
    phase = program.executed(config, stream)
    places = block_places(phase.expected, ResultBlock.DATA)
    for spread, plain in zip(places[::2], places[1::2], strict=True):
        assert phase.expected[spread] == phase.expected[plain]
    run(config, [phase], seed="spread", stall=0.3)

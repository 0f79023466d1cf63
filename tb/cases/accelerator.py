"""Cases of the whole accelerator: random layers, each stored output equal to NumPy's."""

from functools import partial
from random import Random

from hw.arch.config import Config
from hw.top.accelerator import AcceleratorCore
from tb.cases.case import Case, Demand
from tb.models import program

_CYCLES = 60_000  # that a phase may take
# MACs a PE of a layer at most. Icarus simulates some hundred cycles a second of a large array: the
# more PEs, the smaller the layers.
_MACS = 4000
_LEAST_MACS = 300
_MACS_OF_ARRAY = 48_000
_FIRMWARES_SHARE = 100  # firmware moves every word by itself, so its layers are smaller still


def phases_case(
    config: Config,
    phases: list[program.Phase],
    *,
    seed: object,
    stall: float,
    counters: bool = False,
    name: str = "phases",
) -> Case:
    """Phases in turn; a seed names the stalls. `counters`: those of time are checked too."""
    return Case(
        name=name,
        block=partial(AcceleratorCore, config),
        bench="accelerator_bench",
        values={
            "config": config.as_dict(),
            "counters": counters,
            "phases": [phase.as_case() for phase in phases],
            "seed": repr(seed),
            "stall": stall,
            "limit": int(_CYCLES * _slowness(config) / (1 - stall)),
        },
    )


def _slowness(config: Config) -> int:
    """How much longer than an engine firmware takes."""
    return 20 if config.control.microcontroller else 1


def accelerator(config: Config, demand: Demand) -> list[Case]:
    """Convolutions of every kind with and without stalls, with a late host, after a reset.

    A processor in the place of the engines keeps no counters of time.
    """
    most = _MACS_OF_ARRAY // (config.array.rows * config.array.cols)
    largest = min(_MACS, max(_LEAST_MACS, most))
    largest //= _FIRMWARES_SHARE if config.control.microcontroller else 1
    rate = demand.rate(0.4)

    def layers(name: str, count: int, *, counters: bool = False) -> program.Phase:
        random = Random(repr((demand.seed, name)))
        return program.random_layers(config, random, count, largest=largest, counters=counters)

    def case(name: str, phases: list[program.Phase], stall: float, counters: bool = False) -> Case:
        return phases_case(
            config, phases, seed=(demand.seed, name), stall=stall, counters=counters, name=name
        )

    counted = not config.control.microcontroller
    late = layers("late host", 1)
    late.deaf = 1500
    broken = layers("broken", 1)
    broken.reset_after = Random(repr((demand.seed, "reset"))).randint(1, 1500)
    cases = [case("layers", [layers("first", 3, counters=counted)], 0.0, counted)]
    if rate:
        cases.append(case("layers_stalled", [layers("second", 2)], rate))
    return [*cases, case("reset_late_host", [broken, layers("after reset", 1), late], rate / 2)]

"""The properties of some configurations, proven one after the other."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hw.arch.config import Config
from hw.base.block import Block
from hw.properties.catalogue import properties_of
from hw.properties.harness.property import Property
from hw.top.accelerator import AcceleratorCore
from rowforge.proving.solver import Proof, prove
from sw_driver.arrays import check_folder


@dataclass(frozen=True)
class ProvenProperty:
    """A property and what became of it."""

    demand: Property
    proof: Proof


def designs(configs: Iterable[Config]) -> Iterator[Block]:
    """What the blocks are taken from: the accelerators of the configurations."""
    for config in configs:
        yield AcceleratorCore(config)


def prove_all(
    tops: Iterable[Block],
    *,
    number: int | None = None,
    seconds: float,
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[ProvenProperty]:
    """Prove each distinct property of some designs, each within some seconds.

    Parameters
    ----------
    tops : iterable of Block
        The designs.
    number : int or None
        Properties of this number alone.
    seconds : float
        Limit for each.
    folder : path
        Where counterexamples go, made when there is one.
    progress : callable
        Is told what is proven next.
    """
    check_folder(folder)
    demands = [one for one in properties_of(tops) if number in (None, one.number)]
    for place, demand in enumerate(demands, 1):
        progress(f"{place} of {len(demands)}: {demand.subject}")
        wave = folder / f"{type(demand).__name__}-{place}.vcd"
        yield ProvenProperty(demand, prove(demand, seconds=seconds, wave=wave))

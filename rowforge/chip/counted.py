"""Layers with their accesses, of our schedule and of the chip's: `Counted`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from compiler.options import CompileOptions
from compiler.workloads.networks import conv_layers, network_layers
from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.config import Config
from hw.arch.energy import EnergyBill, bill, technology
from rowforge.chip.published_energy import ISCA_BATCH, ISCA_RF_A_MAC
from rowforge.chip.schedule import chip_layers
from rowforge.configs import preset
from rowforge.energy.layer_tally import LayerTally, layer_tally
from rowforge.reports.published import PUBLISHED
from rowforge.running.crop import Workload
from rowforge.running.progress import Progress

NETWORK, CHIP = "alexnet", "eyeriss_v1"


@dataclass(frozen=True)
class Counted:
    """Layers by name with their accesses, for so many items."""

    config: Config
    batch: int
    tallies: Mapping[str, LayerTally]

    def bill(
        self,
        names: Iterable[str] | None = None,
        *,
        table: str = "normalised",
        skipping: bool = True,
        isca: bool = False,
    ) -> EnergyBill:
        """The energy of some layers, or of all.

        skipping : products of zeros are skipped where the tallies know how many there are
        isca : by the rule of ISCA 2016, four accesses of a register file for every product
        """
        total = EnergyBill(technology(table), {})
        for name in self.tallies if names is None else names:
            tally = self.tallies[name]
            accesses = _isca(tally) if isca else tally.accesses
            gated = (tally.gated_macs or 0) if skipping and not isca else 0
            total += bill(self.config, technology(table), accesses, gated_macs=gated)
        return total


def _isca(tally: LayerTally) -> Accesses:
    """The accesses of a tally with those of its scratchpads by the rule of ISCA 2016."""
    words = {access: n for access, n in tally.accesses.items() if access.level is not Level.SPAD}
    words[Access(Level.SPAD, DataType.PSUM, Direction.READ)] = ISCA_RF_A_MAC * tally.macs
    return Accesses.of(words)


def our_layers(config: Config, options: CompileOptions) -> tuple[Counted, Counted]:
    """Our schedule with the products of zeros skipped and without; of dense layers nobody knows."""
    table, progress = PUBLISHED[NETWORK], Progress()
    sparse, dense = {}, {}
    shapes = network_layers(NETWORK)
    for number, shape in enumerate(shapes, start=1):
        progress.show(f"{shape.name} ({number} of {len(shapes)})", (number - 1) / len(shapes))
        layer = Workload(config, shape, ISCA_BATCH, options).layer
        known = table.layers.get(shape.name)
        gated = round(layer.macs * known.zeros) if known is not None else None
        sparse[shape.name] = layer_tally(layer, gated_macs=gated)
        dense[shape.name] = layer_tally(layer)
    progress.clear()
    return Counted(config, ISCA_BATCH, sparse), Counted(config, ISCA_BATCH, dense)


def dense_layers(config: Config, network: str, batch: int, options: CompileOptions) -> Counted:
    """Our schedule of a network's layers, each a network of its own, nothing skipped."""
    progress, tallies = Progress(), {}
    shapes = network_layers(network)
    for number, shape in enumerate(shapes, start=1):
        done = (number - 1) / len(shapes)
        progress.show(f"{network} {shape.name} ({number} of {len(shapes)})", done)
        tallies[shape.name] = layer_tally(Workload(config, shape, batch, options).layer)
    progress.clear()
    return Counted(config, batch, tallies)


def chips_layers() -> tuple[Counted, Counted]:
    """The chip's schedule, likewise."""
    table, config = PUBLISHED[NETWORK], preset(CHIP)
    layers = chip_layers(NETWORK, conv_layers(NETWORK), table)
    sparse = {layer.shape.name: layer.tally for layer in layers}
    dense = {layer.shape.name: layer.dense_tally for layer in layers}
    return Counted(config, table.batch, sparse), Counted(config, table.batch, dense)

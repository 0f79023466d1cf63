"""Published figures of energy: of the dataflow, of networks, of the chip.

Sources: ISCA 2016 is Y.-H. Chen et al., "Eyeriss: A Spatial Architecture for Energy-Efficient
Dataflow"; Asilomar 2017 is T.-J. Yang et al., "A Method to Estimate the Energy Consumption of Deep
Neural Networks"; ISSCC 2016 and JSSC 2017 are the papers on the chip. The figures by layer are
those to which the authors of nn_dataflow compare their model of ISCA 2016, figure 10: 16 items,
256 PEs, a register file of 0.5 kB and a buffer of 128 kB. They are not printed in the paper.
"""

from dataclasses import dataclass

ISCA, ASILOMAR, ISSCC, JSSC = "ISCA 2016", "Asilomar 2017", "ISSCC 2016", "JSSC 2017"

ISCA_BATCH = 16
ISCA_RF_A_MAC = 4
"""Accesses of the register file for a product: both operands, the psum read and written."""


@dataclass(frozen=True)
class LayerEnergy:
    """Energy of a layer in 10^9 MACs: of products, DRAM and register files."""

    mac: float
    dram: float
    rf: float


ISCA_LAYERS = {
    "conv1": LayerEnergy(1.69, 2.46, 6.75),
    "conv2": LayerEnergy(3.58, 2.27, 14.33),
    "conv3": LayerEnergy(2.39, 2.02, 9.57),
    "conv4": LayerEnergy(1.79, 1.57, 7.18),
    "conv5": LayerEnergy(1.20, 1.05, 4.78),
    "fc6": LayerEnergy(0.60, 7.78, 2.42),
    "fc7": LayerEnergy(0.27, 3.39, 1.07),
    "fc8": LayerEnergy(0.07, 0.84, 0.26),
}
"""AlexNet's layers."""

ASILOMAR_TYPES = {"MACs": 0.10, "ifmap": 0.25, "filter": 0.22, "psum and ofmap": 0.43}
"""Of GoogLeNet's energy, by Asilomar 2017: shares of products and of each type of data."""

"""A technology table of `tiny` on IHP SG13G2, and how well it tells the energy of another layer.

    python -m tests.campaigns.netlist.energy FOLDER

The folder is one that `tests.campaigns.netlist.asic -o FOLDER` has filled. Each level above 5 % of
the other layer's energy must be predicted within 20 %.
"""

import argparse
import sys
from pathlib import Path

from hw.asic.netlist.netlist import Netlist
from hw.asic.process import IHP_SG13G2
from rowforge.asic.fitted import FITTED, fitted_technology, predicted, replay_text
from rowforge.asic.flow import CornerLibraries, read_corners
from rowforge.asic.replay import Replay, replay
from rowforge.configs import preset
from rowforge.testbench.network import one_convolution
from sim.netlist.gates.design import GateDesign, gate_design
from tests.campaigns.netlist.asic import liberty_files
from tests.support.missed import Condition, conclude

OTHER = (9, 4, 12, 5)
PERIOD_NS = 10.0
_SHARE, _TOLERANCE = 0.05, 0.2


def _replayed(
    shape: tuple[int, int, int, int], corner: CornerLibraries, netlist: Netlist, design: GateDesign
) -> Replay:
    """A convolution of this shape on the netlist; what it took is printed."""
    config = preset("tiny")
    graph = one_convolution(config, *shape)
    found = replay(config, corner, netlist, design, graph, period_ns=PERIOD_NS)
    print(replay_text(found), flush=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="with netlist.v")
    parser.add_argument("--table", type=Path, help="where the table goes")
    arguments = parser.parse_args()
    corner = read_corners(IHP_SG13G2, liberty_files())[0]
    netlist = Netlist((arguments.folder / "netlist.v").read_text(), "rowforge")
    design = gate_design(netlist, IHP_SG13G2, corner.cells.library)
    fitted = _replayed(FITTED, corner, netlist, design)
    table = fitted_technology(preset("tiny"), fitted, process=IHP_SG13G2.name, corner=corner.name)
    if arguments.table is not None:
        arguments.table.write_text(table)
    return conclude(conditions(_replayed(OTHER, corner, netlist, design), table))


def conditions(other: Replay, table: str) -> list[Condition]:
    """The table's word on a layer beside its replay."""
    found: list[Condition] = []
    for level, joules in predicted(preset("tiny"), table, other).items():
        spent = other.spent[level]
        text = f"{level}: {1e9 * joules:.2f} nJ by the table, {1e9 * spent:.2f} nJ replayed"
        print(text, flush=True)
        close = abs(joules - spent) <= _TOLERANCE * spent
        found.append((close or spent < _SHARE * other.total, text))
    return found


if __name__ == "__main__":
    sys.exit(main())

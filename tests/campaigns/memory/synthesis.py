"""What yosys makes of a controller."""

import json
import tempfile
from pathlib import Path

from hw.emit.verilog import emit
from hw.emit.yosys import run_yosys
from hw.memory.sdram.controller import SdramController
from sim.memory.cases import SdramCase

FLOWS = {"ecp5": "synth_ecp5", "gowin": "synth_gowin"}


def cells(case: SdramCase, family: str) -> dict[str, int]:
    """Number of cells of each type, flattened, without pads."""
    verilog = emit(SdramController(case.chip, case.timing), "sdram")
    with tempfile.TemporaryDirectory(prefix="rowforge-") as name:
        folder = Path(name)
        (folder / "sdram.v").write_text(verilog)
        script = f"read_verilog sdram.v; {FLOWS[family]} -top sdram; tee -q -o stat.json stat -json"
        run_yosys(script, folder)
        counted = json.loads((folder / "stat.json").read_text())["modules"]["\\sdram"]
    return {
        kind: number
        for kind, number in sorted(counted["num_cells_by_type"].items())
        if not kind.startswith("$") and kind not in ("IBUF", "OBUF", "GND", "VCC")
    }

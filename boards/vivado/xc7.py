"""The xc7 family: yosys counts what the design needs, Vivado's scripts make the bitstream."""

from pathlib import Path

from boards.common import design
from boards.common.board import AxiLink, Board
from boards.common.report import BuildReport, begin
from boards.common.tools import Clock
from boards.common.top import DESIGN
from boards.families.family import Progress
from boards.vivado.xilinx import measure, write_part
from hw.arch.config import Config
from hw.emit.prefix import PREFIX
from hw.emit.yosys import yosys_version

_WORK = "yosys"  # folder of the netlists


def build_xc7(
    board: Board,
    config: Config,
    out_dir: Path,
    seed: int,
    progress: Progress,
    prefix: str = PREFIX,
) -> BuildReport:
    """Sources, a Vivado script, and what the design needs of the part; see `boards.flows.build`.

    Nothing is placed: `fmax_mhz` and `met` are None, `array` and `depth` are filled in.
    """
    clock = Clock()
    report = begin(board, config, seed)
    progress("writing Verilog")
    if isinstance(board.link, AxiLink):
        files = write_part(config, out_dir, part=board.part, clock_hz=board.clock, prefix=prefix)
        found = measure(files[0], out_dir / _WORK, top=prefix, progress=progress)
    else:
        sources = design.sources(board, config)
        design.write(sources, out_dir)
        files = [out_dir / name for name in sources.files]
        verilog = out_dir / design.VERILOG
        found = measure(verilog, out_dir / _WORK, top=DESIGN, progress=progress)
    whole = found["whole"]
    report.lut, report.ff, report.dsp = whole["lut"], whole["ff"], whole["dsp"]
    report.block_ram = -int(-whole["block_ram"] // 1)
    report.array, report.depth, report.cells = found["array"], found["depth"], found["cells"]
    report.tools = {"yosys": yosys_version()}
    report.files = {str(path.relative_to(out_dir)): path.stat().st_size for path in files}
    report.wall_s, report.cpu_s = round(clock.wall, 1), round(clock.cpu, 1)
    return report

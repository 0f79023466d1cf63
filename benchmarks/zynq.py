"""Files for a Zynq board and the report of what they need of it.

    python -m benchmarks.zynq [--preset P] -o DIR [--report F.json]

The report of `eyeriss_v1_int8_x2` is kept in `RESULT`.
"""

import argparse
import json
import time
from pathlib import Path

from boards.xilinx import build_zynq
from rowforge.configs import preset
from rowforge.progress import Progress

RESULT = Path(__file__).parents[1] / "docs" / "results" / "zynq_7020.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="eyeriss_v1_int8_x2")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--report", type=Path, metavar="F.json")
    arguments = parser.parse_args()
    begin = time.monotonic()
    report = build_zynq(preset(arguments.preset), arguments.output, progress=Progress().show)
    report = {
        "preset": arguments.preset,
        **report,
        "wall_s": round(time.monotonic() - begin, 1),
        "command": f"python -m benchmarks.zynq --preset {arguments.preset} -o DIR",
    }
    text = json.dumps(report, indent=1) + "\n"
    (arguments.report or arguments.output / "report.json").write_text(text, encoding="utf-8")
    for name, limit in report["available"].items():
        used = report["whole"][name]
        print(f"{name:<10} {used:>8,} of {limit:>8,}, in the array {report['array'][name]:,}")
    print(f"{'depth':<10} {report['depth']['levels']:>8} levels")
    if report["exceeded"]:
        print(f"more than there is: {', '.join(report['exceeded'])}")


if __name__ == "__main__":
    main()

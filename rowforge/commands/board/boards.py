"""List the boards: part, link, preset, and what the last measured build came to."""

import argparse
import json
from typing import Any

from boards.catalogue import BOARDS
from boards.common.board import Board
from rowforge.configs import preset
from rowforge.reports.measured import measured

_FIGURES = (
    "pes",
    "multipliers",
    "lut",
    "ff",
    "dsp",
    "block_ram",
    "fmax_mhz",
    "target_mhz",
    "met",
    "gmac_per_s",
    "seed",
    "configuration_hash",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How to print."""
    parser.add_argument("--json", action="store_true", help="one object, all figures")


def run(args: argparse.Namespace) -> int:
    """Print them."""
    if args.json:
        print(json.dumps({name: _document(item) for name, item in BOARDS.items()}, indent=1))
        return 0
    lines = [("board", "device", "link", "preset", "last measured build")]
    lines += [(*_facts(item), _figures(measured(item.name))) for item in BOARDS.values()]
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())
    return 0


def _facts(item: Board) -> tuple[str, str, str, str]:
    return item.name, item.part, str(item.link), item.preset


def _figures(report: dict[str, Any] | None) -> str:
    if report is None:
        return "not measured"
    share = 100 * report["lut"] / report["available"]["lut"]
    clock = ""
    if report["fmax_mhz"] is not None:
        clock = f", {report['fmax_mhz']:.1f} MHz for {report['target_mhz']:g}"
        clock += "" if report["met"] else " (not met)"
    return (
        f"{report['pes']} PEs{clock}, {share:.0f} % of LUTs, {report['dsp']} DSP, "
        f"{report['block_ram']} RAM"
    )


def _document(item: Board) -> dict[str, Any]:
    config = preset(item.preset)
    report = measured(item.name)
    figures = None if report is None else {name: report[name] for name in _FIGURES}
    return {
        "title": item.title,
        "device": item.part,
        "family": item.family,
        "link": str(item.link),
        "wiring": item.link.note,
        "clock_mhz": item.clock / 1e6,
        "preset": item.preset,
        "pes": config.array.rows * config.array.cols,
        "measured": figures,
    }

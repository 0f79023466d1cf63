"""The tables of docs/boards.md: `python -m benchmarks.boards [--models FOLDER]`.

Without --models the page's tables are made of the results at hand. With it, the four MLPerf Tiny
models run on the RTL with each board's configuration first (--board B, --model M: with these only),
every layer compared with the golden model; the cycles of the plain run go to
docs/results/board_models.json.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.page import render
from benchmarks.results import RESULTS, ROOT, commit, tools
from boards.catalogue import BOARDS
from boards.common.board import Board, SerialLink
from hw.arch.config.file import config_hash
from rowforge.configs import preset
from rowforge.reports.measured import measured
from rowforge.reports.texttable import Column, apart, markdown_table

PAGE = ROOT / "docs" / "boards.md"
MODELS = {
    "pretrainedResnet_quant": "ResNet-8",
    "kws_ref_model": "keyword spotting",
    "vww_96_int8": "visual wake words",
    "ad01_int8": "anomaly detection",
}
CYCLES = RESULTS / "board_models.json"

# Milliseconds an inference, as published: MLPerf Tiny submissions and fpgaConvNet's paper.
PUBLISHED = {
    "pretrainedResnet_quant": {"GAP9": 0.616, "fpgaConvNet": 0.411, "STM32H7": 40.8},
    "kws_ref_model": {"GAP9": 0.476, "fpgaConvNet": 0.324, "STM32H7": 11.3},
    "vww_96_int8": {"GAP9": 1.125, "fpgaConvNet": 9.49, "STM32H7": 23.8},
}

_BITS = 10  # of a byte on a serial line, start and stop bits included
_FRAMED, _PAYLOAD = 2083, 2048  # bytes of the largest frame, and those of them that are words

_BUILDS = (
    Column("board", "name", left=True),
    Column("device", "device", left=True),
    Column("link", "link", left=True),
    Column("PEs", "pes"),
    Column("fmax, MHz", "fmax_mhz", ".1f"),
    Column("clock, MHz", "target_mhz", "g"),
    Column("peak GMAC/s", "gmac_per_s", ".2f"),
    Column("built in, min", "minutes", ".0f"),
    Column("LUT", "lut"),
    Column("of the part", "share", "%"),
    Column("FF", "ff"),
    Column("DSP", "dsp"),
    Column("block RAM", "block_ram"),
)
_TIMES = (
    Column("board", "board", left=True),
    Column("model", "model", left=True),
    Column("cycles", "cycles"),
    Column("compute, ms", "compute", ".2f"),
    Column("link, kB a run", "kilobytes", ",.0f"),
    Column("first run, ms", "first", ",.0f"),
    Column("steady state, ms", "steady", ",.0f"),
)


def builds() -> str:
    """Every board and its last measured build."""
    rows: list[dict[str, Any]] = []
    commands = []
    for item in BOARDS.values():
        report = measured(item.name) or {}
        facts = {"name": item.name, "device": item.part, "link": str(item.link)}
        config = preset(item.preset)
        row = {"pes": config.array.rows * config.array.cols, **report, **facts}
        if report:
            row["share"] = report["lut"] / report["available"]["lut"]
            row["minutes"] = report["wall_s"] / 60
            made = f"seed {report['seed']}, commit {report['commit']}"
            commands.append(f"- {item.name}: `{report['command']}`, {made}")
            if report["met"] is False:
                row["name"] += " (clock not met)"
        rows.append(row)
    parts = [markdown_table(part, rows) for part in apart(_BUILDS, "lut")]
    return "\n\n".join([*parts, "\n".join(commands)])


def times(cycles: Mapping[str, Any]) -> str:
    """The models on each board."""
    rows = [
        _time(item, model, cycles["boards"][item.name][model])
        for item in BOARDS.values()
        for model in MODELS
        if model in cycles.get("boards", {}).get(item.name, {})
    ]
    if not rows:
        return "*Not measured yet.* `python -m benchmarks.boards --models FOLDER`"
    return f"{markdown_table(_TIMES, rows)}\n\n`{cycles['command']}`, commit {cycles['commit']}"


def peers(cycles: Mapping[str, Any]) -> str:
    """The boards' steady state in milliseconds beside published figures."""
    systems = list(next(iter(PUBLISHED.values())))
    columns = [Column("system", "system", left=True)]
    columns += [Column(MODELS[model], model) for model in PUBLISHED]
    rows: list[dict[str, Any]] = [
        {"system": system, **{model: f"{PUBLISHED[model][system]:,.3g}" for model in PUBLISHED}}
        for system in systems
    ]
    for name in BOARDS:
        found = cycles.get("boards", {}).get(name, {})
        times = {m: _time(BOARDS[name], m, found[m]).get("steady") for m in PUBLISHED if m in found}
        shown = {model: f"{time:,.0f}" for model, time in times.items() if time is not None}
        if shown:
            rows.append({"system": name, **shown})
    return markdown_table(columns, rows)


def _time(item: Board, model: str, total: Mapping[str, Any]) -> dict[str, Any]:
    """Milliseconds of a model; the first run waits for every byte, later ones overlap."""
    compute = 1e3 * total["cycles"] / item.clock
    row = {
        "board": item.name,
        "model": MODELS[model],
        "cycles": total["cycles"],
        "compute": compute,
        "kilobytes": total["link_bytes"] / 1e3,
    }
    if isinstance(item.link, SerialLink):
        line = 1e3 * total["link_bytes"] * _FRAMED / _PAYLOAD * _BITS / item.link.baud
        row |= {"first": line + compute, "steady": max(line, compute)}
    return row


def measure(folder: Path, names: Sequence[str], models: Sequence[str]) -> dict[str, Any]:
    """Run models on the RTL of boards; boards of one preset share their runs."""
    before: dict[str, Any] = _read()
    found: dict[str, Any] = before.get("boards", {})
    by_preset: dict[str, dict[str, Any]] = {}
    for name in names:
        chosen = BOARDS[name].preset
        if chosen not in by_preset:
            by_preset[chosen] = {model: _run(folder, model, chosen) for model in models}
        found[name] = found.get(name, {}) | by_preset[chosen]
    return {
        "command": "python -m benchmarks.boards --models FOLDER",
        "commit": commit(),
        "tools": tools(simulated=True),
        "boards": found,
    }


def _run(folder: Path, model: str, chosen: str) -> dict[str, Any]:
    """The plain run's figures; every layer is compared in a run of its own."""
    words = ["run", str(folder / f"{model}.tflite"), "--preset", chosen, "--target", "rtl"]
    command = [sys.executable, "-m", "rowforge", *words, "--check", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    total = json.loads(done.stdout)["total"]
    return {
        "preset": chosen,
        "configuration_hash": f"{config_hash(preset(chosen)):016x}",
        **{name: total[name] for name in ("macs", "cycles", "model_cycles", "link_bytes")},
    }


def _read() -> dict[str, Any]:
    if not CYCLES.is_file():
        return {}
    document: dict[str, Any] = json.loads(CYCLES.read_text("utf-8"))
    return document


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, help="folder of the MLPerf Tiny models")
    parser.add_argument("--board", action="append", choices=list(BOARDS), help="only this one")
    parser.add_argument("--model", action="append", choices=list(MODELS), help="only this one")
    options = parser.parse_args(arguments)
    cycles = _read()
    if options.models is not None:
        serial = [item.name for item in BOARDS.values() if isinstance(item.link, SerialLink)]
        cycles = measure(options.models, options.board or serial, options.model or list(MODELS))
        CYCLES.write_text(json.dumps(cycles, indent=1) + "\n", encoding="utf-8")
    page = PAGE.read_text("utf-8")
    tables = {"boards": builds(), "models": times(cycles), "peers": peers(cycles)}
    PAGE.write_text(render(page, tables), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

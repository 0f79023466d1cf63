"""Coverage of the emitted Verilog: `python -m tests.campaigns.coverage.run --config tiny`.

Benches, random layers, random networks, the first operators of the MLPerf Tiny models, refused,
damaged and random command streams; of the framed link whole and damaged frames. All results that
mean something are compared. Exit status 1 if one is wrong, if a share of an accelerator is below
its aim, if a waiver is wrong, or if a functional point was not seen.
"""

import argparse
import json
import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random

from benchmarks.results import commit
from rowforge.benching import chosen_blocks, run_benches
from rowforge.configs import named_config
from rowforge.covering.merged import MergedCoverage
from rowforge.covering.report import CoverageReport
from rowforge.covering.waivers import shipped_waivers, waived_points
from sim.coverage.library import covered_core, covered_framed_loopback
from sim.coverage.points import PointKind
from tests.campaigns.coverage import broken, frames, sound
from tests.campaigns.coverage.device import CoveredDevice
from tests.support.missed import Condition, conclude

# Of accelerators. The framed link has no aim for toggles: its counters of frames are 16 bits wide.
AIMS = {PointKind.LINE: 0.98, PointKind.BRANCH: 0.95, PointKind.TOGGLE: 0.92}
LINK = "link"
_FOLDER = Path("build/coverage")


def measured(
    config_name: str, options: argparse.Namespace, folder: Path
) -> tuple[CoverageReport, list[str]]:
    """Run everything on a configuration; the report, and what is wrong with its waivers."""
    config = named_config(config_name)
    covered = covered_core(config)
    coverage = MergedCoverage(covered.design)
    device = CoveredDevice(config, covered, seed=options.seed)
    random = Random(options.seed)
    for number in range(options.layers):
        device.stall(random.getrandbits(20) if number % 2 else None)
        good = sound.layers(device, random, largest=options.largest)
    device.stall(None)
    _say(f"{3 * options.layers} random layers", device)
    for name, phase in broken.refusals(config):
        broken.refuse(device, phase)
        _say(f"refused: {name}", device, always=False)
    sent = broken.provoke_all(device, random, good.words, options.broken)
    sound.layers(device, random, largest=options.largest)
    _say(f"{sent} wrong programs, after which a right one runs", device)
    if sound.present():
        for model in sound.TINY_MODELS:
            sound.first_operators(device, model)
            _say(f"first operators of {model}", device)
    else:
        _say("without the models of MLPerf Tiny: ROWFORGE_WORKLOADS names their folder", device)
    themes = [sound.network(device, options.seed, n) for n in range(options.networks)]
    _say(f"{sum(map(bool, themes))} random networks, {themes.count('')} refused", device)
    if options.watchdog:
        broken.watchdog(device)
        _say("a host that falls silent", device)
    coverage.add(device.hits(), covered.design)
    if options.benches:
        _benches(config_name, folder, coverage)
    waived, wrong = waived_points(coverage, shipped_waivers(), config_name)
    report = CoverageReport(
        title=f"Coverage of {config_name}, seed {options.seed}",
        coverage=coverage,
        waived=waived,
        functional=device.functional.counts,
    )
    return report, wrong


def _benches(config_name: str, folder: Path, coverage: MergedCoverage) -> None:
    config = named_config(config_name)
    blocks = chosen_blocks(config, None)
    for outcome in run_benches(
        config, folder, blocks=blocks, simulator="verilator", coverage=coverage
    ):
        assert not outcome.failure, f"{outcome.block} {outcome.case}: {outcome.failure}"


def measured_link(options: argparse.Namespace) -> tuple[CoverageReport, list[str]]:
    """Frames, whole and damaged, through the framed link before a queue."""
    covered = covered_framed_loopback()
    coverage = MergedCoverage(covered.design)
    coverage.add(frames.run(covered, options.seed, options.frames), covered.design)
    waived, wrong = waived_points(coverage, shipped_waivers(), LINK)
    title = f"Coverage of the framed link before a queue, seed {options.seed}"
    return CoverageReport(title=title, coverage=coverage, waived=waived), wrong


def conditions(
    report: CoverageReport, wrong: Sequence[str], aims: Mapping[PointKind, float]
) -> Iterator[Condition]:
    """What a report must show."""
    for kind in PointKind:
        total = report.total(kind)
        # A share of nothing is 1, and would meet any aim.
        yield total.points > total.waived, f"{report.title}: no points of kind {kind} to reach"
    if report.functional is not None:
        yield bool(report.functional), f"{report.title}: no functional points to see"
    for kind, aim in aims.items():
        reached = report.total(kind).share
        yield reached >= aim, f"{report.title}: {kind} {reached:.2%}, the aim is {aim:.0%}"
    for sentence in wrong:
        yield False, sentence
    for point, count in (report.functional or {}).items():
        yield bool(count), f"{report.title}: never seen: {point}"


def _say(what: str, device: CoveredDevice, *, always: bool = True) -> None:
    if always:
        print(
            f"{time.strftime('%H:%M:%S')} {device.engine.total_cycles} cycles: {what}", flush=True
        )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tests.campaigns.coverage.run", description=__doc__.partition("\n")[0]
    )
    parser.add_argument(
        "--config",
        action="append",
        metavar="C",
        help=f"a preset, a .toml file, or `{LINK}` for the framed link (tiny); may be repeated",
    )
    parser.add_argument("--seed", type=int, default=1, help="of all that is random (1)")
    parser.add_argument("--layers", type=int, default=12, help="programs of three layers (12)")
    parser.add_argument("--largest", type=int, default=2000, help="MACs of a PE in these (2000)")
    parser.add_argument("--networks", type=int, default=40, help="random networks (40)")
    parser.add_argument("--broken", type=int, default=100, help="random wrong programs (100)")
    parser.add_argument("--frames", type=int, default=300, help="frames through the link (300)")
    parser.add_argument(
        "--watchdog",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="wait for the watchdog once, a million cycles",
    )
    parser.add_argument(
        "--benches",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="run the benches, too, each on a simulation of its own",
    )
    parser.add_argument("-o", "--output", type=Path, help="results of all as JSON")
    return parser


def made_by(name: str, given: Sequence[str]) -> dict[str, str]:
    """The commit, and the arguments that measure a configuration again; defaults are left out."""
    parser = _parser()
    parts = ["--config", name]
    for option, value in vars(parser.parse_args(given)).items():
        if option in ("config", "output") or value == parser.get_default(option):
            continue
        if isinstance(value, bool):
            parts.append(f"--{option}" if value else f"--no-{option}")
        else:
            parts += [f"--{option}", str(value)]
    return {"commit": commit(), "arguments": shlex.join(parts)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line; returns the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    met: list[Condition] = []
    documents = []
    for name in options.config or ["tiny"]:
        folder = _FOLDER / Path(name).stem
        folder.mkdir(parents=True, exist_ok=True)
        report, wrong = measured_link(options) if name == LINK else measured(name, options, folder)
        report.write(folder)
        print(report.text())
        met += conditions(report, wrong, {} if name == LINK else AIMS)
        documents.append({**made_by(name, given), **report.document()})
    if options.output is not None:
        options.output.write_text(json.dumps(documents, indent=1) + "\n", encoding="utf-8")
    return conclude(met)


if __name__ == "__main__":
    sys.exit(main())

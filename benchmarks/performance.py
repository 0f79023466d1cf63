"""Measures, keeps the results in docs/results/, renders the pages of figures and their pictures.

python -m benchmarks.performance                        # all that the model tells, in minutes
python -m benchmarks.performance --group energy         # what is accessed, and what it costs
python -m benchmarks.performance --group rtl            # the published networks on the RTL
python -m benchmarks.performance --group tiny --models FOLDER
python -m benchmarks.performance alexnet vgg16          # some measurements by name
python -m benchmarks.performance --render               # the page only, from the kept results
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.commands import BENCHMARKS, GROUPS, MODEL, TINY, Benchmark
from benchmarks.energy_tables import energy_pictures, energy_tables
from benchmarks.page import PAGES, render_all
from benchmarks.results import BenchmarkError, load_all, measure, save
from benchmarks.tables import tables


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0, 1 if a command failed, 2 for bad use."""
    args = _parser().parse_args(arguments)
    chosen = [] if args.render else _chosen(args.names, args.group)
    needy = [benchmark.name for benchmark in chosen if benchmark.model and args.models is None]
    if needy:
        sys.stderr.write(f"give --models FOLDER, where {', '.join(needy)} find their models\n")
        return 2
    for number, benchmark in enumerate(chosen, start=1):
        print(f"[{number}/{len(chosen)}] {benchmark.command}", flush=True)
        try:
            result = measure(benchmark, args.models)
        except BenchmarkError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        save(benchmark, result)
        render_page()
    render_page()
    return 0


def render_page() -> None:
    """Bring pages and pictures up to date with the kept results."""
    results = load_all()
    texts = render_all({**tables(results), **energy_tables(results)})
    for path, text in (*zip(PAGES, texts, strict=True), *energy_pictures(results).items()):
        path.write_text(text, encoding="utf-8")


def _chosen(names: Sequence[str], group: str) -> list[Benchmark]:
    if names:
        return [benchmark for benchmark in BENCHMARKS if benchmark.name in names]
    return [benchmark for benchmark in BENCHMARKS if benchmark.group == group]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.performance",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    known = [benchmark.name for benchmark in BENCHMARKS]
    parser.add_argument(
        "names", nargs="*", choices=[*known, []], metavar="NAME", help=f"of {', '.join(known)}"
    )
    groups = "; ".join(f"{name}: {text}" for name, text in GROUPS.items())
    parser.add_argument("--group", choices=GROUPS, default=MODEL, help=groups)
    parser.add_argument(
        "--models", type=Path, metavar="FOLDER", help=f"of the models of group {TINY}"
    )
    parser.add_argument("--render", action="store_true", help="measure nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())

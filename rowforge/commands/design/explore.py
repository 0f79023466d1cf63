"""Search for the configurations that fit models and a budget best."""

import argparse
import json
import os
from pathlib import Path
from typing import Any

from hw.arch.errors import RowforgeError
from rowforge.exploring.evaluators import evaluator
from rowforge.exploring.front import front
from rowforge.exploring.output import front_text, write_front
from rowforge.exploring.placement import check_placing, placed, placed_text
from rowforge.exploring.search import search
from rowforge.exploring.space import SearchSpace, read_space
from rowforge.exploring.verdict import synthesised, synthesised_text
from rowforge.running.progress import Progress
from sw_driver.arrays import check_folder

_JOURNAL, _COPY = "journal.log", "space.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A space, a folder, who evaluates."""
    parser.add_argument("space", type=Path, metavar="SPACE.toml", help="what is searched")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder, made if absent; a search that was cut short goes on where it stopped",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes that evaluate (default: as many as there are processors)",
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="evaluate on a Dask cluster, as tcp://host:8786"
    )
    parser.add_argument(
        "--synth",
        type=int,
        default=0,
        metavar="K",
        help="synthesise the K points of the front that are best by the first objective, and say "
        "how far the model of areas is off",
    )
    parser.add_argument(
        "--place",
        action="store_true",
        help="place and route these K points for the space's board, too: whether its clock is met",
    )


def run(args: argparse.Namespace) -> int:
    """Search, write the front, print it."""
    if args.jobs < 1 or args.synth < 0:
        raise RowforgeError("--jobs must be at least 1, and --synth at least 0")
    if args.place and not args.synth:
        raise RowforgeError("--place needs --synth K, which says how many points are placed")
    space = read_space(args.space)
    if args.place:
        check_placing(space)
    check_folder(args.output)
    _same_space(args.space, args.output)
    progress = Progress()

    def show(trials: int, generation: int) -> None:
        progress.show(f"generation {generation + 1}: {trials} of {space.trials} configurations")

    with evaluator(args.jobs, args.scheduler) as chosen:
        trials = search(space, args.output / _JOURNAL, chosen, show)
    progress.clear()
    best = front(space, trials)
    files = write_front(space, trials, best, args.output)
    _say(space, len(trials), sum(trial.fits(space) for trial in trials), len(best))
    if best:
        print(front_text(space, best))
    if args.synth and best:
        rows = synthesised(space, best, args.synth, progress.show)
        progress.clear()
        _write(args.output / "synthesis.json", rows)
        print(f"\n{synthesised_text(rows)}")
    if args.place and best:
        rows = placed(space, best, args.synth, args.output, progress.show)
        progress.clear()
        _write(args.output / "placement.json", rows)
        print(f"\nplaced for {space.board}:\n{placed_text(rows)}")
    print(f"\n{args.output}: {len(files)} files")
    return 0


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    try:
        path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise RowforgeError(f"cannot write {path}: {error.strerror or error}") from None


def _say(space: SearchSpace, trials: int, fitting: int, best: int) -> None:
    print(
        f"{trials:,} configurations, {fitting:,} of them possible and within the budget, "
        f"{best:,} that no other one betters; trial 0 is the start\n"
    )


def _same_space(path: Path, folder: Path) -> None:
    """Keep the space beside its journal; `RowforgeError` if the folder is of another one."""
    try:
        text = path.read_text("utf-8")
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / _COPY
        if copy.exists() and copy.read_text("utf-8") != text:
            raise RowforgeError(
                f"{folder} holds the search of another space; name another folder, or remove it"
            )
        copy.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RowforgeError(f"cannot write {folder}: {error.strerror or error}") from None

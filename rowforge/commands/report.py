"""Show models on configurations in one HTML page."""

import argparse
from dataclasses import replace
from pathlib import Path

from compiler.options import CompileOptions
from compiler.workloads.networks import NETWORKS
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.configs import load_config, preset, preset_names
from rowforge.options import add_objective, add_removal, named_technology
from rowforge.page.accuracy import accuracy
from rowforge.page.exhibit import Exhibit, Subject, gather
from rowforge.page.render import render
from rowforge.page.suggest import suggestions
from sw_driver.arrays import check_writable

_MODELS = (".tflite", ".onnx")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Models and configurations in any order, and where the page goes."""
    parser.add_argument(
        "subjects",
        nargs="+",
        metavar="MODEL|CFG",
        help="models (.tflite files or built-in shape lists) and configurations (presets by name "
        "or .toml files); every model is shown on every configuration, side by side",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="F.html")
    parser.add_argument(
        "--clock", type=float, metavar="MHZ", help="the clock, by which cycles become time"
    )
    parser.add_argument(
        "--suggest",
        action="store_true",
        help="estimate changes of the configuration that remove what bounds the slowest layers",
    )
    parser.add_argument(
        "--input", type=Path, metavar="X.npy", help="inputs whose classes --labels has"
    )
    parser.add_argument(
        "--labels",
        type=Path,
        metavar="Y.npy",
        help="the right class of every input: the page then has the golden model's accuracy",
    )
    parser.add_argument(
        "--technology", metavar="NAME|F.toml", help="prices of accesses, as of estimate"
    )
    add_objective(parser)
    add_removal(parser)


def run(args: argparse.Namespace) -> int:
    """Estimate, trace, draw, write."""
    if args.output.suffix not in (".html", ".htm"):
        raise RowforgeError(f"a report's name must end in .html, not {args.output.name!r}")
    check_writable(args.output)
    if args.clock is not None and not args.clock > 0:
        raise RowforgeError(f"--clock must be above 0 MHz, not {args.clock:g}")
    if (args.input is None) != (args.labels is None):
        raise RowforgeError("--input and --labels must be given together")
    subjects = _subjects(args.subjects)
    options = CompileOptions(
        objective=args.objective, keep_constant_channels=args.keep_constant_channels
    )
    table = named_technology(args.technology)
    exhibits = gather(subjects, options, table)
    exhibits = [_finished(exhibit, args, options) for exhibit in exhibits]
    page = render(exhibits, clock=args.clock)
    try:
        args.output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RowforgeError(f"cannot write {args.output}: {error.strerror or error}") from None
    print(f"{args.output}: {len(page.encode()):,} bytes, {len(exhibits)} side by side")
    return 0


def _finished(exhibit: Exhibit, args: argparse.Namespace, options: CompileOptions) -> Exhibit:
    """With what was asked for besides."""
    found = suggestions(exhibit, options, search=args.suggest)
    share = accuracy(exhibit.graph, args.input, args.labels) if args.labels is not None else None
    return replace(exhibit, suggestions=found, accuracy=share)


def _subjects(named: list[str]) -> list[Subject]:
    """Every model on every configuration that is named; `RowforgeError` if one kind is missing."""
    models = [name for name in named if name in NETWORKS or Path(name).suffix.lower() in _MODELS]
    configurations = [(name, _config(name)) for name in named if name not in models]
    if not models or not configurations:
        missing = "configuration" if models else "model"
        raise RowforgeError(
            f"a report must have a model and a configuration: there is no {missing} among "
            f"{', '.join(named)}"
        )
    return [Subject(model, name, config) for model in models for name, config in configurations]


def _config(name: str) -> Config:
    if name.endswith(".toml"):
        return load_config(Path(name))
    if name in preset_names():
        return preset(name)
    raise RowforgeError(
        f"{name!r} must be a model (.tflite, .onnx or one of {', '.join(NETWORKS)}) or a "
        f"configuration (.toml or one of {', '.join(preset_names())})"
    )

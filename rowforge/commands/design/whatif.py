"""Show what a network with fewer filters, or narrower weights, would cost."""

import argparse
import json
import re
from collections.abc import Callable
from typing import TypeVar

from compiler.options import CompileOptions
from hw.arch.errors import RowforgeError
from rowforge.configs import named_config
from rowforge.estimation import model_graph
from rowforge.options import add_objective, named_technology
from rowforge.running.progress import Progress
from rowforge.thinning.whatif import NO_HARDWARE, whatif, whatif_text
from sim.cycles.predict import UNMODELLED

Number = TypeVar("Number", int, float)

_PAIR = re.compile(r"(.+?)=([-+.\w]+)(?:,|$)")
_PAIRS = re.compile(rf"({_PAIR.pattern})+")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """A model, a configuration, and what is done to which layers."""
    parser.add_argument("model", metavar="MODEL", help="a .tflite or .onnx file")
    parser.add_argument("configuration", metavar="CFG", help="a preset by name or a .toml file")
    parser.add_argument(
        "--prune",
        action="append",
        default=[],
        metavar="LAYER=SHARE,…",
        help="remove this share of a layer's filters, those of the least magnitudes, and what "
        "reads their channels",
    )
    parser.add_argument(
        "--bits",
        action="append",
        default=[],
        metavar="LAYER=BITS,…",
        help=f"narrow a layer's weights, in its energy only; {NO_HARDWARE}",
    )
    parser.add_argument(
        "--technology", metavar="NAME|F.toml", help="prices of accesses, as of estimate"
    )
    add_objective(parser)
    parser.add_argument("--json", action="store_true", help="print one object")


def run(args: argparse.Namespace) -> int:
    """Estimate both networks, print."""
    config = named_config(args.configuration)
    if config.control.microcontroller:
        raise RowforgeError(UNMODELLED)
    prune = _numbers("--prune", args.prune, float)
    bits = _numbers("--bits", args.bits, int)
    progress = Progress()
    progress.show("estimating")
    document = whatif(
        model_graph(args.model, config),
        config,
        CompileOptions(objective=args.objective),
        named_technology(args.technology, config),
        prune=prune,
        bits=bits,
    )
    progress.clear()
    print(json.dumps(document, indent=1) if args.json else whatif_text(document))
    return 0


def _pairs(option: str, texts: list[str]) -> list[tuple[str, str]]:
    """Names and values, separated by commas; a name may itself have commas and equals signs."""
    found: dict[str, str] = {}
    for text in texts:
        if not _PAIRS.fullmatch(text):
            raise RowforgeError(
                f"{option} must have layers and numbers, LAYER=NUMBER, not {text!r}"
            )
        for name, value in _PAIR.findall(text):
            if name in found:
                raise RowforgeError(f"{option} must name {name} once, not twice")
            found[name] = value
    return list(found.items())


def _numbers(option: str, texts: list[str], kind: Callable[[str], Number]) -> dict[str, Number]:
    found = {}
    for name, text in _pairs(option, texts):
        try:
            found[name] = kind(text)
        except ValueError:
            raise RowforgeError(f"{option} must have a number after =, not {text!r}") from None
    return found

"""Estimate cycles, utilisation and traffic of a model or a well-known network."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from compiler.compile import compile_graph, timing_program
from compiler.options import CompileOptions
from compiler.workloads.networks import NETWORKS
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.estimation import estimate, model_graph, text
from rowforge.options import (
    add_config,
    add_energy_options,
    add_objective,
    add_removal,
    chosen_technology,
    required_config,
)
from rowforge.outputs import write_energy_files
from rowforge.running.from_memory import MemoryCycles, memory_cycles
from rowforge.tracing.file import check_trace, traced, write_trace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to estimate, for which configuration."""
    parser.add_argument(
        "model",
        metavar="MODEL|NETWORK",
        help=f"a .tflite file or a built-in shape list: {', '.join(NETWORKS)}",
    )
    add_config(parser)
    parser.add_argument(
        "--batch", type=int, metavar="N", help="items of a shape list's tensors (default 1)"
    )
    parser.add_argument(
        "--density",
        type=float,
        metavar="D",
        help='with pe.kind "skipping": expected cycles if this share of ifmap words is not zero',
    )
    add_objective(parser)
    add_removal(parser)
    add_energy_options(parser)
    parser.add_argument(
        "--trace",
        type=Path,
        metavar="T.json",
        help="write when every unit works, as Chrome trace events: of the plain program, by the "
        "exact model, over a full link",
    )
    parser.add_argument("--json", action="store_true", help="print the report as one object")


def run(args: argparse.Namespace) -> int:
    """Estimate, print; of a model file also what its program takes from a memory."""
    config = required_config(args)
    options = CompileOptions(
        objective=args.objective, keep_constant_channels=args.keep_constant_channels
    )
    table = chosen_technology(args, config)
    if args.trace is not None:
        check_trace(args.trace, config)
    report = estimate(
        args.model, config, options, batch=args.batch, table=table, density=args.density
    )
    if config.memory.present and args.model not in NETWORKS:
        _add_memory(report, args, config, options)
    write_energy_files(args, config, report)
    if args.trace is not None:
        program = timing_program(model_graph(args.model, config, args.batch), config, options)
        write_trace(args.trace, program, traced(program, dry=True, density=args.density))
    layer_energy = args.technology is not None
    print(json.dumps(report, indent=1) if args.json else text(report, layer_energy=layer_energy))
    return 0


def _add_memory(
    report: dict[str, Any], args: argparse.Namespace, config: Config, options: CompileOptions
) -> None:
    """`memory_cycles` of the total, and in `memory` a sentence with them."""
    graph = model_graph(args.model, config, args.batch)
    try:
        program = compile_graph(graph, config, replace(options, counted=True))
    except RowforgeError as error:
        found = MemoryCycles(None, f"from the memory: not known, since {error}")
    else:
        found = memory_cycles(program, args.density)
    report["total"]["memory_cycles"] = found.cycles
    report["memory"] = found.said

"""Run a model or a program file on a target."""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hw.arch.accesses import Accesses, counted_accesses
from hw.arch.config import Config
from hw.arch.energy import Technology
from hw.arch.errors import RowforgeError
from hw.arch.program import Layer, Program
from rowforge.energy.document import add_energy
from rowforge.energy.layer_tally import LayerTally, layer_tally
from rowforge.options import (
    add_compile,
    add_config,
    add_energy_options,
    chosen_config,
    chosen_technology,
    compile_options,
    required_config,
    warn_of_sizes,
)
from rowforge.outputs import write_energy_files
from rowforge.reports.energy_text import energy_text
from rowforge.reports.report import edge_sentence, report, table
from rowforge.running.compilation import PROGRAM_SUFFIX, Compiled, compile_model, open_program
from rowforge.running.execution import Result, run_program
from rowforge.running.inputs import drawn_input
from rowforge.running.targets import GOLDEN, RTL, target_config
from rowforge.tracing.file import check_trace
from rowforge.tracing.observation import Observation
from rowforge.tracing.rtl import check_layer, check_observed
from rowforge.tracing.waves import check_waves
from sw_driver.arrays import Arrays, check_output, check_writable, read_arrays, write_arrays

WRONG = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to run, where, on what, and what to keep."""
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL|FILE.rfp",
        help="a .tflite or .onnx model, or a program file",
    )
    add_config(parser, required=False)
    parser.add_argument(
        "--input",
        type=Path,
        metavar="X.npy",
        help="inputs, N in place of the batch dimension 1 (.npz: several, by name); of a streaming "
        "network N consecutive steps; default: one of random values, always the same",
    )
    parser.add_argument(
        "--output", type=Path, metavar="Y.npy", help="outputs likewise (.npz: by name)"
    )
    parser.add_argument(
        "--target",
        default="rtl",
        metavar="rtl|golden|URL",
        help="rtl: the emitted Verilog, simulated (default); golden: the NumPy model; "
        "a URL: a board (tcp://host:port, serial:///dev/ttyX?baud=N, pynq:FILE.bit)",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="compare every layer with the golden model in a run of its own, and what the plain "
        "run brings to the host; exit status 1 if a value differs",
    )
    parser.add_argument(
        "--dump", type=Path, metavar="T.npz", help="every tensor of the first input"
    )
    parser.add_argument(
        "--trace",
        type=Path,
        metavar="T.json",
        help="write when every unit works for the first input, as Chrome trace events: with "
        "--target golden by the exact model, with --target rtl from the signals of the RTL",
    )
    parser.add_argument(
        "--waves",
        type=Path,
        metavar="F.vcd|F.fst",
        help="with --target rtl: write waves of the plain run of the first input, and a layout for "
        "GTKWave beside them",
    )
    parser.add_argument(
        "--from",
        dest="layer",
        metavar="LAYER",
        help="write waves only while passes or the vector engine are in this layer",
    )
    parser.add_argument("--json", action="store_true", help="print the report as one object")
    add_energy_options(parser)
    add_compile(parser)


def run(args: argparse.Namespace) -> int:
    """Compile if need be, run, write, report."""
    prices = chosen_technology(args)
    compiled = _open(args)
    _check_paths(args, compiled.program)
    _check_observing(args, compiled.program)
    warn_of_sizes(prices, compiled.program.config)
    inputs = drawn_input(compiled.program) if args.input is None else read_arrays(args.input)
    observation = _observation(args, compiled.program, inputs)
    result = run_program(compiled, inputs, args.target, check=args.check)
    if args.dump is not None:
        write_arrays(args.dump, result.tensors)
    if args.output is not None and result.difference is None:
        write_arrays(args.output, result.outputs)
    document = report(
        compiled.program, result.counters, result.cycles, result.edge_values, result.edge_steps
    )
    _add_energy(document, compiled.program, result, prices)
    write_energy_files(args, compiled.program.config, document)
    if observation is not None:
        observation.write()
    told = edge_sentence(document)
    if args.json:
        print(json.dumps(document, indent=1))
        if document["total"]["edge_values"]:
            sys.stderr.write(f"rowforge: {told}\n")
    else:
        print(table(document))
        if energy := energy_text(document, layers=args.technology is not None):
            print(f"\n{energy}")
        if told:
            print(told)
    return _verdict(args, result)


def _add_energy(
    document: dict[str, Any], program: Program, result: Result, prices: Technology
) -> None:
    """The accesses of the first input; the counters tell how many of its products were skipped."""
    tallies = [
        _tally(program.config, layer, result.counters.get(index))
        for index, layer in enumerate(program.layers)
    ]
    items = program.tensors[program.inputs[0]].view[0]
    add_energy(program.config, document, tallies, prices, inferences=items)


def _tally(config: Config, layer: Layer, counters: Mapping[str, int] | None) -> LayerTally:
    if counters is None:
        return layer_tally(layer)
    all_counted = config.control.access_counters
    counted = counted_accesses(config, counters) if all_counted else Accesses()
    skipped = counters["gated_macs"]
    if config.pe.kind == "skipping":  # most zeros have no step, of which a counter could tell
        skipped = max(layer.macs - counters["macs"] + skipped, 0)
    return layer_tally(layer, gated_macs=skipped, counted=counted)


def _open(args: argparse.Namespace) -> Compiled:
    options = compile_options(args)
    if args.model.suffix == PROGRAM_SUFFIX:
        return open_program(args.model, chosen_config(args), options)
    config = chosen_config(args) or target_config(args.target) or required_config(args)
    return compile_model(args.model, config, options, keep_layers=_keeps_layers(args))


def _keeps_layers(args: argparse.Namespace) -> bool:
    """Whether every layer comes to the host; a program file was compiled without that."""
    wanted = args.check or args.dump is not None
    return wanted and args.model.suffix != PROGRAM_SUFFIX


def _check_paths(args: argparse.Namespace, program: Program) -> None:
    """Refuse files that cannot be written before anything runs."""
    if args.output is not None:
        check_output(args.output, len(program.outputs))
    if args.dump is not None:
        if args.dump.suffix != ".npz":
            raise RowforgeError(f"a dump's name must end in .npz, not {args.dump.name!r}")
        check_writable(args.dump)


def _check_observing(args: argparse.Namespace, program: Program) -> None:
    """Refuse traces and waves of what has no clock, or none that tells, and of no layer."""
    config = program.config
    if args.layer is not None and args.waves is None:
        raise RowforgeError("--from says of which layer --waves are written, which is missing")
    if args.trace is not None:
        check_trace(args.trace, config)
        if args.target == RTL:
            check_observed("--trace", config)
        elif args.target != GOLDEN:
            raise RowforgeError(f"--trace must have --target golden or rtl, not {args.target}")
    if args.waves is not None:
        if args.target != RTL:
            raise RowforgeError(f"--waves must have --target rtl, not {args.target}")
        check_observed("--waves", config)
        check_waves(args.waves)
    if args.layer is not None:
        check_layer(program.layers, args.layer)


def _observation(args: argparse.Namespace, program: Program, inputs: Arrays) -> Observation | None:
    """Traces and waves that are wanted; what cannot be is refused before anything runs."""
    if args.trace is None and args.waves is None:
        return None
    return Observation(
        program,
        inputs,
        rtl=args.target == RTL,
        trace=args.trace,
        waves=args.waves,
        layer=args.layer,
    )


def _verdict(args: argparse.Namespace, result: Result) -> int:
    if not args.check:
        return 0
    if result.difference is not None:
        sys.stderr.write(f"rowforge: the check failed: {result.difference}\n")
        return WRONG
    if not args.json:
        plural = "" if result.inputs == 1 else "s"
        print(
            f"check passed: {result.layers_checked} layer outputs of {result.inputs} "
            f"input{plural} equal the golden model in every bit, in the plain run, too"
        )
    return 0

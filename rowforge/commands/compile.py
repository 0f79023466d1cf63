"""Compile a model into a program file."""

import argparse
from pathlib import Path

from hw.arch.errors import RowforgeError
from hw.arch.program.file import save_program
from rowforge.options import add_compile, add_config, compile_options, required_config
from rowforge.reports.report import report, table
from rowforge.running.compilation import PROGRAM_SUFFIX, compile_model
from rowforge.running.from_memory import memory_cycles
from sw_driver.arrays import check_writable


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, configuration, output."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="a .tflite or .onnx file")
    add_config(parser)
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE.rfp", help="the program file"
    )
    add_compile(parser)
    parser.add_argument(
        "--counters",
        action="store_true",
        help="the program asks for the counters after every layer, which empties the pipeline each "
        "time, so that runs of it tell the cycles of layers; default: once, before it ends",
    )


def run(args: argparse.Namespace) -> int:
    """Compile, save, print the layers, and what a program in a memory takes."""
    if args.output.suffix != PROGRAM_SUFFIX:
        raise RowforgeError(
            f"a program file's name must end in {PROGRAM_SUFFIX}, not {args.output.name!r}"
        )
    check_writable(args.output)
    config, options = required_config(args), compile_options(args)
    program = compile_model(args.model, config, options, by_layer=args.counters).program
    save_program(program, args.output)
    print(table(report(program, {}, None)))
    if config.memory.present:
        print(memory_cycles(program).said)
    print(f"{args.output}: {args.output.stat().st_size:,} bytes")
    return 0

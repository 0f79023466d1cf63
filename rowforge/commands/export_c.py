"""Write a program file as C: the runtime, the program, an example, ready for a C compiler."""

import argparse
from pathlib import Path

from hw.arch.program.file import load_program
from sw_driver.arrays import check_folder
from sw_driver.c.export import export_program
from sw_driver.c.folder import write_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Program, folder, what the program does."""
    parser.add_argument("program", type=Path, metavar="FILE.rfp", help="a compiled program")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="DIR", help="folder, made if absent"
    )
    parser.add_argument(
        "--counters",
        action="store_true",
        help="keep the program's questions for counters, which its user's code is told",
    )
    parser.add_argument(
        "--stream",
        action="store_true",
        help="send the commands for every run also where the board has a memory for them",
    )


def run(args: argparse.Namespace) -> int:
    """Export, name the files."""
    check_folder(args.output)
    program = export_program(load_program(args.program), counters=args.counters, stream=args.stream)
    files = write_folder(program, args.output)
    print(f"{args.output}: {', '.join(path.name for path in files)}")
    print(
        f"{8 * len(program.words):,} bytes of program, {program.memory:,} bytes of working memory; "
        f"host steps: {', '.join(program.host_steps) or 'none'}"
    )
    return 0

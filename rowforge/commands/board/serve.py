"""Run a virtual board: the whole accelerator with its link as RTL, for any driver."""

import argparse
import signal

from boards.catalogue import BOARDS, board
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from rowforge.options import add_config, chosen_config
from rowforge.running.progress import Progress
from sim.framed_rtl import FramedRtl, board_library
from sim.virtual_board import serve_pty, serve_tcp


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which accelerator, and where it listens."""
    parser.add_argument("--board", metavar="B", help=f"the design of a board: {', '.join(BOARDS)}")
    add_config(parser, required=False)
    line = parser.add_mutually_exclusive_group(required=True)
    line.add_argument("--pty", action="store_true", help="listen on a new pseudo-terminal")
    line.add_argument("--tcp", type=int, metavar="PORT", help="listen on a TCP port; 0: a free one")
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="with --tcp: the address to listen on (default: this machine only)",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted or terminated; the first line printed is the board's URL."""
    if args.tcp is not None and not 0 <= args.tcp < 1 << 16:
        raise RowforgeError(f"--tcp must be a port from 0 to 65535, not {args.tcp}")
    config = _config(args)
    progress = Progress()
    progress.show("RTL: looking for the simulator")
    device = FramedRtl(board_library(config))
    progress.clear()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell may have told us to ignore the first
        signal.signal(number, signal.default_int_handler)
    try:
        if args.pty:
            serve_pty(device, _announce)
        else:
            serve_tcp(device, args.tcp, _announce, host=args.host)
    except KeyboardInterrupt:
        print(f"\nboard off after {device.cycles:,} cycles")
    finally:
        device.close()
    return 0


def _config(args: argparse.Namespace) -> Config:
    """The configuration that options name, a board's own one with `--board`."""
    chosen = chosen_config(args)
    if args.board is not None:
        if chosen is not None:
            raise RowforgeError("--board brings a configuration: give it, or --preset or --config")
        return preset(board(args.board).preset)
    if chosen is None:
        raise RowforgeError("a virtual board needs --board B, --preset P or --config F.toml")
    return chosen


def _announce(url: str) -> None:
    print(url, flush=True)

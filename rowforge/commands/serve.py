"""Run a virtual board: the whole accelerator with its link as RTL, for any driver."""

import argparse
import signal

from hw.arch.errors import RowforgeError
from rowforge.options import add_config, required_config
from rowforge.progress import Progress
from sim.framed_rtl import FramedRtl, board_library
from sim.virtual_board import serve_pty, serve_tcp


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which accelerator, and where it listens."""
    add_config(parser)
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
    config = required_config(args)
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


def _announce(url: str) -> None:
    print(url, flush=True)

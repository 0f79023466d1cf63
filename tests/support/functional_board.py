"""A board without gateware: `python -m tests.support.functional_board --config F.toml`.

The executor of command streams listens on a TCP port at the end of the framed link, in a process
of its own; the first line printed is its URL. It serves until it is terminated.
"""

import argparse
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hw.arch.config import Config
from hw.arch.config.file import config_hash, read_config, render_toml
from sim.framed_device import FramedDevice, LinkPort
from sim.replay import functional_link
from sim.virtual_board import serve_tcp


@contextmanager
def serving(command: Sequence[str]) -> Iterator[str]:
    """A server in a process of its own; yields the URL that it prints first."""
    with subprocess.Popen(
        [sys.executable, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            url = process.stdout.readline().strip()
            assert url, process.stderr.read()
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()


@contextmanager
def functional_board(config: Config, folder: Path) -> Iterator[str]:
    """The executor for a configuration, served over TCP; yields its URL."""
    path = folder / "board.toml"
    path.write_text(render_toml(config), encoding="utf-8")
    with serving(["-m", "tests.support.functional_board", "--config", str(path)]) as url:
        yield url


BRIEF_SERVE = """
import sys
from functools import partial
from rowforge import cli
from rowforge.commands.board import serve
from sim.framed_rtl import board_library
serve.board_library = partial(board_library, optimise="-O0")
sys.exit(cli.main(["serve", *sys.argv[1:]]))
"""
"""Python's text of the command `rowforge serve` with a simulator that is built fast."""


@contextmanager
def virtual_board(config: Config, folder: Path, *, brief: bool = False) -> Iterator[str]:
    """The RTL of a configuration with its link, served over TCP; yields its URL.

    brief : the simulator is built fast, for a run that is short
    """
    path = folder / "board.toml"
    path.write_text(render_toml(config), encoding="utf-8")
    start = ["-c", BRIEF_SERVE] if brief else ["-m", "rowforge", "serve"]
    with serving([*start, "--config", str(path), "--tcp", "0"]) as url:
        yield url


def main() -> int:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    config = read_config(parser.parse_args().config)
    device = FramedDevice(
        LinkPort(lambda: functional_link(config)), config_hash=config_hash(config)
    )
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        serve_tcp(device, 0, lambda url: print(url, flush=True))
    except KeyboardInterrupt:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())

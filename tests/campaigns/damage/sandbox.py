"""Runs the command on one file in a process of its own and measures what that took."""

import importlib
import os
import resource
import selectors
import signal
import sys
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from rowforge.cli import build_parser, main
from tests.support.refusals import well_formed

SECONDS = 5.0
BYTES = 1 << 30  # above what the bare import takes
_RUN_AWAY = 4 * int(SECONDS)  # seconds of the processor after which a process is ended
_PATIENCE = 600.0  # the clock's, for one that waits; a machine shared with others is slow
_CRASHED = 70
_ADDRESS_SPACE = 16 * BYTES  # more is a run-away, which must not take the machine's memory

# What the command imports when it first needs it would be imported anew in every fork.
build_parser()
importlib.import_module("compiler.frontends.onnx.loader")


@dataclass(frozen=True)
class Verdict:
    """What the command did with a file: exit status, standard error, seconds, peak of memory.

    `seconds` are the processor's. `wall` is the clock's, which must keep the same limit where the
    machine was `quiet`: where a processor was idle when the file's turn came.
    """

    status: int
    said: str
    seconds: float
    bytes: int
    wall: float = 0.0
    quiet: bool = True

    @property
    def faults(self) -> list[str]:
        """What is wrong with that; nothing for a file that ran or was refused in one message."""
        found = []
        if self.status not in (0, 2):
            found.append(f"status {self.status}")
        if self.status == 2 and not (
            self.said.endswith("\n") and well_formed(self.said.removesuffix("\n"))
        ):
            found.append(f"{self.said.count(chr(10))} lines on standard error")
        for word in ("Traceback", "internal error"):
            if word in self.said:
                found.append(word)
        if self.seconds > SECONDS:
            found.append(f"{self.seconds:.1f} s of processor")
        elif self.wall > SECONDS and self.quiet:
            found.append(f"{self.wall:.1f} s")
        if self.bytes > BYTES:
            found.append(f"{self.bytes >> 20} MiB")
        return found


def run_on(path: Path) -> Verdict:
    """`rowforge run` on the golden model with random inputs, in a fork of this process.

    The fork begins with everything imported, so that its peak above the start is the file's own.
    A process that does not end is killed; its status is then the signal's, negative.
    """
    arguments = ["run", str(path), "--preset", "tiny", "--target", "golden"]
    before, quiet = _peak_of_fork(), is_quiet()
    read, write = os.pipe()
    started = time.monotonic()
    pid = _fork()
    if pid == 0:
        os.close(read)
        _child(arguments, write)
    os.close(write)
    said = _drain(read, pid, started + _PATIENCE)
    _, state, usage = os.wait4(pid, 0)
    wall = time.monotonic() - started
    seconds = usage.ru_utime + usage.ru_stime
    peak = max(0, (usage.ru_maxrss - before) * 1024)
    return Verdict(os.waitstatus_to_exitcode(state), said, seconds, peak, wall, quiet)


def is_quiet() -> bool:
    """Whether a processor was idle in the last minute, this process's own work apart."""
    return os.getloadavg()[0] < (os.cpu_count() or 1)


def _child(arguments: list[str], write: int) -> None:
    """The command with standard error on the pipe; never returns."""
    status = _CRASHED
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, hard))
    resource.setrlimit(resource.RLIMIT_CPU, (_RUN_AWAY, _RUN_AWAY))
    try:
        with open(os.devnull, "w") as nothing, os.fdopen(write, "w") as said:
            sys.stdout, sys.stderr = nothing, said
            with suppress(BaseException):
                status = main(arguments)
    finally:
        os._exit(status)


def _fork() -> int:
    """`os.fork`; the warning of later Pythons is about threads, and the child starts none anew."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _peak_of_fork() -> int:
    """Peak in KiB of a fork that does nothing."""
    pid = _fork()
    if pid == 0:
        os._exit(0)
    return os.wait4(pid, 0)[2].ru_maxrss


def _drain(read: int, pid: int, until: float) -> str:
    """Everything written to the pipe until its end, or until the process is killed for its time."""
    parts = []
    with os.fdopen(read, "rb", buffering=0) as pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, until - time.monotonic())):
                os.kill(pid, signal.SIGKILL)
                break
            part = pipe.read(1 << 16)
            if not part:
                break
            parts.append(part)
    return b"".join(parts).decode("utf-8", "replace")

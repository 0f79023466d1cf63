"""The accelerator as an object: open, load, run."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from types import TracebackType
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from hw.arch.program.file import load_program
from sw_driver import boards
from sw_driver.identify import identify
from sw_driver.protocol.errors import LinkError
from sw_driver.protocol.link import BoardLink, Link
from sw_driver.replaying import BoardMemory
from sw_driver.running import Array
from sw_driver.runtime import Inputs, Progress, RunOutcome, Runtime


@dataclass(frozen=True)
class Connection:
    """An open link; `config` is the accelerator's, None if the transport cannot tell.

    A transport that builds its accelerator to measure (a simulator) gets the configuration of the
    program: `for_config` makes the link then, and `link` is None before.
    """

    link: Link | None = None
    config: Config | None = None
    for_config: Callable[[Config], Link] | None = None


Transport: TypeAlias = Callable[[SplitResult], Connection]


def board(opener: Callable[[SplitResult], BoardLink]) -> Transport:
    """The transport to boards that `opener` reaches: each is asked for its configuration."""

    def connect(url: SplitResult) -> Connection:
        link = opener(url)
        try:
            return Connection(link, identify(link).config)
        except BaseException:
            link.close()
            raise

    return connect


_TRANSPORTS: dict[str, Transport] = {
    scheme: board(opener) for scheme, opener in boards.OPENERS.items()
}


def register_transport(scheme: str, transport: Transport) -> None:
    """Make URLs `scheme:...` known: the transport gets the parts of the URL and connects.

    Registering a scheme again replaces its transport.
    """
    _TRANSPORTS[scheme] = transport


class Accelerator:
    """A session with an accelerator; a context manager that closes itself.

    Made by `Accelerator.open`. `load` a program before `run`. Threads may share it: runs take
    their turns. After an error, a broken link included, the next run starts from scratch. States of
    the program live from run to run; `load` and `reset` start them anew, and a run that fails
    leaves them as it found them, so that it can be repeated.
    """

    def __init__(self, connection: Connection):
        self._connection = connection
        self._session: Runtime | None = None
        self._program: Program | None = None
        self._outcome: RunOutcome | None = None
        self._closed = False
        self._turn = RLock()
        self._worker: ThreadPoolExecutor | None = None
        if connection.link is not None and connection.config is not None:
            self._session = Runtime(connection.link, connection.config)

    @classmethod
    def open(cls, url: str) -> "Accelerator":
        """Connect; `RowforgeError` for an unknown scheme, `DriverError` if it fails."""
        parts = urlsplit(url)
        if parts.scheme not in _TRANSPORTS:
            known = ", ".join(f"{scheme}:" for scheme in sorted(_TRANSPORTS)) or "none"
            raise RowforgeError(f"target must be one of {known}, not {url!r}")
        return cls(_TRANSPORTS[parts.scheme](parts))

    @property
    def link(self) -> Link | None:
        """The link, if there is one yet."""
        return self._session.link if self._session else self._connection.link

    @property
    def config(self) -> Config | None:
        """The accelerator's configuration, if it is known yet."""
        return self._session.config if self._session else self._connection.config

    @property
    def board_memory(self) -> BoardMemory | None:
        """The memory from which programs are replayed, if there is one, and a session."""
        return self._session.board_memory if self._session else None

    def load(self, program: Program | Path) -> Program:
        """Choose the program to run, its states at their initial values; a path is read as a file.

        Raises `RowforgeError` if it is not usable or was made for another configuration.
        """
        self._check_open()
        if isinstance(program, Path):
            program = load_program(program, self.config)
        made, wanted = self._session, config_hash(program.config)
        if made is None or (
            self._connection.for_config is not None and config_hash(made.config) != wanted
        ):
            self._session = Runtime(self._link_for(program.config), program.config)
        self._program = program
        self.reset()
        return program

    def reset(self) -> None:
        """Let the next run find the initial values of the program's states.

        Waits for a run that is under way, but not for others that were submitted.
        """
        with self._turn:
            self._check_open()
            if self._session is not None:
                self._session.reset_states()

    def _link_for(self, config: Config) -> Link:
        if self._connection.for_config is not None:
            if self._session is not None:
                self._session.link.close()
            return self._connection.for_config(config)
        if self._connection.link is None:
            raise LinkError("the transport gave no link")
        return self._connection.link

    def run(self, inputs: Inputs, *, progress: Progress | None = None) -> Array | dict[str, Array]:
        """Outputs for one or several inputs: an array, or arrays by name if there are several.

        See `sw_driver.runtime.Runtime.run` for shapes and errors; `progress` is told the inputs
        done and the inputs in all.
        """
        outputs = self.run_in_full(inputs, progress=progress).outputs
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def run_in_full(self, inputs: Inputs, *, progress: Progress | None = None) -> RunOutcome:
        """Everything that a run yields."""
        with self._turn:
            self._check_open()
            if self._program is None or self._session is None:
                raise RowforgeError("a program must be loaded before it runs")
            self._outcome = self._session.run(self._program, inputs, progress=progress)
            return self._outcome

    def submit(
        self, inputs: Inputs, *, progress: Progress | None = None
    ) -> "Future[Array | dict[str, Array]]":
        """What `run` would return, as a future; submissions run in their order."""
        self._check_open()
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="accelerator")
        return self._worker.submit(self.run, inputs, progress=progress)

    def counters(self) -> dict[int, dict[str, int]]:
        """Hardware counters of the last run's first input, by layer index; -1: of the whole run."""
        return self._outcome.counters if self._outcome else {}

    def close(self) -> None:
        """Wait for what was submitted, close the link; may be called again."""
        if self._worker is not None:
            self._worker.shutdown()
        if self.link is not None and not self._closed:
            self.link.close()
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise LinkError("the accelerator is closed")

    def __enter__(self) -> "Accelerator":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

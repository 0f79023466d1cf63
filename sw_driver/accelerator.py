"""The accelerator as an object: open, load, run."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from hw.arch.programfile import load_program
from sw_driver.errors import LinkError
from sw_driver.link import Link
from sw_driver.runtime import Array, Inputs, RunOutcome, Session


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

_TRANSPORTS: dict[str, Transport] = {}


def register_transport(scheme: str, transport: Transport) -> None:
    """Make URLs `scheme:...` known: the transport gets the parts of the URL and connects.

    Registering a scheme again replaces its transport.
    """
    _TRANSPORTS[scheme] = transport


class Accelerator:
    """A session with an accelerator; a context manager that closes itself.

    Made by `Accelerator.open`. `load` a program before `run`.
    """

    def __init__(self, connection: Connection):
        self._connection = connection
        self._session: Session | None = None
        self._program: Program | None = None
        self._outcome: RunOutcome | None = None
        self._closed = False
        if connection.link is not None and connection.config is not None:
            self._session = Session(connection.link, connection.config)

    @classmethod
    def open(cls, url: str) -> "Accelerator":
        """Connect; `RowforgeError` for an unknown scheme, `DriverError` if it fails."""
        parts = urlsplit(url)
        if parts.scheme not in _TRANSPORTS:
            known = ", ".join(f"{scheme}:" for scheme in sorted(_TRANSPORTS)) or "none"
            raise RowforgeError(f"target must be one of {known}, not {url!r}")
        return cls(_TRANSPORTS[parts.scheme](parts))

    @property
    def config(self) -> Config | None:
        """The accelerator's configuration, if it is known yet."""
        return self._session.config if self._session else self._connection.config

    def load(self, program: Program | Path) -> Program:
        """Choose the program to run; a path is read as a program file.

        Raises `RowforgeError` if it is not usable or was made for another configuration.
        """
        self._check_open()
        if isinstance(program, Path):
            program = load_program(program, self.config)
        if self._session is None or (
            self._connection.for_config is not None and self._session.config != program.config
        ):
            self._session = Session(self._link_for(program.config), program.config)
        self._program = program
        return program

    def _link_for(self, config: Config) -> Link:
        if self._connection.for_config is not None:
            if self._session is not None:
                self._session.link.close()
            return self._connection.for_config(config)
        if self._connection.link is None:
            raise LinkError("the transport gave no link")
        return self._connection.link

    def run(self, inputs: Inputs) -> Array | dict[str, Array]:
        """Outputs for one or several inputs: an array, or arrays by name if there are several.

        See `sw_driver.runtime.Session.run` for shapes and errors.
        """
        outputs = self.run_in_full(inputs).outputs
        return next(iter(outputs.values())) if len(outputs) == 1 else outputs

    def run_in_full(self, inputs: Inputs) -> RunOutcome:
        """Everything that a run yields."""
        self._check_open()
        if self._program is None or self._session is None:
            raise RowforgeError("a program must be loaded before it runs")
        self._outcome = self._session.run(self._program, inputs)
        return self._outcome

    def counters(self) -> dict[int, dict[str, int]]:
        """Hardware counters of the last run's first input, by layer index."""
        return self._outcome.counters if self._outcome else {}

    def close(self) -> None:
        """Close the link; may be called again."""
        link = self._session.link if self._session else self._connection.link
        if link is not None and not self._closed:
            link.close()
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

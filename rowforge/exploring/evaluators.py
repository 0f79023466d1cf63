"""Who evaluates: processes of this machine, or a Dask cluster."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any, Protocol

from hw.arch.errors import RowforgeError
from rowforge.exploring.evaluation import Evaluated, Job, evaluate

_ATTEMPTS = 3  # at jobs whose workers die


class Evaluator(Protocol):
    """Evaluates jobs, in any order and anywhere; results come in the order of the jobs."""

    def evaluated(self, jobs: Sequence[Job], done: Callable[[int], None]) -> list[Evaluated]:
        """Results of all jobs; `done` is told how many are there."""


class HereEvaluator:
    """One job after the other in this process."""

    def evaluated(self, jobs: Sequence[Job], done: Callable[[int], None]) -> list[Evaluated]:
        found = []
        for job in jobs:
            found.append(evaluate(job))
            done(len(found))
        return found


class ProcessEvaluator:
    """Processes of this machine; a job whose process dies is tried anew."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool = self._new()

    def _new(self) -> ProcessPoolExecutor:
        context = get_context("spawn")
        return ProcessPoolExecutor(self._workers, mp_context=context, initializer=_end_with_search)

    def evaluated(self, jobs: Sequence[Job], done: Callable[[int], None]) -> list[Evaluated]:
        for attempt in range(_ATTEMPTS):
            found: list[Evaluated] = []
            try:
                for result in self._pool.map(evaluate, jobs):
                    found.append(result)
                    done(len(found))
                return found
            except BrokenProcessPool:
                self.close()
                self._pool = self._new()
                if attempt + 1 == _ATTEMPTS:
                    raise RowforgeError(
                        f"processes that evaluate configurations died {_ATTEMPTS} times"
                    ) from None
        return []

    def close(self) -> None:
        """End the processes, at once."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _end_with_search() -> None:
    """End this process with the one that made it, even if that is killed and tells nobody."""
    search = parent_process()
    if search is not None:
        Thread(target=_wait_and_end, args=(search,), daemon=True).start()


def _wait_and_end(search: BaseProcess) -> None:
    search.join()
    os._exit(1)


class DaskEvaluator:
    """Workers of a Dask cluster, which must reach models' files under the same paths."""

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise RowforgeError(
                "--scheduler needs Dask; type pip install 'rowforge[dask]'"
            ) from None
        try:
            self._client = Client(address, timeout=10)
        except (OSError, ValueError) as error:
            raise RowforgeError(f"no Dask scheduler answers at {address}: {error}") from None

    def evaluated(self, jobs: Sequence[Job], done: Callable[[int], None]) -> list[Evaluated]:
        # Dask gives a dead worker's jobs to others; results do not depend on who has them.
        futures = self._client.map(evaluate, jobs, pure=False)
        found: list[Evaluated] = []
        for future in futures:
            found.append(future.result())
            done(len(found))
        return found

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()


@contextmanager
def evaluator(workers: int, scheduler: str | None) -> Iterator[Evaluator]:
    """Who evaluates: a cluster if an address is given, else so many processes.

    Raises `RowforgeError` if the cluster does not answer.
    """
    chosen: Any
    if scheduler is None and workers == 1:
        yield HereEvaluator()
        return
    chosen = ProcessEvaluator(workers) if scheduler is None else DaskEvaluator(scheduler)
    try:
        yield chosen
    finally:
        chosen.close()

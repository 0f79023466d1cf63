"""Watches tests and campaigns: which model files are read and run, and which interpreters ran them.

Nothing says by hand which oracle an operator has. What a test compares is seen from outside: the
files that the front ends read, the graphs that they made, and the files that TensorFlow Lite Micro
and ONNX Runtime were given meanwhile.
"""

import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import onnxruntime
import pytest
from tflite_micro import runtime

import compiler.frontends
import compiler.frontends.onnx.loader
from compiler.ir.graph import Graph
from sw_driver.runtime import Runtime
from tests.campaigns.operators.files import Found, operators_of
from tests.campaigns.operators.places import places_of

MICRO, TWIN, ORT, OWN = "tflm", "twin", "ort", "own"
"""TensorFlow Lite Micro; it on the int8 twin of a uint8 file; ONNX Runtime; a test's own values."""


@dataclass
class Tally:
    """Of one operator in one type: files compared by oracle, where it ran, tests with values."""

    oracles: Counter[str] = field(default_factory=Counter)
    places: Counter[str] = field(default_factory=Counter)
    tests: set[str] = field(default_factory=set)


@dataclass
class _Seen:
    """What happened in one test or case."""

    files: list[tuple[str, bytes, Graph]] = field(default_factory=list)
    micro: list[bytes] = field(default_factory=list)
    ort: bool = False
    executed: bool = False


class Observer:
    """Collects tallies by (format, operator, type); also a plugin of pytest."""

    def __init__(self) -> None:
        self.tallies: defaultdict[tuple[str, str, str], Tally] = defaultdict(Tally)
        self._seen = _Seen()

    @contextmanager
    def watching(self) -> Generator[None]:
        """What is read and run inside is seen; nothing is counted yet."""

        def reader(load: Callable[..., Graph], suffix: str) -> Callable[..., Graph]:
            def loaded(path: str | os.PathLike[str], *rest: Any, **named: Any) -> Graph:
                graph = load(path, *rest, **named)
                self._seen.files.append((suffix, Path(path).read_bytes(), graph))
                return graph

            return loaded

        interpreter, session, run = (
            runtime.Interpreter.from_bytes,
            onnxruntime.InferenceSession,
            Runtime.run,
        )

        def from_bytes(content: bytes, *rest: Any, **named: Any) -> Any:
            self._seen.micro.append(bytes(content))
            return interpreter(content, *rest, **named)

        def opened(*rest: Any, **named: Any) -> Any:
            self._seen.ort = True
            return session(*rest, **named)

        def ran(*rest: Any, **named: Any) -> Any:
            self._seen.executed = True
            return run(*rest, **named)

        onnx = compiler.frontends.onnx.loader
        with (
            mock.patch.object(
                compiler.frontends, "load_tflite", reader(compiler.frontends.load_tflite, "tflite")
            ),
            mock.patch.object(onnx, "load_onnx", reader(onnx.load_onnx, "onnx")),
            mock.patch.object(runtime.Interpreter, "from_bytes", from_bytes),
            mock.patch.object(onnxruntime, "InferenceSession", opened),
            mock.patch.object(Runtime, "run", ran),
        ):
            yield

    @contextmanager
    def case(self, name: str) -> Generator[list[bool]]:
        """One comparison; it counts if the list that is given has a True at the end."""
        self._seen, passed = _Seen(), list[bool]()
        yield passed
        if passed and passed[-1]:
            self._count(name)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """A test counts if it passes."""
        with self.case(item.nodeid.partition("[")[0]) as passed:
            yield
            passed.append(True)

    def _count(self, name: str) -> None:
        seen = self._seen
        twins = {found.operator for one in set(seen.micro) for found in operators_of("tflite", one)}
        for suffix, content, graph in seen.files:
            found = operators_of(suffix, content)
            places = places_of(graph, found)
            for one in found:
                oracle = _oracle(seen, suffix, content, one, twins)
                if not oracle:
                    continue
                tally = self.tallies[suffix, one.operator, one.dtype]
                tally.oracles[oracle] += 1
                tally.places[places[one]] += 1
                if oracle == OWN:
                    tally.tests.add(name)


def _oracle(seen: _Seen, suffix: str, content: bytes, one: Found, twins: set[str]) -> str:
    """What the operator of a file was compared with; empty if the file was only read."""
    if suffix == "onnx":
        return ORT if seen.ort else OWN if seen.executed else ""
    if content in seen.micro:
        return MICRO
    if one.dtype == "uint8" and one.operator in twins:
        return TWIN
    return OWN if seen.executed and not seen.micro else ""


def observe_tests(observer: Observer, *folders: str) -> int:
    """Runs the tests of some folders under the observer; pytest's exit status."""
    with observer.watching(), tempfile.TemporaryDirectory() as base:
        arguments = ["-q", "-p", "no:cacheprovider", "--basetemp", f"{base}/tests", *folders]
        return int(pytest.main(arguments, plugins=[observer]))

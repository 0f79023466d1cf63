"""A mistake in a block for each property, which its proof must find."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType, ModuleType
from unittest.mock import patch


@dataclass(frozen=True)
class ProofMutant:
    """A text in a module, once there, and what takes its place."""

    module: str
    before: str
    after: str

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The block is wrong as long as this lasts.

        Only functions that the mistake changes are replaced, so classes stay the same objects.
        """
        module = importlib.import_module(self.module)
        source = inspect.getsource(module)
        assert source.count(self.before) == 1, f"{self.module}: {self.before!r} is not there once"
        changed = ModuleType(self.module)
        changed.__file__ = module.__file__
        code = compile(source.replace(self.before, self.after), str(module.__file__), "exec")
        with patch.dict(sys.modules, {self.module: changed}):  # dataclasses look for their module
            exec(code, vars(changed))
        replaced = list(_different(module, changed))
        assert replaced, f"{self.module}: {self.after!r} changes no function"
        before = [(owner, name, vars(owner)[name]) for owner, name, _ in replaced]
        try:
            for owner, name, function in replaced:
                setattr(owner, name, function)
            yield
        finally:
            for owner, name, function in before:
                setattr(owner, name, function)


def _different(module: ModuleType, changed: ModuleType) -> Iterator[tuple[object, str, object]]:
    """Functions and methods whose code differs, with whose they are."""
    for name, value in list(vars(module).items()):
        other = vars(changed).get(name)
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            if _code(value) != _code(other):
                yield module, name, other
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for member, function in list(vars(value).items()):
                if isinstance(function, FunctionType):
                    replacement = vars(other)[member]
                    if _code(function) != _code(replacement):
                        yield value, member, replacement


def _code(function: object) -> object:
    return inspect.unwrap(function).__code__  # type: ignore[arg-type]


MUTANTS: dict[str, ProofMutant] = {
    "BusDelivers": ProofMutant(
        "hw.noc.multicast",
        "output.valid.eq(beats.valid & beats.ready & targets[col])",
        "output.valid.eq(beats.valid & targets[col])",
    ),
    "QueueOrder": ProofMutant(
        "hw.base.queue",
        "Mux(pointer == depth - 1, 0, pointer + 1)",
        "Mux(pointer == depth - 2, 0, pointer + 1)",
    ),
    "DeepQueueOrder": ProofMutant(
        "hw.base.deep_queue", "(level != 0) & (credit != 0)", "level != 0"
    ),
    "StreamsHold": ProofMutant(
        "hw.noc.feeder",
        "queue.output.ready.eq(place.taken & final)",
        "queue.output.ready.eq(final)",
    ),
    "NetworkDelivers": ProofMutant(
        "hw.noc.multicast", "beat.tag - offsets[row].offset", "beat.tag + offsets[row].offset"
    ),
    "ReadsAreGranted": ProofMutant(
        "hw.glb.arbiter",
        "for client in reversed(list(self.clients)):",
        "for client in list(self.clients):",
    ),
    "WritesTakeTurns": ProofMutant(
        "hw.glb.arbiter",
        "self.second.valid & ~self.second.ready & ~self.patient",
        "self.second.valid & self.second.ready & ~self.patient",
    ),
    "ReaderAnswers": ProofMutant("hw.glb.ports", "room = credit != 0", "room = credit != -1"),
    "BanksAreShared": ProofMutant(
        "hw.glb.buffer", "for other in list(wanted)[:position]:", "for other in list(wanted)[:1]:"
    ),
    "WalkStays": ProofMutant(
        "hw.pe.walk",
        "round_ends.eq(reaches(slot, current.slot_end))",
        "round_ends.eq(reaches(slot, current.step_end))",
    ),
    "IfmapWordsStay": ProofMutant(
        "hw.pe.ifmap_spad",
        "(oldest.index != write.index) | (oldest.lap == write.lap)",
        "(read.index != write.index) | (read.lap == write.lap)",
    ),
    "FiltersStay": ProofMutant(
        "hw.pe.filter_spad", "(row_end | self.rewind)", "(row_end & ~self.rewind)"
    ),
    "NestFollowsItsLoops": ProofMutant(
        "hw.sequencer.walker", "index + 2 == entry.count", "index + 1 == entry.count"
    ),
    "GatingChangesNothing": ProofMutant(
        "hw.pe.pipeline",
        "adder.term.eq(Mux(step.zero, 0, last.products[k]))",
        "adder.term.eq(last.products[k])",
    ),
    "BurstsTakeTurns": ProofMutant(
        "hw.memory.arbiter", "for step in range(count, 0, -1):", "for step in range(1, count + 1):"
    ),
    "WindowsAreWrittenFirst": ProofMutant(
        "hw.engines.psum_reader",
        'self.written_window > loops["window"].index',
        'self.written_window >= loops["window"].index',
    ),
    "SkippingSendsTheSame": ProofMutant(
        "hw.pe.nonzero_ring", "self.offset.eq(number - base)", "self.offset.eq(number)"
    ),
    # A watchdog that runs out just when a result begins ends the block after its header.
    "DecoderAnswers": ProofMutant(
        "hw.control.decoder",
        "with m.State(name):\n                m.d.comb",
        "with self._state(m, s, name):\n                m.d.comb",
    ),
    "LaneComputes": ProofMutant(
        "hw.post.requantise",
        'down = ~pipe["sticky"] & negative',
        'down = pipe["sticky"] & negative',
    ),
}
"""By the name of the property's class."""

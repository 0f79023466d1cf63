"""One program replayed from a memory on the RTL and in the model: cycles of RUNs, and counters."""

from dataclasses import dataclass, field

from compiler.compile import compile_graph
from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.program import Program
from sim.cycles.predict import Masks
from sim.cycles.replays import predict_replays
from sim.functional import FunctionalAccelerator
from sim.link import RtlLink
from sim.outside.behaviour import AxiBehaviour
from sim.replay import FunctionalReplayer
from sw_driver.runtime import RunOutcome, Runtime
from tests.campaigns.contract.compare import holds, reads_other_lanes, skips_zeros
from tests.campaigns.fuzz.cases import Case
from tests.campaigns.fuzz.runner import OPTIMISE

_PATIENCE = 300_000  # cycles without a word on either stream
_WORDS = 1 << 17


@dataclass(frozen=True)
class Memory:
    """A memory of the campaign: its fields, and the latency of one behind AXI."""

    values: dict[str, object]
    latency: int = 1

    @property
    def name(self) -> str:
        """Kind and times."""
        rest = [str(value) for name, value in self.values.items() if name != "memory.kind"]
        own = [str(self.latency)] if self.values["memory.kind"] == "axi" else rest
        return " ".join([str(self.values["memory.kind"]), *own])


def _ram(latency: int, pace: int) -> Memory:
    return Memory({"memory.kind": "ram", "memory.latency": latency, "memory.pace": pace})


def _sdram(chip: str, clock: int, phase: int) -> Memory:
    times = {"memory.chip": chip, "memory.clock": clock, "memory.phase": phase}
    return Memory({"memory.kind": "sdram", **times})


def _axi(latency: int) -> Memory:
    return Memory({"memory.kind": "axi"}, latency)


MEMORIES = (
    _sdram("x16_32mb", 50_000, 180),
    _axi(8),
    _ram(1, 1),
    _sdram("x32_8mb", 60_750, 225),
    _axi(64),
    _ram(17, 4),
    _sdram("x32_8mb", 27_000, 0),
    _axi(1),
)
"""Both geometries of SDRAM, and fixed latencies."""


@dataclass(frozen=True)
class ReplayResult:
    """The cycles of a program's RUNs by model and RTL, and the counters of layers that differ.

    session : (model, RTL), cycles from the host's first word to its last result; None if a weight
        memory was filled in between, which the model leaves out
    others : by layer and counter, (model, RTL)
    """

    memory: str
    program: Program = field(repr=False)
    model: int
    rtl: int
    session: tuple[int, int] | None
    others: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Nothing differs."""
        return self.model == self.rtl and self.same_session and not self.others

    @property
    def same_session(self) -> bool:
        """What is known of the whole session does not differ."""
        return self.session is None or self.session[0] == self.session[1]

    @property
    def holds(self) -> bool:
        """The contract is kept: with an SDRAM of which the model does not know when its refreshes
        are due, since a weight memory was filled before, within 16 cycles or 1 %."""
        sessions = self.session is None or holds(*self.session)
        return holds(self.model, self.rtl) and sessions and not self.others


def with_memory(config: Config, memory: Memory) -> Config:
    """A configuration with a memory, with engines and every counter."""
    return config.with_values(
        {
            "control.kind": "engines",
            "control.access_counters": True,
            "memory.kind": "none",
            "memory.words": 0,
        }
    ).with_values({**memory.values, "memory.words": _WORDS})


def compare_replays(
    case: Case, memory: Memory, *, behaviour: AxiBehaviour | None = None
) -> ReplayResult:
    """Run a case on its RTL from a memory, the host always ready, and predict it.

    The case's configuration has the memory already, of which `behaviour` says how it is simulated
    (None: with its latency, without pauses).
    """
    program = compile_graph(
        case.graph, case.config, CompileOptions(**{**case.options, "profile": True})
    )
    simulated = behaviour or AxiBehaviour(latency=memory.latency)
    run, elapsed = _run(case, program, simulated)
    masks = _masks(case, program) if skips_zeros(case.config) else None
    predicted = predict_replays(program, behaviour=simulated, masks=masks)
    others = {}
    for index, counted in run.counters.items():
        if skips_zeros(case.config) and reads_other_lanes(program, index):
            continue
        for name, value in predicted.layers[index].items():
            if value != counted[name]:
                others[f"{program.layers[index].name} {name}"] = (value, counted[name])
    session = None if len(program.memory) else (predicted.session, elapsed)
    return ReplayResult(memory.name, program, predicted.cycles, run.cycles or 0, session, others)


def _run(case: Case, program: Program, behaviour: AxiBehaviour) -> tuple[RunOutcome, int]:
    """The first run after a reset, and the cycles of the link."""
    link = RtlLink(
        program.config,
        seed=case.index + 1,
        patience=_PATIENCE,
        optimise=OPTIMISE,
        memory=behaviour,
    )
    try:
        run = Runtime(link, program.config).run(program, case.inputs[0])
        return run, link.cycles()
    finally:
        link.close()


def _masks(case: Case, program: Program) -> Masks:
    """Which activations are zero."""
    core = FunctionalAccelerator(program.config)
    core.state.keep_masks()
    device = FunctionalReplayer(program.config, make_core=lambda: core)
    Runtime(device, program.config).run(program, case.inputs[0])
    return core.state.mask_stream()

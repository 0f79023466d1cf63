"""The contract of programs in a memory, over random networks on small buffers, each memory in turn.

The cases are those of `tests.campaigns.fuzz_network` that are simulated: tensors are stored to the
memory, waited for and gathered in rows, and host steps split programs into several images.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hw.arch.errors import RowforgeError
from tests.campaigns.contract.replays import MEMORIES, ReplayResult, compare_replays, with_memory
from tests.campaigns.fuzz_network.cases import EACH, SIMULATED, make_case
from tests.support.missed import Condition

PROGRAMS = 3  # of a configuration, from one simulator


@dataclass
class ReplayCampaign:
    """Results so far.

    `labels` : of the results, SEED:INDEX with the memory
    """

    results: list[ReplayResult] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    refused: int = 0

    def run(self, seed: int, configs: int, *, verbose: bool) -> None:
        """Compare programs on so many configurations, whose memories follow each other."""
        for number in range(configs):
            goal = len(self.results) + PROGRAMS
            for place in range(EACH):
                if len(self.results) < goal:
                    self.compare(seed, SIMULATED * number * EACH + place, verbose=verbose)

    def compare(self, seed: int, index: int, *, verbose: bool) -> None:
        """Compare a case on the memory of its configuration."""
        memory = MEMORIES[index // EACH // SIMULATED % len(MEMORIES)]
        label = f"{seed}:{index} {memory.name}"
        try:
            case = make_case(seed, index)
            result = compare_replays(replace(case, config=with_memory(case.config, memory)), memory)
        except RowforgeError as error:
            self.refused += 1
            if verbose:
                print(f"{label} refused: {error}", flush=True)
            return
        self.results.append(result)
        self.labels.append(label)
        if verbose or not result.exact:
            apart = result.model - result.rtl
            print(
                f"{label} {apart:+} of {result.rtl} session {result.session} {result.others}",
                flush=True,
            )

    def report(self) -> None:
        """Print how many programs are how far apart."""
        inexact = sum(result.model != result.rtl for result in self.results)
        sessions = [result for result in self.results if result.session is not None]
        apart = sum(not result.same_session for result in sessions)
        cycles = sum(result.rtl for result in self.results)
        memories = len({result.memory for result in self.results})
        print(
            f"replays: {len(self.results)} programs from {memories} memories, {cycles} cycles, "
            f"{self.refused} cases refused, {inexact} whose cycles differ, "
            f"{apart} of {len(sessions)} whole sessions that differ, "
            f"{len(list(self.beyond()))} beyond the contract"
        )

    def beyond(self) -> Iterator[str]:
        """The labels of programs that do not keep the contract."""
        for label, result in zip(self.labels, self.results, strict=True):
            if not result.holds:
                yield label

    def conditions(self, configs: int) -> list[Condition]:
        """What the campaign asks for."""
        wanted, beyond = configs * PROGRAMS, list(self.beyond())
        return [
            (not beyond, f"replays beyond the contract: {', '.join(beyond)}"),
            (
                len(self.results) >= wanted,
                f"{len(self.results)} programs replayed, {wanted} asked for",
            ),
        ]

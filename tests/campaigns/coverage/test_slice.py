"""A slice of `make coverage`: points are reached by what reaches them, and by nothing else."""

from collections import Counter
from pathlib import Path
from random import Random

import numpy as np
import pytest

from hw.arch.commands import Opcode, begin
from hw.base.queue import Queue
from rowforge.configs import preset
from rowforge.covering.merged import MergedCoverage, share
from rowforge.covering.report import CoverageReport
from sim.coverage.functional import FunctionalCoverage
from sim.coverage.library import CoveredLibrary, covered_streams
from sim.coverage.points import Hits, PointKind, read_points
from sim.rtl import RtlEngine
from tests.campaigns.coverage.broken import anything, at_the_ends, damaged
from tests.campaigns.coverage.run import AIMS, conditions, made_by

BITS = 6


@pytest.fixture(scope="module")
def queue() -> CoveredLibrary:
    block = Queue(BITS, depth=2)
    return covered_streams(
        block, "rowforge_queue", stream_in="input", stream_out="output", optimise="-O0"
    )


def reached(queue: CoveredLibrary, words: list[int], folder: Path, *, clear: bool = True) -> Hits:
    with RtlEngine(queue.library) as engine:
        if clear:
            engine.clear_coverage()
        array = np.array(words, dtype=np.uint64)
        result = engine.run(array, len(words), 10_000, stall_seed=5)
        assert result.words.tolist() == words
        engine.reset()
        engine.write_coverage(folder / "a.dat")
    return read_points(folder / "a.dat", queue.design, from_reset=clear)


@pytest.mark.slow
def test_points_are_reached_by_what_reaches_them(queue: CoveredLibrary, tmp_path: Path) -> None:
    random = Random(1)
    everything = reached(queue, [random.getrandbits(BITS) for _ in range(200)], tmp_path)
    assert {kind: share(everything, kind).missed for kind in PointKind} == dict.fromkeys(
        PointKind, 0
    )
    assert share(everything, PointKind.TOGGLE).points > 2 * 4 * BITS
    low = reached(queue, [random.getrandbits(2) for _ in range(200)], tmp_path)
    missed = {str(point) for point, count in low.items() if not count}
    assert {f"output__payload[{bit}]:0->1" for bit in range(2, BITS)} <= missed
    assert not any(point.endswith(("[0]:0->1", "[1]:0->1")) for point in missed)
    nothing = reached(queue, [], tmp_path)
    assert share(nothing, PointKind.BRANCH).missed > 0
    assert share(nothing, PointKind.TOGGLE).missed > share(low, PointKind.TOGGLE).missed


@pytest.mark.slow
def test_a_report_of_a_run_misses_its_aims(queue: CoveredLibrary, tmp_path: Path) -> None:
    coverage = MergedCoverage(queue.design)
    coverage.add(reached(queue, [1, 2], tmp_path), queue.design)
    seen = Counter({"status OK": 1, "status WATCHDOG": 0})
    report = CoverageReport(title="a queue", coverage=coverage, functional=seen)
    missed = [said for holds, said in conditions(report, ["a waiver"], AIMS) if not holds]
    assert any(said.startswith("a queue: toggle ") for said in missed)
    assert "a waiver" in missed and "a queue: never seen: status WATCHDOG" in missed


def test_a_report_of_nothing_fails() -> None:
    """Whose shares are all 100 %."""
    report = CoverageReport(title="nothing", coverage=MergedCoverage(), functional=Counter())
    missed = [said for holds, said in conditions(report, [], AIMS) if not holds]
    assert missed == [
        *(f"nothing: no points of kind {kind} to reach" for kind in PointKind),
        "nothing: no functional points to see",
    ]


def test_a_result_says_what_it_was_made_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.campaigns.coverage.run.commit", lambda: "0123456789ab")
    given = ["--config", "tiny", "--config", "link", "--no-benches", "--seed", "3", "-o", "x.json"]
    found = made_by("tiny", given)
    assert found == {
        "commit": "0123456789ab",
        "arguments": "--config tiny --seed 3 --no-benches",
    }


def test_programs_bring_every_field_to_its_ends() -> None:
    """All that can be said without data is said by what the campaign sends."""
    config = preset("tiny")
    functional = FunctionalCoverage(config)
    for words in at_the_ends(config):
        functional.sent(words)
    fields = {name: count for name, count in functional.counts.items() if name.startswith("field")}
    assert [name for name, count in fields.items() if not count] == []
    assert len(fields) > 180


def test_wrong_programs_are_wrong_and_differ() -> None:
    config, random = preset("tiny"), Random(3)
    good = begin(1) + [17, 3, 5, 9]
    broken = [damaged(good, random) for _ in range(50)]
    assert all(words[:3] == good[:3] for words in broken)
    assert sum(words != good for words in broken) > 45
    programs = [anything(config, random) for _ in range(100)]
    functional = FunctionalCoverage(config)
    for words in programs:
        functional.sent(words)
    commands = {f"command {opcode.name}" for opcode in Opcode if opcode is not Opcode.MEMORY}
    assert commands <= {name for name, count in functional.counts.items() if count}

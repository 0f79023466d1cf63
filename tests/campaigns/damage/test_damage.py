"""Every hand-made kind of broken file, and a slice of the mutations, through the command."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.campaigns.damage.kinds import KINDS
from tests.campaigns.damage.mutations import DAMAGES, mutation, onnx_mutation
from tests.campaigns.damage.run import main
from tests.campaigns.damage.sandbox import BYTES, SECONDS, Verdict, run_on
from tests.campaigns.damage.seeds import SEEDS, seed_model
from tests.thorough import thorough

SEED = 7
SLICE = range(thorough(20, 40))
Judge = Callable[..., Verdict]


def keep_nothing() -> None:
    """Leave the user's cache of searches alone, as `conftest.py` has it in the tests' process."""
    os.environ["ROWFORGE_CACHE"] = ""


@pytest.fixture(scope="module")
def forks() -> Iterator[ProcessPoolExecutor]:
    """A small process to fork from: this one has grown by all tests before, which forks copy."""
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=keep_nothing) as pool:
        yield pool


@pytest.fixture
def verdict_on(forks: ProcessPoolExecutor, tmp_path: Path) -> Judge:
    """Puts a file into a folder and runs the command on it, which must behave."""

    def judge(content: bytes, suffix: str = ".tflite") -> Verdict:
        path = tmp_path / f"model{suffix}"
        path.write_bytes(content)
        verdict = forks.submit(run_on, path).result()
        assert not verdict.faults, (verdict.faults, verdict.said)
        assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
        return verdict

    return judge


@pytest.mark.parametrize("name", SEEDS)
def test_undamaged_models_run(verdict_on: Judge, name: str) -> None:
    assert verdict_on(seed_model(name)).status == 0


@pytest.mark.parametrize("name", KINDS)
def test_a_broken_file_is_refused_in_one_sentence(verdict_on: Judge, name: str) -> None:
    kind = KINDS[name]
    verdict = verdict_on(kind.content(), kind.suffix)
    assert verdict.status == kind.status, verdict.said
    for word in kind.words:
        assert word in verdict.said


@pytest.mark.parametrize("number", SLICE)
def test_a_mutated_file_runs_or_is_refused(verdict_on: Judge, number: int) -> None:
    verdict_on(mutation(SEED, number)[1])


@pytest.mark.parametrize("number", SLICE)
def test_a_mutated_onnx_file_runs_or_is_refused(verdict_on: Judge, number: int) -> None:
    verdict_on(onnx_mutation(SEED, number)[1], ".onnx")


def test_a_mutation_follows_from_seed_and_number() -> None:
    assert mutation(3, 17) == mutation(3, 17)
    assert mutation(3, 17)[1] != mutation(3, 18)[1]
    assert onnx_mutation(3, 17) == onnx_mutation(3, 17)
    done = " ".join(mutation(1, number)[0] for number in range(200))
    assert all(name in done for name in (*DAMAGES, *SEEDS))


def test_faults_are_found() -> None:
    sentence = "rowforge: no\n"
    assert Verdict(2, sentence, 0.1, 1 << 20).faults == []
    for verdict in (
        Verdict(1, sentence, 0.1, 0),
        Verdict(-11, "", 0.1, 0),
        Verdict(2, sentence * 2, 0.1, 0),
        Verdict(2, "rowforge: internal error\n", 0.1, 0),
        Verdict(0, "", SECONDS + 1, 0),
        Verdict(0, "", 0.1, BYTES + 1),
        Verdict(0, "", 0.1, 0, wall=SECONDS + 1),
    ):
        assert len(verdict.faults) == 1
    assert Verdict(0, "", 0.1, 0, wall=SECONDS + 1, quiet=False).faults == []


def test_the_campaign_reports(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--only", "half"]) == 0
    assert "status 2: 1" in capsys.readouterr().out
    assert main(["--only", "1:0"]) == 0
    assert "1 files" in capsys.readouterr().out

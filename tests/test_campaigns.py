"""How campaigns end: what was missed is said, and nothing is missed for the sake of a small N."""

import re
from pathlib import Path

import pytest

from tests.campaigns.contract import run as contract
from tests.campaigns.contract.compare import LayerResult, ProgramResult
from tests.campaigns.fuzz import run as fuzz
from tests.campaigns.fuzz.cases import CASES
from tests.campaigns.fuzz.runner import Outcome
from tests.support.missed import conclude

TESTS = Path(__file__).parent
RUNNERS = sorted(
    path
    for path in TESTS.rglob("*.py")
    if "sys.exit(main())" in path.read_text(encoding="utf-8") and path != Path(__file__)
    if path.parent.name != "support"  # servers
)


def test_every_condition_that_was_missed_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude([(True, "a")]) == 0
    assert capsys.readouterr().out == ""
    assert conclude([(False, "3 of 4"), (True, "a"), (False, "none of 2")]) == 1
    assert capsys.readouterr().out == "missed: 3 of 4\nmissed: none of 2\n"


@pytest.mark.parametrize("path", RUNNERS, ids=lambda path: str(path.relative_to(TESTS)))
def test_every_campaign_ends_so(path: Path) -> None:
    """Its main returns 0 or 1 by `conclude` alone, and 2 where it had nothing to work on."""
    source = path.read_text(encoding="utf-8")
    body = source[source.index("\ndef main(") :]
    body = body[: re.search(r"\n(?=\S)", body[2:]).start() + 2]  # type: ignore[union-attr]
    returned = set(re.findall(r"^ +return (\w+)", body, re.MULTILINE))
    assert returned <= {"conclude", "_report", "2"}, returned
    assert "return conclude(" in source


def test_the_campaigns_are_found() -> None:
    assert len(RUNNERS) >= 11


# ---- the contract -------------------------------------------------------------------------------


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The contract's campaign with programs of nine layers that never ran; the cases it chose."""
    chosen: list[int] = []

    def compare(case: object) -> ProgramResult:
        layers = [LayerResult(f"layer{n}", "CONV", 1000, 1000) for n in range(9)]
        return ProgramResult(layers, 9000, 9000)

    def make_case(seed: int, index: int, *, clusters: bool) -> object:
        chosen.append(index)
        return None

    monkeypatch.setattr(contract, "compare", compare)
    monkeypatch.setattr(contract, "make_case", make_case)
    return chosen


@pytest.mark.parametrize("n", [1, 10, 80, 300])
def test_programs_of_many_layers_leave_no_configuration_out(
    pretended: list[int], n: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """80 layers on 25 configurations: some were skipped because others had made up for them."""
    assert contract.main(["--n", str(n), "--seed", "20261129", "--replays", "0"]) == 0
    assert "missed" not in capsys.readouterr().out
    assert {index // CASES for index in pretended} == set(range(min(n, contract.CONFIGS)))


def test_a_layer_beyond_the_contract_is_named(
    pretended: list[int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layer = LayerResult("conv7", "CONV", 1017, 1000)
    monkeypatch.setattr(contract, "compare", lambda case: ProgramResult([layer], 0, 0))
    monkeypatch.setattr(contract, "make_case", lambda seed, index, *, clusters: _Case())
    assert contract.main(["--n", "1", "--replays", "0"]) == 1
    printed = capsys.readouterr().out
    assert "BEYOND the contract: 1:0 conv7: 1017 for 1000 cycles" in printed
    assert printed.endswith("missed: 1 of 1 layers are beyond the contract\n")


class _Case:
    theme = "pretended"


# ---- the fuzzer ---------------------------------------------------------------------------------


def test_refusals_are_judged_from_forty_cases_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of two cases is refused: in a small campaign that is chance."""

    def run_case(case: int, *, rtl: bool) -> Outcome:
        return Outcome(_Numbered(case), "refused" if case % 2 else "passed", "x: too large")

    monkeypatch.setattr(fuzz, "make_case", lambda seed, index, *, clusters: index)
    monkeypatch.setattr(fuzz, "run_case", run_case)
    assert fuzz.main(["--n", "10"]) == 0
    assert "missed" not in capsys.readouterr().out
    assert fuzz.main(["--n", "40"]) == 1
    assert re.search(r"missed: \d+ of \d+ cases refused, at most 25% may", capsys.readouterr().out)


class _Numbered:
    theme = "pretended"

    def __init__(self, index: int):
        self.index = index

# amaranth: UnusedElaboratable=no
"""A slice of the proofs: properties hold, and mistakes in their blocks are found and shown."""

import json

import pytest

from hw.control.decoder import Decoder
from hw.engines.psum_reader import PsumReader
from hw.pe.skipping import SkippingPE
from hw.pe.walk import WindowWalk
from hw.properties.arbiters import WritesTakeTurns
from hw.properties.catalogue import NUMBERS, PROPERTIES, properties_of
from hw.properties.decoder import DecoderAnswers
from hw.properties.memory_arbiter import BurstsTakeTurns
from hw.properties.pe.skipping import SkippingSendsTheSame
from hw.properties.pe.walk import WalkStays
from hw.properties.psums import WindowsAreWrittenFirst
from hw.properties.queues import QueueOrder
from rowforge.cli import main
from rowforge.commands import prove as command
from rowforge.configs import preset
from rowforge.proving import solver
from rowforge.proving.campaign import ProvenProperty, designs
from rowforge.proving.report import failures, proof_table, write_report
from rowforge.proving.solver import Proof, ProofVerdict, prove
from tests.campaigns.proofs.mutants import MUTANTS
from tests.support.packages import ROOT


def demands():
    tiny = preset("tiny")
    return {
        "QueueOrder": QueueOrder(3, 8, False),
        "WritesTakeTurns": WritesTakeTurns(4),
        "WalkStays": next(WalkStays.of(WindowWalk(tiny))),
        "BurstsTakeTurns": BurstsTakeTurns(2, 2),
        "WindowsAreWrittenFirst": next(WindowsAreWrittenFirst.of(PsumReader(tiny))),
        "DecoderAnswers": next(DecoderAnswers.of(Decoder(tiny))),
    }


SLICE = (
    "QueueOrder",
    "WritesTakeTurns",
    "WalkStays",
    "BurstsTakeTurns",
    "WindowsAreWrittenFirst",
    "DecoderAnswers",
)


@pytest.mark.parametrize("name", SLICE)
def test_a_property_holds_always_and_finds_a_mistake(name, tmp_path):
    demand = demands()[name]
    assert prove(demand, seconds=100).verdict is ProofVerdict.ALWAYS
    wave = tmp_path / "waves" / "wrong.vcd"
    with MUTANTS[name].applied():
        wrong = prove(demand, seconds=100, wave=wave)
    assert wrong.verdict is ProofVerdict.WRONG and not wrong.holds
    assert wrong.sentence and "$" not in wrong.sentence  # words, not names of cells
    assert wrong.wave == wave and "$enddefinitions" in wave.read_text()


def test_a_pe_that_skips_zeros_must_find_each_word_in_its_window():
    demand = next(SkippingSendsTheSame.of(SkippingPE(preset("eyeriss_v2"))))
    with MUTANTS["SkippingSendsTheSame"].applied():
        wrong = prove(demand, seconds=100)
    assert wrong.verdict is ProofVerdict.WRONG and "is the same" in wrong.sentence


def test_what_time_does_not_suffice_for_is_undecided():
    proof = prove(QueueOrder(3, 8, False), seconds=0.001)
    assert proof.verdict is ProofVerdict.UNDECIDED and not proof.holds
    assert proof.sentence == "0.001 s were not enough"


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mistake_is_one(name):
    """Its text is there once and changes a function, which is as before afterwards."""
    with MUTANTS[name].applied():
        pass


def test_every_property_has_a_mistake_and_stands_on_the_page():
    assert set(MUTANTS) == {kind.__name__ for kind in PROPERTIES}
    page = (ROOT / "docs" / "proofs.md").read_text(encoding="utf-8")
    for kind in PROPERTIES:
        assert f"| {kind.number} | {kind.title} " in page, kind


@pytest.mark.slow
def test_tiny_has_blocks_for_all_properties_each_once():
    found = properties_of(designs([preset("tiny"), preset("tiny")]))
    dense = {SkippingSendsTheSame.number}  # no PE of `tiny` skips zeros
    assert {one.number for one in found} == set(NUMBERS) - dense
    assert len(found) == len(set(found))
    subjects = [one.subject for one in found if one.number != 3]
    assert len(subjects) == len(set(subjects))  # two equal designs have nothing to add


def results():
    demand = QueueOrder(3, 8, False)
    for verdict, cycles, sentence in (
        (ProofVerdict.ALWAYS, 1, ""),
        (ProofVerdict.BOUNDED, 9, ""),
        (ProofVerdict.WRONG, 4, "it overflows"),
        (ProofVerdict.UNDECIDED, 0, "5 s were not enough"),
    ):
        yield ProvenProperty(demand, Proof(verdict, cycles, sentence, None, 3, 0.5))


def test_results_are_told_as_they_are(tmp_path):
    proven = list(results())
    text = proof_table(proven)
    assert "holds for 9 cycles" in text and "items of 8 bits stand for all" in text
    assert "2 of 4 hold" in text.splitlines()[-1]
    said = list(failures(proven))
    assert len(said) == 2
    assert "WRONG in cycle 4: not so: it overflows" in said[0]
    assert "UNDECIDED: 5 s were not enough" in said[1]
    write_report(tmp_path / "proofs.json", proven, seed=1)
    document = json.loads((tmp_path / "proofs.json").read_text())
    assert document["seed"] == 1
    assert [row["result"] for row in document["properties"]] == [
        "holds always",
        "holds for 9 cycles",
        "WRONG",
        "UNDECIDED",
    ]


def test_the_command_fails_unless_everything_holds(monkeypatch, capsys):
    proven = list(results())
    for shown, status in ((proven[:2], 0), (proven[:3], 1), ([proven[3]], 1)):
        monkeypatch.setattr(command, "prove_all", lambda tops, shown=shown, **_: shown)
        assert main(["prove", "--preset", "tiny"]) == status
        assert f"of {len(shown)} hold" in capsys.readouterr().out


def test_what_is_missing_is_named(monkeypatch, capsys):
    assert main(["prove", "--preset", "tiny", "--seconds", "0"]) == 2
    assert "--seconds must be positive, not 0.0" in capsys.readouterr().err
    monkeypatch.setattr(solver, "_found", lambda _: None)
    assert main(["prove", "--preset", "tiny"]) == 2
    assert "pip install 'rowforge[prove]'" in capsys.readouterr().err

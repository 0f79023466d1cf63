"""The model of areas beside the syntheses that are recorded in docs/results/area.json."""

import json

import pytest

from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from rowforge.area.cells import CellCount
from rowforge.area.features import CONTROL, PARTS, features, part_of
from rowforge.area.memories import MemorySize, filter_spad
from rowforge.area.model import modelled, modelled_parts, unseen
from rowforge.configs import preset
from tests.support.packages import ROOT

RECORDED = json.loads((ROOT / "docs/results/area.json").read_text())
ACCELERATORS = [
    (kind, sample["number"], Config.from_dict(sample["configuration"]), sample["blocks"])
    for kind in ("varied", "drawn")
    for sample in RECORDED[kind]
]
MOST = {"varied": 0.02, "drawn": 0.10}  # error of the LUTs; drawn ones are held out of the fit


def total(blocks):
    return sum((CellCount(**cells) for cells in blocks.values()), CellCount())


@pytest.mark.parametrize(
    ("kind", "config", "blocks"),
    [(kind, config, blocks) for kind, _, config, blocks in ACCELERATORS],
    ids=[f"{kind}{number}" for kind, number, *_ in ACCELERATORS],
)
def test_a_synthesised_accelerator(kind, config, blocks):
    """LUTs within the stated error; block RAMs and multipliers exactly."""
    real, model = total(blocks), modelled(config)
    assert (model.block_rams, model.multipliers) == (real.block_rams, real.multipliers)
    assert abs(model.luts / real.luts - 1) <= MOST[kind]


def test_synthesised_pes():
    errors = []
    for sample in RECORDED["pes"]:
        config, real = Config.from_dict(sample["configuration"]), CellCount(**sample["cells"])
        assert filter_spad(config).block_rams == real.block_rams
        assert config.pe.macs == real.multipliers
        pes = config.array.rows * config.array.cols
        errors.append(abs(modelled_parts(config)["PEs"].luts / (pes * real.luts) - 1))
    assert len(errors) > 40
    assert max(errors) < 0.11 and sum(errors) / len(errors) < 0.03


def test_every_block_belongs_to_a_part():
    """Those of the control part are told by name, so that a new block is noticed."""
    rest = {block for *_, blocks in ACCELERATORS for block in blocks if part_of(block) == CONTROL}
    assert rest <= {
        *("decoder", "engine", "sequencer", "nest_walker", "next_command", "counters"),
        *("box_loader", "box_storer", "word_assembler", "word_splitter", "weight_memory"),
        *("mask_decoder", "mask_encoder", "access_counters"),
    }
    assert set(features(preset("tiny"))) == {*PARTS, CONTROL}


@pytest.mark.parametrize(
    ("memory", "count"),
    [
        (MemorySize(512, 64), 2),
        (MemorySize(640, 64), 4),
        (MemorySize(2048, 32, 8), 4),
        (MemorySize(4096, 32, 8), 8),
        (MemorySize(512, 32, 8), 1),
        (MemorySize(1024, 64, 16), 4),
        (MemorySize(16384, 8), 8),
        (MemorySize(32768, 1), 2),
        (MemorySize(256, 412, 103), 12),
        (MemorySize(32, 36), 0),
        (MemorySize(96, 16), 1),
    ],
)
def test_block_rams_of_a_memory(memory, count):
    assert memory.block_rams == count


def test_what_no_coefficients_are_for_is_refused():
    with pytest.raises(RowforgeError, match="engines"):
        modelled(preset("icebreaker"))


def test_changes_that_no_synthesis_has_seen_are_told():
    config = preset("ulx3s_85f")
    assert unseen(config, config.with_values({"array.rows": 6, "noc.filter": 4})) == []
    assert "access counters (control)" in unseen(
        config, config.with_values({"control.access_counters": True})
    )


def test_several_clusters_are_refused():
    with pytest.raises(RowforgeError, match="clusters.y and clusters.x must be 1 .*, not 2 and 2"):
        modelled(preset("tiny_mesh"))

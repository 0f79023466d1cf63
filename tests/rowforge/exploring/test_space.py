"""What a space may say, and what is refused in a sentence."""

import pytest

from boards.catalogue import board
from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from rowforge.exploring.space import read_space
from tests.rowforge.exploring.spaces import TEXT, space_of, written


def test_a_space_is_read(tmp_path):
    space = space_of(tmp_path)
    assert space.start == preset("tiny")
    assert space.values["array.rows"] == (2, 3, 4, 5, 6)
    assert [weight for _, weight in space.models] == [1.0]
    assert (space.trials, space.generation, space.seed, space.sampler) == (40, 8, 7, "nsga2")
    assert space.budget.limits == {"multipliers": 16}


def test_a_board_gives_clock_and_budget(tmp_path):
    text = f'board = "ulx3s-85f"\n{TEXT}luts = 1000\n'
    space = space_of(tmp_path, text)
    part = board("ulx3s-85f").budget
    assert space.clock == board("ulx3s-85f").clock
    assert space.budget.limits["luts"] == 1000 < part.lut
    assert space.budget.limits["block_rams"] < part.block_ram


def changed(old, new):
    assert old in TEXT
    return TEXT.replace(old, new)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = ", "must be a TOML file"),
        (f"colour = 3\n{TEXT}", "no field 'colour'"),
        (changed("trials = 40", 'trials = "many"'), "trials of a space must be a whole number"),
        (changed("trials = 40", "trials = 0"), "trials of a space must be 1 to"),
        (changed("generation = 8", "generation = 1"), "generation of a space must be 2 to"),
        (changed('start = "tiny"', 'start = "none"'), "'none' must be a configuration"),
        (changed('["cycles", "area"]', '["speed"]'), "not 'speed'"),
        (changed('["cycles", "area"]', '["area", "area"]'), "must differ"),
        (changed('["cycles", "area"]', '["inferences_per_second"]'), "needs a clock"),
        (changed('["cycles", "area"]', '["inferences_per_joule"]'), "have joules"),
        (changed("rows = [2, 3, 4, 5, 6]", "rows = [2, 3]"), "must have 4, that of its start"),
        (changed("rows = [2, 3, 4, 5, 6]", "rows = 4"), "must be a list"),
        (changed("rows = [2", "lines = [2"), "array.lines is no field"),
        (changed("[space.array]", "[space.link]\nrate = [1]\n[space.array]"), "link.rate is no"),
        (
            changed("[space.pe]", "[space.control]\naccess_counters = [false, true]\n[space.pe]"),
            "LUTs",
        ),
        (changed("multipliers = 16", "um2 = 30"), "budget.um2 cannot be kept"),
        (changed("multipliers = 16", "dsp = 30"), "no field 'dsp'"),
        (changed("multipliers = 16", "luts = 0"), "above 0"),
        (changed("multipliers = 16", 'board = "pynq-z2"'), "must have an ECP5"),
        (changed("multipliers = 16", 'board = "none"'), "--board must be one of"),
        (changed("= 2\n\n[space.array]", "= 0\n\n[space.array]"), "must be above 0"),
        (f'sampler = "grid"\n{TEXT}', "sampler must be one of"),
        (changed("[models]", "[budget.x]"), "a space must have models"),
    ],
)
def test_wrong_spaces_are_refused(tmp_path, text, said):
    with pytest.raises(RowforgeError, match=said):
        read_space(written(tmp_path, text))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(RowforgeError, match="cannot read"):
        read_space(tmp_path / "none.toml")

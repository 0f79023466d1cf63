"""Tables of layer shapes: each row is the estimate of a model of that one layer."""

import csv
import io
import json

import pytest

from hw.arch.errors import RowforgeError
from rowforge.configs import preset
from rowforge.shapes.over import MOST_SHAPES, shapes_over, sizes_over
from rowforge.shapes.shape import LayerKind, Padding
from rowforge.shapes.table import COLUMNS
from tests.campaigns.shapes.cases import drawn
from tests.campaigns.shapes.run import differences
from tests.rowforge.support import rowforge

CONFIG = preset("eyeriss_v1_int8")


@pytest.mark.parametrize("number", range(6))
def test_a_row_is_the_estimate_of_a_model_of_that_layer(number, tmp_path):
    """A slice of the campaign."""
    shape = drawn(5, number)
    assert differences(shape, CONFIG, tmp_path) == []


def test_ranges_and_their_order():
    sizes = sizes_over("channels=8:20:6, filters=4,height=7:8,kernel=3+1+3")
    assert sizes == {"channels": [8, 14, 20], "filters": [4], "height": [7, 8], "kernel": [3, 1]}
    shapes = shapes_over(LayerKind.CONV, sizes, Padding.SAME)
    assert [(s.channels, s.height, s.width, s.kernel) for s in shapes[:4]] == [
        *((8, 7, 7, 3), (8, 7, 7, 1), (8, 8, 8, 3), (8, 8, 8, 1)),
    ]
    assert len(shapes) == 12


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("conv", "channels", "not 'channels'"),
        ("conv", "depth=3", "sizes are channels"),
        ("conv", "channels=3,channels=4", "once"),
        ("conv", "channels=4:3", "must rise"),
        ("conv", "channels=0", "must rise"),
        ("conv", "channels=1:9:0", "must rise"),
        ("conv", "channels=x", "must be a number"),
        ("conv", "channels=1:2:3:4", "must be a number"),
        ("conv", "channels=3,height=7", "must have filters"),
        ("fc", "channels=3,filters=3,kernel=1", "must not have kernel"),
        ("depthwise", "channels=3,height=7,filters=3", "must not have filters"),
        ("fc", "channels=1:1000,filters=1:1000", f"at most {MOST_SHAPES:,} shapes"),
    ],
)
def test_wrong_ranges_are_refused(kind, text, said):
    with pytest.raises(RowforgeError, match=said):
        shapes_over(LayerKind(kind), sizes_over(text), Padding.SAME)


def test_the_command_writes_csv_and_json(capsys, tmp_path):
    over = ("--layer", "fc", "--over", "channels=8+16,filters=10")
    printed = rowforge(capsys, "table", "tiny", *over)
    rows = list(csv.DictReader(io.StringIO(printed.out)))
    assert (printed.status, printed.err, tuple(rows[0])) == (0, "", COLUMNS)
    path = tmp_path / "t.json"
    assert rowforge(capsys, "table", "tiny", *over, "-o", path).status == 0
    document = json.loads(path.read_text())
    assert document["unit"] == "MAC"
    assert [{k: str(v) for k, v in row.items()} for row in document["rows"]] == rows


def test_a_shape_that_cannot_be_computed_has_an_empty_row(capsys):
    over = "channels=4,filters=4,height=3,kernel=3+5"
    outcome = rowforge(
        capsys, "table", "tiny", "--layer", "conv", "--padding", "valid", "--over", over
    )
    first, second = list(csv.DictReader(io.StringIO(outcome.out)))
    assert int(first["cycles"]) > 0
    assert second["cycles"] == second["energy"] == ""
    assert "1 of 2 shapes cannot be computed" in outcome.err
    assert "kernel must be at most 3" in outcome.err


def test_a_name_that_is_no_configuration_is_refused(capsys):
    over = ("--layer", "fc", "--over", "channels=8,filters=10")
    rowforge(capsys, "table", "nothing", *over).assert_refused("'nothing' must be a configuration")
    rowforge(capsys, "table", "tiny", *over, "-o", "t.txt").assert_refused("end in .csv or .json")

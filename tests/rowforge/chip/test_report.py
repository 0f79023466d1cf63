"""`rowforge reproduce --schedule chip`."""

import pytest

from rowforge.reports.published import PUBLISHED
from tests.rowforge.support import rowforge


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_object_has_our_count_beside_the_published_one(capsys, name):
    outcome = rowforge(capsys, "reproduce", name, "--schedule", "chip", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = outcome.document
    assert [row["name"] for row in found["layers"]] == list(PUBLISHED[name].layers)
    for row in (*found["layers"], found["total"]):
        assert row["ratio"]["link_bytes"] == pytest.approx(
            row["link_bytes"] / row["published"]["link_bytes"], abs=1e-4
        )
        assert abs(row["ratio"]["link_bytes"] - 1) < 0.06
        assert row["raw_link_bytes"] > row["link_bytes"]
        split = row["link_split"]
        assert split["filters"] + split["inputs"] + split["outputs"] == row["link_bytes"]
    measured = PUBLISHED[name].total
    assert found["total"]["published"]["link_bytes"] == round(measured.dram_mb * 1e6)


def test_what_mappings_do_not_tell_is_named(capsys):
    alexnet, vgg = (
        rowforge(capsys, "reproduce", name, "--schedule", "chip", "--json").document
        for name in ("alexnet", "vgg16")
    )
    assert alexnet["total"]["glb_bytes"] and not alexnet["total"]["energy"]["partial"]
    assert alexnet["layers"][2]["as_printed"]["glb_bytes"] == 69_218_304
    for row in (*vgg["layers"], vgg["total"]):
        assert row["glb_bytes"] is None and row["ratio"]["glb_bytes"] is None
        assert row["energy"]["partial"]
        assert row["energy"]["missing"] == ["spad", "network", "buffer"]


def test_some_layers_and_their_sums(capsys):
    arguments = ("reproduce", "alexnet", "--schedule", "chip", "--layers", "2,conv5", "--json")
    found = rowforge(capsys, *arguments).document
    second, fifth = found["layers"]
    assert (second["name"], fifth["name"]) == ("conv2", "conv5")
    assert found["total"]["published"]["link_bytes"] == 5_300_000
    assert found["total"]["glb_bytes"] == second["glb_bytes"] + fifth["glb_bytes"]
    assert (second["zeros"], fifth["output_zeros"]) == (0.387, 0.8809)


def test_the_text_tells_of_the_printed_mapping(capsys, tmp_path):
    path = tmp_path / "counts.yaml"
    arguments = ("reproduce", "alexnet", "--schedule", "chip", "--export-accesses", path)
    out = rowforge(capsys, *arguments, "--preset", "eyeriss_v1").out
    assert "conv3 as table III prints it (n4 m64 e13 p16 q4 r1 t4): 69.2 MB" in out
    assert "rowforge.psum_buffer" in path.read_text()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--preset", "tiny"], ["--schedule chip", "eyeriss_v1"]),
        (["--rtl"], ["--schedule chip", "--rtl"]),
        (["--exact"], ["--schedule chip", "--exact"]),
        (["--layers", "conv9"], ["--layers", "'conv9'"]),
        (["--schedule", "best"], ["--schedule", "chip"]),
    ],
)
def test_bad_use_is_one_sentence(capsys, arguments, words):
    call = ("reproduce", "alexnet", "--schedule", "chip", *arguments)
    rowforge(capsys, *call).assert_refused(*words)

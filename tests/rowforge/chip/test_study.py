"""`rowforge reproduce energy`: published figures of energy beside ours."""

import json

import pytest

from compiler.workloads.layers import LayerShape
from compiler.workloads.networks import NETWORKS, network_layers
from rowforge.chip import counted
from rowforge.chip import study as study_module
from rowforge.chip.published_energy import ISCA_LAYERS
from rowforge.chip.study import FIGURE_COLUMNS, energy_study
from rowforge.configs import preset
from tests.rowforge.support import rowforge
from tests.thorough import thorough

# Mapping a dense layer takes up to ten seconds: `make test` takes one of the three.
LEFT_OUT = thorough({"fc6", "fc7"}, set())
NARROW = thorough(1.16, 1.065)  # energy of 8 bits in that of 16, of the layers that are taken
LAYERS = {name: energy for name, energy in ISCA_LAYERS.items() if name not in LEFT_OUT}


@pytest.fixture(scope="module")
def study():
    """The study, with a small network in the place of GoogLeNet, whose mapping takes minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_module, "BY_TYPE", "small")
        patch.setattr(study_module, "BY_TYPE_BATCH", 1)
        shapes = (LayerShape("a", 14, 32, 48, 3, 1, 1), LayerShape("b", 14, 48, 64, 1))
        patch.setitem(NETWORKS, "small", lambda: iter(shapes))
        patch.setattr(study_module, "ISCA_LAYERS", LAYERS)
        patch.setattr(counted, "network_layers", chosen_layers)
        return energy_study(preset("eyeriss_v1"))


def chosen_layers(network):
    return tuple(layer for layer in network_layers(network) if layer.name not in LEFT_OUT)


def figure(study, begin):
    (found,) = [entry for entry in study["figures"] if entry["name"].startswith(begin)]
    return found


@pytest.mark.slow
def test_products_and_register_files_are_the_published_ones_layer_by_layer(study):
    """By the same rule these do not depend on the schedule; DRAM does."""
    assert [row["name"] for row in study["layers"]] == list(LAYERS)
    for row in study["layers"]:
        ours, published = row["ours"], row["published"]
        assert ours["mac"] == pytest.approx(published["mac"], abs=0.006)
        assert ours["rf"] == pytest.approx(published["rf"], abs=0.011)
        assert ours["dram"] >= 0.7 * published["dram"]


@pytest.mark.slow
def test_the_chips_schedule_agrees_where_counts_can_tell(study):
    pes, networks = figure(study, "PEs' share"), figure(study, "networks' share")
    assert pes["chip"] == pytest.approx(pes["published"], rel=0.02)
    assert networks["chip"] == pytest.approx(networks["published"], rel=0.25)
    saved, dram = figure(study, "power of the PEs"), figure(study, "DRAM accesses")
    assert saved["chip"] == pytest.approx(saved["published"], rel=0.15)
    assert dram["chip"] == dram["published"]
    rest = figure(study, "register files")
    assert rest["chip"] > rest["published"]


@pytest.mark.slow
def test_shares_are_shares(study):
    assert sum(study["types"]["ours"].values()) == pytest.approx(1, abs=1e-3)
    assert sum(study["types"]["published"].values()) == 1
    assert set(study["types"]["published"]) < set(study["types"]["ours"])
    # At 8 bits a product costs a quarter, and psums of 32 bits twice as much: a little more in all,
    # and more so without the dense layers, most of whose energy is their filters'.
    assert study["bits"]["8"] / study["bits"]["16"] == pytest.approx(NARROW, rel=0.03)
    for entry in study["figures"]:
        assert entry["why"] and entry["source"]
        if "share" in entry["name"]:
            assert 0 < entry["ours"] < 1
    both = [figure(study, f"{part}' share")["ours"] for part in ("PEs", "networks")]
    assert sum(both) + figure(study, "buffer's share")["ours"] == pytest.approx(1, abs=1e-3)
    image, conv = figure(study, "energy of an image"), figure(study, "the same of the CONV")
    of_all = figure(study, "CONV layers' share of the energy, zeros skipped")
    assert conv["ours"] / image["ours"] == pytest.approx(of_all["ours"], abs=1e-3)


@pytest.mark.slow
def test_the_command_prints_both_forms(capsys, study, monkeypatch):
    monkeypatch.setattr("rowforge.commands.reproduce.study.energy_study", lambda *given: study)
    arguments = ("reproduce", "energy", "--preset", "eyeriss_v1")
    assert rowforge(capsys, *arguments, "--json").document == json.loads(json.dumps(study))
    out = rowforge(capsys, *arguments).out
    for column in FIGURE_COLUMNS:
        assert column.title in out
    for entry in study["figures"]:
        assert entry["name"] in out
        assert entry["why"].split()[0] in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["--preset"]),
        (["--preset", "eyeriss_v1_int8"], ["array.data_width must be 16", "8"]),
        (["--preset", "eyeriss_v1", "--rtl"], ["--rtl"]),
        (["--preset", "eyeriss_v1", "--layers", "1"], ["--layers"]),
        (["--preset", "eyeriss_v1", "--technology", "timeloop_45nm"], ["--technology"]),
        (["--preset", "eyeriss_v1", "--schedule", "chip"], ["--schedule"]),
    ],
)
def test_bad_use_is_one_sentence(capsys, arguments, words):
    rowforge(capsys, "reproduce", "energy", *arguments).assert_refused(*words)

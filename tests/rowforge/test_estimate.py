"""`rowforge estimate`: the report of a model or a shape list that the mapper's model makes."""

import json

import pytest

from compiler.workloads.layers import LayerShape
from compiler.workloads.networks import NETWORKS
from rowforge import estimation
from rowforge.configs import preset
from rowforge.estimation import estimate
from tests.rowforge.support import MODEL, rowforge
from tests.rowforge.test_run import LAYER_KEYS, TOTAL_KEYS

EXTRA = {"active_pes", "active_utilization", "chip_link_cycles"}
SMALL = (LayerShape("a", 14, 32, 48, 3, 1, 1), LayerShape("b", 14, 48, 64, 1))


@pytest.fixture(scope="module")
def digits():
    """The report of the shipped model."""
    return estimate(MODEL, preset("tiny"))


# ---- the object ---------------------------------------------------------------------------------


def test_json_is_one_object_with_the_contracts_keys(capsys):
    outcome = rowforge(capsys, "estimate", MODEL, "--preset", "tiny", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    assert set(document) == {"counts", "layers", "total"}
    assert set(document["total"]) == TOTAL_KEYS | EXTRA
    assert len(document["layers"]) == 10
    for layer in document["layers"]:
        assert set(layer) == LAYER_KEYS | EXTRA
        assert layer["cycles"] == layer["model_cycles"]


def test_a_model_is_estimated_as_it_is_compiled(capsys, digits):
    arguments = ("--preset", "tiny", "--target", "golden", "--json")
    run = rowforge(capsys, "run", MODEL, *arguments).document
    for ours, theirs in zip(digits["layers"], run["layers"], strict=True):
        for key in ("name", "op", "where", "macs", "bound", "glb_bytes", "mapping"):
            assert ours[key] == theirs[key]
        if ours["cycles"]:  # a run also asks for its counters
            assert 0 <= theirs["model_cycles"] - ours["cycles"] < 5


def test_totals_are_sums(digits):
    total = digits["total"]
    for key in ("macs", "cycles", "glb_bytes", "link_bytes", "chip_link_cycles"):
        assert total[key] == sum(layer[key] or 0 for layer in digits["layers"])
    assert total["utilization"] == round(total["macs"] / (16 * total["cycles"]), 4)


def test_utilisation_of_all_and_of_active_pes(digits):
    layers = [layer for layer in digits["layers"] if layer["active_pes"]]
    assert len(layers) == 6
    for layer in layers:
        assert layer["utilization"] == round(layer["macs"] / (16 * layer["cycles"]), 4)
        busy = layer["macs"] / (layer["active_pes"] * layer["cycles"])
        assert layer["active_utilization"] == pytest.approx(busy, rel=0.02)
        assert layer["utilization"] <= layer["active_utilization"] <= 1


@pytest.mark.parametrize(("rate", "counted"), [(1, 0.3), (0.5, 0.5), (0.1, 0.1)])
def test_a_slow_link_costs_what_it_cannot_hide(rate, counted):
    """Over the chip's link or the configuration's a layer waits for its words at least."""
    report = estimate(MODEL, preset("tiny").with_values({"link.rate": rate}))
    for layer in report["layers"]:
        if layer["cycles"] is None:
            assert layer["chip_link_cycles"] is None
            continue
        words = layer["link_bytes"] / 8
        assert layer["chip_link_cycles"] >= max(layer["cycles"], words / counted)


# ---- shape lists --------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """The name of a shape list that is quickly mapped."""
    monkeypatch.setitem(NETWORKS, "small", lambda: iter(SMALL))
    return "small"


def test_a_density_gives_expected_cycles(digits):
    config = preset("tiny").with_values({"pe.kind": "skipping"})
    expected = []
    for share in (0.2, 0.6, 1):
        report = estimate(MODEL, config, density=share)
        assert [row["cycles"] for row in report["layers"]] == [
            row["cycles"] for row in digits["layers"]
        ]
        known = [row["expected_cycles"] or 0 for row in report["layers"]]
        assert report["total"]["expected_cycles"] == sum(known)
        assert f"a share of {share:g} of all ifmap words" in report["counts"]
        expected.append(sum(known))
    assert expected == sorted(set(expected))


def test_a_shape_list_has_a_batch(capsys, small):
    arguments = ("estimate", small, "--preset", "eyeriss_v1_int8", "--json")
    one = rowforge(capsys, *arguments).document
    two = rowforge(capsys, *arguments, "--batch", 2).document
    assert one["total"]["macs"] == sum(layer.macs for layer in SMALL)
    assert two["total"]["macs"] == 2 * one["total"]["macs"]
    assert one["total"]["cycles"] < two["total"]["cycles"] <= 2.1 * one["total"]["cycles"]


def test_the_objective_is_heard(capsys, monkeypatch):
    """A layer whose filters are sent several times if nobody minds."""
    monkeypatch.setitem(NETWORKS, "wide", lambda: iter([LayerShape("a", 28, 96, 192, 3, 1, 1)]))
    arguments = ("estimate", "wide", "--preset", "eyeriss_v1_int8", "--json")
    cycles = rowforge(capsys, *arguments).document["total"]
    traffic = rowforge(capsys, *arguments, "--objective", "traffic").document["total"]
    assert cycles["cycles"] < traffic["cycles"]
    assert cycles["link_bytes"] > traffic["link_bytes"]


# ---- text ---------------------------------------------------------------------------------------


def test_the_table_shows_layers_mappings_and_idle_pes(capsys, digits):
    out = rowforge(capsys, "estimate", MODEL, "--preset", "tiny").out
    for layer in digits["layers"]:
        (line,) = [line for line in out.splitlines() if line.startswith(f"{layer['name']} ")]
        if layer["mapping"]:
            assert f" p{layer['mapping']['filters']} q{layer['mapping']['channels']} " in line
    idle = [layer for layer in digits["layers"] if layer["mapping"].get("idle")]
    assert idle
    for layer in idle:
        assert f"  {layer['name']}: {layer['mapping']['idle']}" in out.splitlines()


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lenet", "--preset", "tiny"], ["lenet", *NETWORKS, ".tflite"]),
        (["absent.tflite", "--preset", "tiny"], ["absent.tflite"]),
        (["alexnet", "--preset", "tiny", "--batch", "0"], ["--batch", "at least 1", "not 0"]),
        (["alexnet", "--preset", "tiny", "--batch", "two"], ["--batch", "two"]),
        ([MODEL, "--preset", "tiny", "--batch", "2"], ["--batch", "digits.tflite", "alexnet"]),
        ([MODEL, "--preset", "eyeriss_v1"], ["data_width", "16", "int8"]),
        (["alexnet", "--preset", "huge"], ["huge", "tiny"]),
        (["alexnet"], ["--preset", "--config"]),
        (["alexnet", "--preset", "tiny", "--objective", "fame"], ["fame", "traffic"]),
    ],
)
def test_bad_use_is_one_sentence(capsys, arguments, words):
    rowforge(capsys, "estimate", *arguments).assert_refused(*words)


# ---- what was estimated before ------------------------------------------------------------------


@pytest.mark.parametrize("form", [["--json"], [], ["--json", "--objective", "edp"]])
def test_a_second_estimate_is_the_same_without_a_search(capsys, monkeypatch, tmp_path, form):
    def never(*given):
        raise AssertionError("it was estimated before")

    arguments = ("estimate", MODEL, "--preset", "tiny", *form)
    monkeypatch.setenv("ROWFORGE_CACHE", "")
    without = rowforge(capsys, *arguments)
    monkeypatch.setenv("ROWFORGE_CACHE", str(tmp_path))
    first = rowforge(capsys, *arguments)
    monkeypatch.setattr(estimation, "timing_program", never)
    second = rowforge(capsys, *arguments)
    assert (second.status, second.err) == (0, "")
    assert without.out == first.out == second.out
    other = rowforge(capsys, *arguments, "--objective", "traffic")
    assert "it was estimated before" in other.err

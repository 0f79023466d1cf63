"""`rowforge reproduce` of the chip's second version: published inferences a second beside ours."""

import json

import pytest

from compiler.workloads.layers import LayerShape
from compiler.workloads.networks import NETWORKS
from rowforge.chip import eyeriss_v2
from rowforge.configs import preset
from tests.rowforge.support import rowforge

SMALL = preset("tiny_mesh").with_values({"pe.kind": "skipping", "clusters.y": 1})


@pytest.fixture
def small(monkeypatch):
    """Two layers under the name of the network."""
    layers = (LayerShape("a", 8, 8, 16, 3, 1, 1), LayerShape("b", 8, 16, 32, 1))
    monkeypatch.setitem(NETWORKS, "mobilenet_v1_0.5_128", lambda: iter(layers))
    return "mobilenet_v1_0.5_128"


def test_zeros_and_larger_memories_save_cycles(small):
    report = eyeriss_v2.eyeriss_v2_study(small, SMALL)
    cycles = {(bool(row["overrides"]), row["density"]): row["cycles"] for row in report["rows"]}
    assert len(cycles) == 2 * len(eyeriss_v2.DENSITIES)
    for whole in (False, True):
        assert cycles[whole, 0.6] < cycles[whole, 0.75] < cycles[whole, None]
    assert all(cycles[True, share] < cycles[False, share] for share in eyeriss_v2.DENSITIES)
    filters = (8 * 9 * 16 + 16 * 32) * SMALL.clusters.count  # rows are cut: each has all of them
    for row in report["rows"]:
        assert row["inferences_per_s"] == pytest.approx(2e8 / row["cycles"], abs=0.1)
        macs = 64 * (8 * 9 * 16 + 16 * 32)
        assert row["utilization"] == pytest.approx(macs / (8 * row["cycles"]), abs=1e-4)
        assert row["weight_memory_bytes"] >= (filters if row["overrides"] else 0)


def test_the_command_prints_both_forms(capsys, monkeypatch):
    row = {
        "overrides": eyeriss_v2.WHOLE,
        "density": 0.6,
        "cycles": 250_000,
        "inferences_per_s": 800.0,
        "of_published": 0.624,
        "utilization": 0.5,
        "weight_memory_bytes": 1024,
    }
    report = {"counts": eyeriss_v2.COUNTS, "published": {"dense": 1282.1}, "rows": [row]}
    monkeypatch.setattr(eyeriss_v2, "eyeriss_v2_study", lambda *given: report)
    arguments = ("reproduce", "mobilenet_v1_0.5_128", "--preset", "tiny_mesh")
    assert rowforge(capsys, *arguments, "--json").document == json.loads(json.dumps(report))
    out = rowforge(capsys, *arguments).out
    for said in ("buffer.depth 8192", "0.6", "250,000", "800.0", "0.624", "1282.1"):
        assert said in out


@pytest.mark.parametrize(
    "extra", [("--rtl",), ("--layers", "1"), ("--exact",), ("--schedule", "chip")]
)
def test_bad_use_is_one_sentence(capsys, extra):
    arguments = ("reproduce", "mobilenet_v1_0.5_128", "--preset", "tiny_mesh", *extra)
    rowforge(capsys, *arguments).assert_refused(extra[0])


@pytest.mark.parametrize("network", ["alexnet", "energy"])
def test_the_first_version_had_one_cluster(capsys, network):
    arguments = ("reproduce", network, "--preset", "tiny_mesh")
    rowforge(capsys, *arguments).assert_refused("clusters.y", "2 and 2")


def test_traces_are_of_one_cluster(capsys, tmp_path):
    arguments = ("estimate", "alexnet", "--preset", "tiny_mesh", "--trace", tmp_path / "t.json")
    rowforge(capsys, *arguments).assert_refused("clusters.y", "traced")

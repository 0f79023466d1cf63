"""`rowforge reproduce`: the published tables beside ours, and layers on the RTL."""

import functools
import json
from dataclasses import replace

import pytest

from compiler.workloads.layers import LayerShape
from compiler.workloads.networks import conv_layers
from hw.arch.config import Config
from hw.arch.config.file import render_toml
from hw.arch.program import Load, Store
from hw.arch.program.layout import box_words, link_words
from rowforge import reproduction
from rowforge.chip.coding import coded_share
from rowforge.configs import preset
from rowforge.reports.published import PUBLISHED
from rowforge.running import targets
from rowforge.running.crop import STEADY, Workload, crop
from rowforge.running.layer_run import run_layer
from rowforge.running.seeded import Shares, seeded_layer, share_of_zeros
from sim.functional import FunctionalAccelerator
from sim.golden.convolution import convolve
from sim.link import RtlLink
from sw_driver.accelerator import Connection, register_transport
from tests.campaigns.fuzz.cases import WIDE, slice_case
from tests.campaigns.fuzz.runner import OPTIMISE
from tests.rowforge.support import FaultyLink, rowforge
from tests.rowforge.test_estimate import EXTRA
from tests.rowforge.test_run import LAYER_KEYS, TOTAL_KEYS

CODED = ("link_bytes_raw", "link_bytes_coded", "link_bytes_run_length")
OURS = {"ms", "published", "ratio", *CODED}
SMALL = LayerShape("conv3", 5, 16, 8, 3, 1, 1)
TINY16 = {
    "array.rows": 4,
    "array.cols": 4,
    "array.data_width": 16,
    "array.psum_width": 16,
    "noc.filter": 4,
}


@pytest.fixture(scope="module")
def alexnet():
    """The report on the chip's own configuration."""
    return reproduction.reproduce("alexnet", preset("eyeriss_v1"))


# ---- the object ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_report_has_the_contracts_keys_and_ours(alexnet):
    assert set(alexnet) == {"counts", "layers", "total"}
    assert set(alexnet["total"]) == TOTAL_KEYS | EXTRA | OURS
    assert [layer["name"] for layer in alexnet["layers"]] == [f"conv{n}" for n in range(1, 6)]
    for layer in alexnet["layers"]:
        assert set(layer) == LAYER_KEYS | EXTRA | OURS | {"zeros"}
        assert layer["cycles"] == layer["model_cycles"]


@pytest.mark.slow
def test_the_published_figures_are_beside_ours(alexnet):
    table = PUBLISHED["alexnet"]
    assert alexnet["total"]["macs"] == 4 * 665_784_864
    assert alexnet["total"]["published"]["cycles"] == 20_700_000
    assert alexnet["total"]["published"]["glb_bytes"] == 208_500_000
    for layer in (*alexnet["layers"], alexnet["total"]):
        theirs = layer["published"]
        assert layer["ms"] == pytest.approx(layer["cycles"] / 200e3, abs=1e-3)
        assert layer["ratio"]["cycles"] == pytest.approx(layer["cycles"] / theirs["cycles"], 1e-3)
        assert theirs["utilization"] == round(layer["macs"] / 168 / theirs["cycles"], 4)
    conv1 = alexnet["layers"][0]["published"]
    assert (conv1["ms"], conv1["active_pes"]) == (table.layers["conv1"].processing_ms, 154)


def test_the_exact_model_counts_in_place_of_the_estimate(monkeypatch):
    shape = LayerShape("conv3", 7, 16, 16, 3, 1, 1)
    monkeypatch.setattr(reproduction, "conv_layers", lambda name: (shape,))
    config = Config.of(TINY16)
    estimated, exact = (
        reproduction.reproduce("alexnet", config, exact=exact) for exact in (False, True)
    )
    work = Workload(config, shape, 4)
    (row,) = exact["layers"]
    assert (row["cycles"], row["chip_link_cycles"]) == (work.exact_cycles(), work.exact_cycles(0.3))
    assert row["chip_link_cycles"] > row["link_bytes"] / 8 / 0.3
    assert estimated["layers"][0]["cycles"] == work.cycles
    for key in ("cycles", "chip_link_cycles"):
        assert abs(estimated["total"][key] / exact["total"][key] - 1) < 0.1
    assert estimated["counts"] != exact["counts"]


def test_chosen_layers_by_name_and_number(capsys):
    arguments = ("reproduce", "vgg16", "--preset", "eyeriss_v1", "--json")
    outcome = rowforge(capsys, *arguments, "--layers", "conv4-1,1")
    assert (outcome.status, outcome.err) == (0, "")
    document = json.loads(outcome.out)
    first, second = document["layers"]
    assert (first["name"], second["name"]) == ("conv1-1", "conv4-1")
    total = document["total"]
    for key in ("cycles", "glb_bytes", "link_bytes"):
        assert total[key] == first[key] + second[key]
        published = total["published"][key]
        assert published == first["published"][key] + second["published"][key]
    assert total["macs"] == 3 * (86_704_128 + 924_844_032)


@pytest.mark.slow
def test_the_table_is_the_report(capsys, alexnet):
    outcome = rowforge(capsys, "reproduce", "alexnet", "--preset", "eyeriss_v1", "--layers", "2")
    assert outcome.status == 0
    (line,) = [line for line in outcome.out.splitlines() if line.startswith("conv2 ")]
    assert f"{alexnet['layers'][1]['cycles']:,}" in line
    assert "7,840,000" in line
    assert "RTL" not in outcome.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lenet", "--preset", "eyeriss_v1"], ["lenet", "alexnet", "vgg16"]),
        (["resnet50", "--preset", "eyeriss_v1"], ["resnet50", "alexnet"]),
        (["alexnet", "--preset", "eyeriss_v1", "--layers", "6"], ["--layers", "'6'", "conv5"]),
        (["alexnet", "--preset", "eyeriss_v1", "--layers", "0"], ["--layers", "'0'"]),
        (["alexnet", "--preset", "eyeriss_v1", "--layers", "fc6"], ["fc6", "conv1"]),
        (["alexnet", "--preset", "eyeriss_v1", "--layers", ""], ["--layers", "''"]),
        (["vgg16", "--preset", "eyeriss_v1", "--layers", "1,,2"], ["--layers", "''"]),
        (["alexnet"], ["--preset", "--config"]),
        (["alexnet", "--preset", "eyeriss_v1", "--batch", "4"], ["--batch"]),
    ],
)
def test_bad_use_is_one_sentence(capsys, arguments, words):
    rowforge(capsys, "reproduce", *arguments).assert_refused(*words)


# ---- coded bytes --------------------------------------------------------------------------------


def test_shares_of_zeros_are_the_published_ones():
    table, shapes = PUBLISHED["alexnet"], conv_layers("alexnet")
    works = [Workload(Config.of(TINY16), shape, 4) for shape in shapes]
    found = [reproduction.shares_of_zeros(table, work, shapes) for work in works]
    assert [shares.input for shares in found] == [0.0001, 0.387, 0.725, 0.793, 0.776]
    outputs = [0.387**0.5, 0.725**0.5, 0.793, 0.776, 0.776]
    assert [shares.output for shares in found] == pytest.approx(outputs)


def test_coded_bytes_are_those_of_the_data(monkeypatch):
    shapes = (LayerShape("conv4", 9, 16, 16, 3, 1, 1), LayerShape("conv1", 9, 16, 16, 3, 1, 1))
    monkeypatch.setattr(reproduction, "conv_layers", lambda name: shapes)
    config = Config.of(TINY16)
    report = reproduction.reproduce("alexnet", config)
    for row, shape in zip(report["layers"], shapes, strict=True):
        program = Workload(config, shape, 4).program
        moved = {}
        for step in program.steps:
            if isinstance(step, Load | Store):
                words = link_words(config, box_words(config, step.box))
                moved[step.tensor] = moved.get(step.tensor, 0) + words
        shares = (row["zeros"]["input"], row["zeros"]["output"])
        tensors = (program.inputs[0], program.outputs[0])
        raw = coded = runs = 0
        for tensor, share in zip(tensors, shares, strict=True):
            words = moved[tensor]
            raw += words
            coded += min(words, words * (1 + 16 * (1 - share)) / 16)
            runs += min(words, words * coded_share(share))
        plain = row["link_bytes"] - 8 * raw
        assert row["link_bytes_coded"] == pytest.approx(plain + 8 * coded, rel=0.03)
        assert row["link_bytes_run_length"] == pytest.approx(plain + 8 * runs, rel=0.03)
    sparse, dense = report["layers"]
    assert sparse["published"]["zeros"] == {"input": 0.793, "output": 0.0001}
    assert sparse["zeros"]["input"] == pytest.approx(0.793, abs=0.02)
    assert sparse["zeros"]["output"] == pytest.approx(0.0001, abs=0.001)
    assert dense["link_bytes_coded"] == dense["link_bytes_run_length"] == dense["link_bytes"]
    assert sparse["link_bytes_coded"] < sparse["link_bytes_run_length"] < sparse["link_bytes"]
    for key in CODED:
        assert report["total"][key] == sparse[key] + dense[key]


@pytest.mark.parametrize("exact", [False, True])
def test_bytes_on_the_link_are_of_the_codes_that_it_has(monkeypatch, exact):
    """By tensor they are less than by transfer, and a STORE says in a word how its code looks."""
    monkeypatch.setattr(reproduction, "conv_layers", lambda name: (SMALL,))
    raw, coded = (
        reproduction.reproduce("alexnet", Config.of(TINY16 | {"link.coding": coding}), exact=exact)
        for coding in ("none", "mask")
    )
    (plain,), (row,) = raw["layers"], coded["layers"]
    assert plain["link_bytes"] == plain["link_bytes_raw"] == row["link_bytes_raw"]
    assert row["link_bytes"] == pytest.approx(row["link_bytes_coded"], rel=0.02)
    assert coded["total"]["link_bytes"] == row["link_bytes"] < plain["link_bytes"]
    assert row["ratio"]["link_bytes"] < plain["ratio"]["link_bytes"]
    assert (row["chip_link_cycles"] < plain["chip_link_cycles"]) == exact


def test_eight_bits_have_no_run_length_code(monkeypatch):
    shape = LayerShape("conv4", 9, 16, 16, 3, 1, 1)
    monkeypatch.setattr(reproduction, "conv_layers", lambda name: (shape,))
    changes = {"array.data_width": 8, "array.psum_width": 32}
    (row,) = reproduction.reproduce("alexnet", Config.of(TINY16 | changes))["layers"]
    assert row["link_bytes_run_length"] is None
    assert row["link_bytes_coded"] < row["link_bytes"]


# ---- crops --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conv1-1", "conv4-1"])
def test_a_crop_is_short_and_runs_like_the_whole_layer(name):
    (shape,) = [layer for layer in conv_layers("vgg16") if layer.name == name]
    whole = Workload(preset("eyeriss_v1"), shape, 3)
    part = crop(whole, 1_500_000)
    assert part.cycles <= 1_500_000 < whole.cycles
    assert part.mapping == whole.mapping
    assert part.shape.width == shape.width
    busy, all_busy = (work.layer.macs / work.cycles for work in (part, whole))
    assert abs(busy / all_busy - 1) <= STEADY
    assert part.describe(whole) != "whole"


def test_a_layer_that_is_short_enough_stays_whole():
    whole = Workload(Config.of(TINY16), SMALL, 1)
    assert crop(whole, whole.cycles) is whole
    assert whole.describe(whole) == "whole"


# ---- the RTL ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_cropped_layer_on_the_rtl_equals_the_golden_model(monkeypatch):
    """CONV3 with fewer rows and channels, on a configuration that the fuzzer's tests build too."""
    shape = LayerShape("conv3", 7, 16, 16, 3, 1, 1)
    monkeypatch.setattr(targets, "RtlLink", functools.partial(RtlLink, optimise=OPTIMISE))
    monkeypatch.setattr(reproduction, "conv_layers", lambda name: (shape,))
    monkeypatch.setattr(reproduction, "CROPPED", {"alexnet": 40_000})
    config = slice_case(WIDE, 0).config
    assert config.array.data_width == 16
    (row,) = reproduction.reproduce("alexnet", config, rtl=True)["layers"]
    run = row["rtl"]
    assert run["exact"]
    assert run["macs"] < row["macs"]
    assert run["macs"] % (3 * 3 * run["outputs"]) == 0
    assert run["counters"]["macs"] == run["macs"]
    assert run["cycles"] > run["macs"] / config.multipliers
    assert run["difference"] == run["model_cycles"] - run["cycles"]
    assert run["within"] == (abs(run["difference"]) <= max(16, run["cycles"] // 100))


@pytest.mark.parametrize("width", [8, pytest.param(16, marks=pytest.mark.slow)])
def test_random_layers_equal_the_golden_model_without_time(width):
    config = Config.of(TINY16 | {"array.data_width": width, "array.psum_width": 2 * width})
    layer = LayerShape("conv", 9, 6, 8, 3, 2, 1, 2, W=7)
    work = Workload(config, layer, 2)
    run = run_layer(work, Shares(0.4, 0.7), target="golden", paced_target="golden")
    assert run.difference is None
    assert run.outputs == 2 * 5 * 4 * 8
    assert run.zeros["input"] == pytest.approx(0.4, abs=0.08)
    assert run.zeros["output"] == pytest.approx(0.7, abs=0.01)


@pytest.mark.parametrize("share", [0, 0.62, 1])
@pytest.mark.parametrize(("width", "psum"), [(8, 32), (16, 16)])
def test_biases_give_outputs_their_share_of_zeros(width, psum, share):
    config = Config.of(TINY16 | {"array.data_width": width, "array.psum_width": psum})
    work = Workload(config, LayerShape("conv", 9, 16, 8, 3, 1, 1), 2)
    graph, values = seeded_layer(work, Shares(0.5, share), seed=3)
    outputs = convolve(graph.nodes[0], values, psum)
    by_channel = [share_of_zeros(outputs[..., channel]) for channel in range(8)]
    assert by_channel == pytest.approx([share] * 8, abs=1 / outputs[..., 0].size)
    assert outputs.min() >= 0
    assert len(set(graph.nodes[0].bias.tolist())) == 8


@pytest.fixture
def instead(monkeypatch):
    """`--rtl` with an executor without time in the RTL's place, and small layers for a network."""

    def use(connect, *, error=0):
        def run(work, shares):
            found = run_layer(work, shares, target="instead:", paced_target="instead:")
            paced = found.paced[1]
            return replace(found, cycles=found.model_cycles - error, paced=(paced, paced))

        register_transport("instead", lambda url: Connection(for_config=connect))
        monkeypatch.setattr(reproduction, "run_layer", run)
        others = (SMALL, replace(SMALL, name="conv4"))
        monkeypatch.setattr(reproduction, "conv_layers", lambda name: others)

    return use


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(render_toml(Config.of(TINY16)))
    return path


def test_runs_are_reported_beside_the_model(capsys, instead, small):
    instead(FunctionalAccelerator)
    arguments = ("reproduce", "alexnet", "--config", small, "--layers", "1", "--rtl")
    outcome = rowforge(capsys, *arguments, "--json")
    assert (outcome.status, outcome.err) == (0, "")
    (row,) = json.loads(outcome.out)["layers"]
    assert row["rtl"]["exact"]
    assert row["rtl"]["difference"] == 0
    assert row["rtl"]["part"] == "whole"
    assert row["rtl"]["outputs"] == 4 * 5 * 5 * 8
    shares = row["rtl"]["zeros"], row["published"]["zeros"]
    assert shares[0]["output"] == pytest.approx(shares[1]["output"], abs=0.01)
    assert "on the RTL the layer's own counters" in outcome.document["counts"]
    text = rowforge(capsys, *arguments).out
    assert "every bit" in text
    assert "counted: each layer as a network of its own" in text


def test_a_wrong_bit_is_status_1_and_says_where(capsys, instead, small):
    instead(functools.partial(FaultyLink, block=0, byte=11))
    arguments = ("reproduce", "alexnet", "--config", small, "--layers", "1", "--rtl")
    outcome = rowforge(capsys, *arguments)
    assert outcome.status == 1
    assert "conv3: input 0, layer conv3, output [" in outcome.err
    assert "expected" in outcome.err
    assert "NO" in outcome.out


def test_cycles_beyond_the_contract_are_status_1(capsys, instead, small):
    instead(FunctionalAccelerator, error=1000)
    arguments = ("reproduce", "alexnet", "--config", small, "--layers", "1", "--rtl", "--json")
    outcome = rowforge(capsys, *arguments)
    assert outcome.status == 1
    assert "allowed" in outcome.err
    run = outcome.document["layers"][0]["rtl"]
    assert run["exact"]
    assert (run["difference"], run["within"]) == (1000, False)
    assert run["allowed"] == run["cycles"] // 100

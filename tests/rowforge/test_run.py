"""`rowforge run` and `rowforge compile` on the model that ships with the package."""

import numpy as np
import pytest

from hw.arch.program import Query
from hw.arch.program.file import load_program
from rowforge.configs import preset
from rowforge.energy.document import KEYS
from sim.cycles import predict
from sim.functional import FunctionalAccelerator
from sw_driver.accelerator import Connection, register_transport
from tests.rowforge.support import DIGITS, MODEL, FaultyLink, rowforge

LAYER_KEYS = {
    *KEYS,
    "edge_values",
    "name",
    "op",
    "where",
    "reason",
    "macs",
    "cycles",
    "model_cycles",
    "utilization",
    "bound",
    "glb_bytes",
    "link_bytes",
    "mapping",
    "removed",
}
TOTAL_KEYS = {
    *KEYS,
    "edge_values",
    "macs",
    "cycles",
    "model_cycles",
    "utilization",
    "glb_bytes",
    "link_bytes",
}


@pytest.fixture
def digits(tmp_path):
    """A file of some digits, and where the outputs go."""
    path = tmp_path / "x.npy"
    np.save(path, DIGITS.images[:5])
    return path, tmp_path / "y.npy"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    from rowforge.cli import main

    path = tmp_path_factory.mktemp("program") / "digits.rfp"
    assert main(["compile", MODEL, "--preset", "tiny", "--counters", "-o", str(path)]) == 0
    return path


# ---- results ------------------------------------------------------------------------------------


def test_golden_outputs_have_the_inputs_batch(capsys, digits):
    x, y = digits
    arguments = ("--preset", "tiny", "--target", "golden", "--input", x, "--output", y)
    assert rowforge(capsys, "run", MODEL, *arguments).status == 0
    outputs = np.load(y)
    assert outputs.shape == (5, 10)
    assert outputs.dtype == np.int8
    np.testing.assert_array_equal(outputs.argmax(axis=1), DIGITS.labels[:5])


def test_inputs_and_outputs_by_name(capsys, tmp_path):
    x, y = tmp_path / "x.npz", tmp_path / "y.npz"
    arguments = ("--preset", "tiny", "--target", "golden", "--input", x, "--output", y)
    np.savez(x, picture=DIGITS.images[:2])
    rowforge(capsys, "run", MODEL, *arguments).assert_refused("inputs must be image, not picture")
    np.savez(x, image=DIGITS.images[:2])
    assert rowforge(capsys, "run", MODEL, *arguments).status == 0
    with np.load(y) as outputs:
        assert outputs.files == ["probabilities"]
        assert outputs["probabilities"].shape == (2, 10)


def test_json_is_one_object_with_the_contracts_keys(capsys, digits):
    x, _ = digits
    arguments = ("--preset", "tiny", "--target", "golden", "--input", x, "--json")
    document = rowforge(capsys, "run", MODEL, *arguments).document
    assert set(document) == {"counts", "layers", "total"}
    assert document["counts"].startswith("plain run: ")
    assert set(document["total"]) == TOTAL_KEYS
    assert len(document["layers"]) == 10
    for layer in document["layers"]:
        assert set(layer) == LAYER_KEYS
        assert layer["where"] in ("array", "host", "folded")
        assert layer["cycles"] is None
    assert document["total"]["macs"] == 71_232
    assert document["total"]["cycles"] is None


def test_check_and_dump_on_the_command_stream(capsys, digits, tmp_path):
    x, y = digits
    dump = tmp_path / "t.npz"
    arguments = ("--preset", "tiny", "--target", "golden", "--input", x, "--output", y, "--check")
    outcome = rowforge(capsys, "run", MODEL, *arguments, "--dump", dump)
    assert outcome.status == 0, outcome.err
    assert "50 layer outputs of 5 inputs equal" in outcome.out
    golden = tmp_path / "golden.npz"
    arguments = ("--preset", "tiny", "--target", "golden", "--input", x, "--dump", golden)
    rowforge(capsys, "run", MODEL, *arguments)
    with np.load(dump) as ours, np.load(golden) as theirs:
        assert list(ours) == list(theirs)
        assert list(ours)[0].startswith("000_CONV_2D_t")
        assert len(ours.files) == 10
        for key in ours:
            np.testing.assert_array_equal(ours[key], theirs[key])
        np.testing.assert_array_equal(ours[list(ours)[-1]][0], np.load(y)[0])


@pytest.mark.parametrize("rounding", ["tflm", "ort", "single"])
def test_rounding_is_chosen(capsys, digits, rounding):
    x, _ = digits
    arguments = ("--preset", "tiny", "--target", "golden", "--rounding", rounding, "--check")
    outcome = rowforge(capsys, "run", MODEL, *arguments, "--input", x)
    assert outcome.status == 0, outcome.err


# ---- a wrong result ---------------------------------------------------------------------------


def faulty(block, byte=0):
    def transport(url):
        return Connection(for_config=lambda config: FaultyLink(config, block=block, byte=byte))

    register_transport("faulty", transport)


def test_a_wrong_result_is_located(capsys, digits):
    faulty(block=1, byte=3)  # the second layer's fourth channel, first pixel
    x, y = digits
    arguments = ("--preset", "tiny", "--target", "faulty:", "--input", x, "--output", y, "--check")
    outcome = rowforge(capsys, "run", MODEL, *arguments)
    assert outcome.status == 1
    assert outcome.err.count("\n") == 1
    for words in ("input 0", "layer 001_CONV_2D", "[0, 0, 0, 3]", "pass", "PE column", "expected"):
        assert words in outcome.err, outcome.err
    assert not y.exists()


def test_a_wrong_result_of_a_later_input_is_found(capsys, digits):
    faulty(block=8 * 2 + 4)  # every input stores the outputs of eight layers
    x, _ = digits
    arguments = ("--preset", "tiny", "--target", "faulty:", "--input", x, "--check")
    outcome = rowforge(capsys, "run", MODEL, *arguments)
    assert outcome.status == 1
    assert "input 2, layer " in outcome.err


def test_a_fault_of_the_plain_run_alone_fails_the_check(capsys, digits):
    """Tensors that stay in the buffer take another schedule, which a check must see, too."""
    faulty(block=8 * 5)  # the first after the run that stores eight layers of five inputs
    x, y = digits
    arguments = ("--target", "faulty:", "--input", x, "--output", y, "--check")
    outcome = rowforge(capsys, "run", MODEL, "--preset", "tiny", *arguments)
    assert outcome.status == 1
    assert (
        "only in the plain run: with every layer brought to the host all are equal" in outcome.err
    )
    assert not y.exists()
    faulty(block=8 * 5 + 5)  # the plain run brings one block of each input to the host
    outcome = rowforge(capsys, "run", MODEL, "--preset", "tiny", *arguments)
    assert outcome.status == 1
    assert "only in the counted run" in outcome.err


def test_a_program_files_wrong_result_is_found(capsys, digits, program):
    faulty(block=0)
    x, _ = digits
    outcome = rowforge(capsys, "run", program, "--target", "faulty:", "--input", x, "--check")
    assert outcome.status == 1


# ---- program files ----------------------------------------------------------------------------


def test_a_program_file_gives_the_models_outputs(capsys, digits, program):
    x, y = digits
    arguments = ("--target", "golden", "--input", x, "--output", y)
    assert rowforge(capsys, "run", program, *arguments).status == 0
    outputs = np.load(y)
    assert rowforge(capsys, "run", MODEL, "--preset", "tiny", *arguments).status == 0
    np.testing.assert_array_equal(outputs, np.load(y))


def test_a_target_may_carry_the_configuration(capsys, digits):
    config = preset("tiny")
    register_transport("known", lambda url: Connection(FunctionalAccelerator(config), config))
    x, _ = digits
    assert rowforge(capsys, "run", MODEL, "--target", "known:", "--input", x).status == 0
    arguments = ("--preset", "eyeriss_v1_int8", "--target", "known:", "--input", x)
    rowforge(capsys, "run", MODEL, *arguments).assert_refused("configuration", "rows")


def test_a_program_for_another_configuration_is_refused(capsys, program):
    outcome = rowforge(capsys, "run", program, "--preset", "eyeriss_v1_int8")
    outcome.assert_refused("another configuration", "rows: 12 here, 4 there")


_COMPILED = (
    "--wrap",
    "--allow-host-mac",
    "--no-host",
    "--rounding=ort",
    "--keep-constant-channels",
)


@pytest.mark.parametrize("option", _COMPILED)
def test_a_program_file_is_compiled_already(capsys, program, option):
    rowforge(capsys, "run", program, option).assert_refused()


def test_a_damaged_program_file_is_refused(capsys, program, tmp_path):
    data = program.read_bytes()
    path = tmp_path / "broken.rfp"
    path.write_bytes(data[:-40])
    rowforge(capsys, "run", path).assert_refused("broken.rfp")


# ---- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (DIGITS.images[:2].astype(np.float32), ["int8", "float32"]),
        (DIGITS.images[:2, :, :, 0], ["(N, 8, 8, 1)", "(2, 8, 8)"]),
        (DIGITS.images[:0], ["(N, 8, 8, 1)"]),
    ],
)
def test_wrong_inputs_are_refused(capsys, tmp_path, array, words):
    np.save(tmp_path / "x.npy", array)
    arguments = ("--preset", "tiny", "--target", "golden", "--input", tmp_path / "x.npy")
    rowforge(capsys, "run", MODEL, *arguments).assert_refused(*words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([MODEL], ["--preset", "--config"]),
        (["none.tflite", "--preset", "tiny"], ["none.tflite"]),
        (["none.rfp"], ["none.rfp"]),
        (["model.pt", "--preset", "tiny"], ["model.pt"]),
        ([MODEL, "--config", "none.toml"], ["none.toml"]),
        ([MODEL, "--preset", "tiny", "--input", "none.npy"], ["none.npy"]),
        ([MODEL, "--preset", "tiny", "--output", "none/y.npy"], ["none"]),
        ([MODEL, "--preset", "tiny", "--output", "y.txt"], ["y.txt"]),
        ([MODEL, "--preset", "tiny", "--dump", "t.npy"], ["t.npy", ".npz"]),
        ([MODEL, "--preset", "tiny", "--target", "warp://x"], ["warp://x", "rtl:"]),
        ([MODEL, "--preset", "tiny", "--target", "rtl:fast"], ["rtl:fast"]),
        ([MODEL, "--preset", "tiny", "--no-host"], ["009_SOFTMAX", "--no-host"]),
        ([MODEL, "--preset", "eyeriss_v1"], ["000_CONV_2D", "psum_width", "16"]),
    ],
)
def test_bad_input_is_refused(capsys, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    rowforge(capsys, "run", *arguments).assert_refused(*words)
    assert not list(tmp_path.iterdir())


def test_bad_configurations_are_refused(capsys, tmp_path):
    path = tmp_path / "c.toml"
    for text, words in (
        ("[array]\nrows = 0\n", ["array.rows must be 1 to 32, not 0"]),
        ("[array]\ncolour = 1\n", ["colour"]),
        ("[noc]\nifmap = 8\n[buffer]\nwidth = 32\n", ["noc.ifmap"]),
        ("rows", ["TOML"]),
        ("", ["[array]"]),
    ):
        path.write_text(text)
        rowforge(capsys, "run", MODEL, "--config", path).assert_refused(*words)


def test_a_truncated_model_is_refused(capsys, tmp_path):
    path = tmp_path / "m.tflite"
    with open(MODEL, "rb") as file:
        path.write_bytes(file.read(5000))
    rowforge(capsys, "run", path, "--preset", "tiny").assert_refused("m.tflite")


def test_compile_refuses_other_suffixes(capsys, tmp_path):
    arguments = ("compile", MODEL, "--preset", "tiny", "-o")
    rowforge(capsys, *arguments, tmp_path / "p.zip").assert_refused("p.zip", ".rfp")
    rowforge(capsys, *arguments, tmp_path / "none" / "p.rfp").assert_refused("none")


def test_a_compiled_program_has_the_counters_of_layers_if_they_are_asked_for(capsys, tmp_path):
    asked = {}
    for option in ((), ("--counters",)):
        path = tmp_path / "p.rfp"
        outcome = rowforge(capsys, "compile", MODEL, "--preset", "tiny", *option, "-o", path)
        assert outcome.status == 0
        asked[option] = [step.layer for step in load_program(path).steps if isinstance(step, Query)]
    assert asked[()] == [-1]
    assert asked[("--counters",)] == [0, 1, 2, 3, 4, 5, 6, 8]


# ---- the RTL --------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_rtl_gives_the_golden_models_bits(capsys, digits, program):
    x, y = digits
    arguments = ("--target", "rtl", "--input", x, "--output", y, "--check", "--json")
    outcome = rowforge(capsys, "run", MODEL, "--preset", "tiny", *arguments)
    assert outcome.status == 0, outcome.err
    on_array = [row for row in outcome.document["layers"] if row["where"] == "array"]
    assert all(row["cycles"] > 0 for row in on_array)
    outputs = np.load(y)
    assert rowforge(capsys, "run", program, *arguments).status == 0
    np.testing.assert_array_equal(outputs, np.load(y))


@pytest.mark.slow
def test_checks_and_dumps_change_no_figure(capsys, digits, program, tmp_path):
    """Every form of the run reports the plain program's cycles, those of the exact model."""
    x, _ = digits
    arguments = ("--preset", "tiny", "--target", "rtl", "--input", x, "--json")
    plain = rowforge(capsys, "run", MODEL, *arguments).document
    compiled = load_program(program)
    assert plain["total"]["cycles"] == predict(compiled.uncounted()).cycles
    counted = predict(compiled)
    cycles = [row["cycles"] for row in plain["layers"]]
    for index, layer in counted.layers.items():
        assert cycles[index] == layer["cycles"]
    assert plain["total"]["cycles"] < counted.cycles
    dump = ("--dump", tmp_path / "t.npz")
    for model, extra in (
        (MODEL, ("--check",)),
        (MODEL, dump),
        (MODEL, ("--check", *dump)),
        (program, ()),
        (program, ("--check",)),
    ):
        outcome = rowforge(capsys, "run", model, *arguments, *extra)
        assert outcome.status == 0, outcome.err
        assert outcome.document == plain


def test_the_table_says_which_run_it_counts(capsys, digits):
    x, _ = digits
    arguments = ("--preset", "tiny", "--target", "golden", "--input", x)
    for extra in ((), ("--check",)):
        outcome = rowforge(capsys, "run", MODEL, *arguments, *extra)
        assert "\ncounted: plain run: nothing is checked or dumped" in outcome.out

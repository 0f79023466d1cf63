"""Bad use of the commands: one sentence, status 2, and no file left behind."""

import zipfile

import numpy as np
import pytest

from rowforge.cli import main
from tests.rowforge.support import DIGITS, MODEL, rowforge
from tests.support.tflite.writer import ModelWriter

GOLDEN = ("--preset", "tiny", "--target", "golden")
HUGE_HEADER = b"\x93NUMPY\x01\x00\x76\x00" + (
    b"{'descr': '|i1', 'fortran_order': False, 'shape': (10000000000000, 8, 8, 1), }".ljust(117)
    + b"\n"
)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """A working folder in which a command must leave nothing."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield tmp_path
    assert not list(folder.iterdir())


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "digits.rfp"
    assert main(["compile", MODEL, "--preset", "tiny", "-o", str(path)]) == 0
    return path


def unsupported():
    writer = ModelWriter()
    x, y = (writer.tensor(name, (1, 8, 8, 1), scale=0.1) for name in "xy")
    writer.operator("SIGN", [x], y)
    return writer.finish([x], [y])


@pytest.mark.parametrize("command", ["run", "compile"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["TFL3"]),
        (b"PK\x03\x04 something else", ["TFL3"]),
        (b"\x1c\0\0\0TFL3" + bytes(40), []),
        (unsupported(), ["operator 0 SIGN", "supported"]),
    ],
    ids=["empty", "zip", "zeros", "operator"],
)
def test_models(capsys, empty, command, content, words):
    path = empty / "m.tflite"
    path.write_bytes(content)
    output = ("--output", "y.npy") if command == "run" else ("-o", "p.rfp")
    outcome = rowforge(capsys, command, path, "--preset", "tiny", *output)
    outcome.assert_refused("m.tflite", *words)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.npy", b"nonsense", ["NumPy"]),
        ("x.npy", HUGE_HEADER, ["too short", "10000000000000"]),
        ("x.npz", b"nonsense", ["zip"]),
    ],
)
def test_array_files(capsys, empty, name, content, words):
    (empty / name).write_bytes(content)
    arguments = ("--input", empty / name, "--output", "y.npy", "--dump", "t.npz")
    rowforge(capsys, "run", MODEL, *GOLDEN, *arguments).assert_refused(name, *words)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"picture": DIGITS.images[:1]}, ["inputs must be image, not picture"]),
        ({"image": DIGITS.images[:1], "more": DIGITS.images[:1]}, ["not image, more"]),
        ({}, ["inputs must be image, not none"]),
        ({"image": np.int8(3)}, ["(N, 8, 8, 1)", "not ()"]),
        ({"image": np.array(["a"])}, ["int8", "U1"]),
        ({"image": DIGITS.images[:1].astype(np.uint8)}, ["int8", "uint8"]),
        ({"image": np.zeros((2, 9, 9, 1), np.int8)}, ["(N, 8, 8, 1)", "(2, 9, 9, 1)"]),
    ],
)
def test_inputs_that_do_not_suit(capsys, empty, program, arrays, words):
    np.savez(empty / "x.npz", **arrays)
    for what in ((MODEL, *GOLDEN), (program, "--target", "golden")):
        arguments = ("--input", empty / "x.npz", "--output", "y.npy")
        rowforge(capsys, "run", *what, *arguments).assert_refused(*words)


def test_a_header_inside_an_archive_is_held_against_its_size(capsys, empty):
    with zipfile.ZipFile(empty / "x.npz", "w") as archive:
        archive.writestr("image.npy", HUGE_HEADER)
    rowforge(capsys, "run", MODEL, *GOLDEN, "--input", empty / "x.npz").assert_refused("too short")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[array]\nrows = 99\n", ["array.rows must be 1 to 32, not 99"]),
        (b"[array]\nrows = 'four'\n", ["array.rows must be a whole number, not 'four'"]),
        (b"[buffer]\nbanks = 1\n", ["buffer.banks"]),
        (b"[accelerator]\nglb_banks = 8\n", ["glb_banks is now buffer.banks"]),
        (b"\xff\xfe", ["c.toml"]),
    ],
)
@pytest.mark.parametrize("command", ["run", "compile", "generate"])
def test_configurations(capsys, empty, command, text, words):
    path = empty / "c.toml"
    path.write_bytes(text)
    arguments = {
        "run": ("run", MODEL, "--output", "y.npy"),
        "compile": ("compile", MODEL, "-o", "p.rfp"),
        "generate": ("generate", "-o", "verilog"),
    }[command]
    rowforge(capsys, *arguments, "--config", path).assert_refused(*words)


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", MODEL, *GOLDEN, "--output", "none/y.npy"),
        ("run", MODEL, *GOLDEN, "--output", "."),
        ("run", MODEL, *GOLDEN, "--output", "y.rfp"),
        ("run", MODEL, *GOLDEN, "--output", f"{MODEL}/y.npy"),
        ("run", MODEL, *GOLDEN, "--output", "y.npy", "--dump", "none/t.npz"),
        ("run", MODEL, *GOLDEN, "--output", "/proc/y.npy"),
        ("compile", MODEL, "--preset", "tiny", "-o", "none/p.rfp"),
        ("compile", MODEL, "--preset", "tiny", "-o", f"{MODEL}/p.rfp"),
        ("compile", MODEL, "--preset", "tiny", "-o", "/proc/p.rfp"),
        ("generate", "--preset", "tiny", "-o", MODEL),
        ("generate", "--preset", "tiny", "-o", f"{MODEL}/verilog"),
        ("demo", "-o", MODEL),
    ],
    ids=" ".join,
)
def test_outputs_that_cannot_be_written(capsys, empty, arguments):
    rowforge(capsys, *arguments).assert_refused()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--preset", "eyeriss_v1"), ["another configuration", "rows: 12 here, 4 there"]),
        (("--preset", "tiny", "--config", "c.toml"), ["--config", "--preset"]),
        (("--input", "none.npy"), ["none.npy", "No such file"]),
        (("--target", "warp:"), ["warp:", "golden:"]),
    ],
)
def test_program_files(capsys, empty, program, arguments, words):
    outcome = rowforge(capsys, "run", program, *arguments, "--output", "y.npy")
    outcome.assert_refused(*words)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_program_files(capsys, empty, program, seed):
    """A program file that has lost a byte or changed a bit is refused, or runs as before."""
    random = np.random.default_rng(seed)
    output = empty / "y.npy"
    arguments = ("--target", "golden", "--output", output)
    assert rowforge(capsys, "run", program, *arguments).status == 0
    expected = np.load(output)
    content = np.frombuffer(program.read_bytes(), np.uint8)
    path = empty / "p.rfp"
    for _ in range(8):
        output.unlink(missing_ok=True)
        if seed:
            damaged = content.copy()
            damaged[random.integers(content.size)] ^= 1 << random.integers(8)
        else:
            damaged = content[: random.integers(content.size)]
        path.write_bytes(damaged.tobytes())
        outcome = rowforge(capsys, "run", path, *arguments)
        if outcome.status == 0:  # a bit that says nothing, such as one of a member's time
            assert damaged.size == content.size
            np.testing.assert_array_equal(np.load(output), expected)
        else:
            outcome.assert_refused("p.rfp")
            assert not output.exists()

"""What a program becomes for the C runtime: its words, its memory, its folder, and refusals."""

import os
import re
import subprocess
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hw.arch.errors import RowforgeError
from hw.arch.program import Host, ProgramState
from hw.arch.program.file import save_program
from rowforge.cli import main
from rowforge.configs import preset
from rowforge.demonstration import held_out_digits
from rowforge.running.compilation import compile_model, digits_model
from sw_driver.c.export import export_program
from sw_driver.c.folder import write_folder
from sw_driver.c.header import render_records
from sw_driver.c.pool import WordPool, flat
from sw_driver.c.records import C_PROGRAM, C_RECORDS, C_TENSOR, ElementType
from tests.support.c_runtime.build import WARNINGS, compiler
from tests.support.c_runtime.running import host_program, run_c, run_python, same, tensor
from tests.support.functional_board import functional_board
from tests.sw_driver.scripted import SHAPE, make_program


@cache
def digits():
    return compile_model(digits_model(), preset("tiny")).program


def tables(exported):
    """The header, and the records of the tensors."""
    words = exported.words.tolist()
    header = C_PROGRAM.unpack(words)
    at = C_PROGRAM.words
    return header, [
        C_TENSOR.unpack(words[at + i * C_TENSOR.words :]) for i in range(header["tensors"])
    ]


def test_a_program_has_only_tensors_that_the_host_meets():
    header, tensors = tables(export_program(digits()))
    assert header["tensors"] == 3 < len(digits().tensors)
    assert [ElementType(record["type"]).name for record in tensors] == ["INT8"] * 3
    assert header["memory"] == export_program(digits()).memory


def test_tensors_that_live_at_one_time_lie_apart():
    """Of every step: whatever it or a later one still needs does not share a byte."""
    program = make_program()
    exported = export_program(program)
    header, tensors = tables(exported)
    spans = sorted((t["place"], t["place"] + t["elements"]) for t in tensors)
    assert header["memory"] == 2 * 64  # in and rev share, mid and out share
    assert {start for start, _ in spans} == {0, 64}
    x = np.random.default_rng(0).integers(-128, 128, (2, 3, 4, 5)).astype(np.int8)
    assert same(run_c(program, x), run_python(program, x))


def test_counters_and_queries_are_left_out_unless_wanted():
    program = make_program()
    assert len(export_program(program).words) < len(export_program(program, counters=True).words)


def test_states_that_follow_one_another_do_not_overwrite():
    """A delay line: what was found in one state is what the next run finds in another."""
    shape = (1, 8)
    names = ("x", "first", "second", "y")
    tensors = [tensor(name, shape, "int8") for name in names]
    constants = {1: np.full(shape, 1, dtype=np.int8), 2: np.full(shape, 2, dtype=np.int8)}
    program = replace(
        host_program(tensors, [Host("reshape", (2,), (3,), {"shape": shape})], (3,)),
        states=(ProgramState(1, 0), ProgramState(2, 1)),
        constants=constants,
    )
    x = np.arange(40, dtype=np.int8).reshape(5, 8)
    expected = np.concatenate([constants[2], constants[1], x[:3]])
    assert same(run_c(program, x), {"y": expected})
    assert same(run_c(program, x), run_python(program, x))
    swapped = replace(program, states=(ProgramState(1, 2), ProgramState(2, 1)))
    assert same(run_c(swapped, x), run_python(swapped, x))


def test_an_output_in_which_a_state_is_found_is_what_the_run_found():
    """Not what the next run will find: states are kept before the user reads the outputs."""
    shape = (1, 8)
    tensors = [tensor(name, shape, "int8") for name in ("x", "before", "y")]
    start = np.full(shape, 1, dtype=np.int8)
    program = replace(
        host_program(tensors, [Host("reshape", (0,), (2,), {"shape": shape})], (1, 2)),
        states=(ProgramState(1, 0),),
        constants={1: start},
    )
    x = np.arange(40, dtype=np.int8).reshape(5, 8)
    ran = run_c(program, x)
    assert same(ran, {"before": np.concatenate([start, x[:4]]), "y": x})
    assert same(ran, run_python(program, x))


def test_lists_of_lists_become_two_lists():
    parameters = {"pads": ((1, 2), (3, 4)), "ragged": [[1], [2, 3]], "axis": 1, "text": "a b"}
    assert flat(parameters) == {
        "pads": [1, 2, 3, 4],
        "pads.lengths": [2, 2],
        "ragged": [1, 2, 3],
        "ragged.lengths": [1, 2],
        "axis": 1,
        "text": "a b",
    }


def test_parameters_of_all_kinds_reach_a_callback():
    """`run_c` fails unless the process tells just these."""
    x = np.arange(8, dtype=np.int8).reshape(1, 8)
    attributes = {"before": (0, 2), "after": [0, 1], "value": -7.5e-9}
    tensors = [tensor("x", (1, 8), "int8"), tensor("y", (1, 11), "int8")]
    program = host_program(tensors, [Host("pad", (0,), (1,), attributes)], (1,))
    assert run_c(program, x).asked == ["pad"]


def test_what_the_form_cannot_hold_is_refused():
    shape = (1,) * 9
    tensors = [tensor("x", shape, "int8"), tensor("y", shape, "int8")]
    step = Host("reshape", (0,), (1,), {"shape": shape})
    with pytest.raises(RowforgeError, match="tensor x has 9 axes: the C runtime takes 8"):
        export_program(host_program(tensors, [step], (1,)))
    small = [tensor(name, (1, 4), "int8") for name in ("x", "y", "z")]
    with pytest.raises(RowforgeError, match="reads tensor y before it has one"):
        export_program(host_program(small, [Host("reshape", (1,), (2,))], (2,)))
    with pytest.raises(RowforgeError, match="never computes tensor z"):
        export_program(host_program(small, [Host("reshape", (0,), (1,))], (2,)))
    with pytest.raises(RowforgeError, match="parameter what of a host step must be numbers"):
        WordPool(0).add_host_step("reshape", (0,), (1,), {"what": {"a": 1}})
    with pytest.raises(RowforgeError, match="must have at most 63 bytes"):
        WordPool(0).add_host_step("r" * 64, (0,), (1,), {})


def test_the_header_has_every_field_of_every_record():
    text = render_records()
    for record in C_RECORDS:
        for name, offset in record.offsets.items():
            macro = f"ROWFORGE_{record.name}_{name}".upper()
            assert re.search(rf"#define {macro}_WORD {offset // 64}\b", text)
            assert re.search(rf"#define {macro}_LSB {offset % 64}\b", text)
    names = re.findall(r"#define (\w+)", text)
    assert len(names) == len(set(names))


def test_a_folder_that_cannot_be_written_whole_stays_as_it_was(tmp_path):
    (tmp_path / "program.h").mkdir()
    with pytest.raises(RowforgeError, match="program.h is a folder there"):
        write_folder(export_program(make_program()), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["program.h"]


def example(folder):
    """The executable of an exported folder."""
    sources = sorted(path.name for path in folder.glob("*.c"))
    subprocess.run([compiler(), *WARNINGS, *sources, "-o", "run"], cwd=folder, check=True)
    return folder / "run"


def run_example(url, executable, data, **options):
    """The example on a board that a URL names."""
    host, port = url.removeprefix("tcp://").split(":")
    command = [executable, "tcp", host, port]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(command, input=data, **streams)


@pytest.mark.slow
def test_the_example_runs_what_the_command_exports(tmp_path, capsys):
    save_program(digits(), tmp_path / "digits.rfp")
    folder = tmp_path / "c"
    assert main(["export-c", str(tmp_path / "digits.rfp"), "-o", str(folder)]) == 0
    assert "host steps: softmax" in capsys.readouterr().out
    executable = example(folder)
    x = held_out_digits().images[:3]
    with functional_board(preset("tiny"), tmp_path) as url:
        done = run_example(url, executable, x.tobytes())
    assert not done.returncode, done.stderr
    (expected,) = run_python(digits(), x).values()
    assert done.stdout == expected.tobytes()


@pytest.mark.slow
def test_the_example_tells_short_inputs_and_outputs_that_cannot_be_written(tmp_path):
    program = make_program()
    clip = Host("reshape", (1,), (2,), {"shape": SHAPE}, 1)  # a step that the runtime has
    steps = tuple(clip if isinstance(step, Host) else step for step in program.steps)
    program = replace(program, steps=steps)
    write_folder(export_program(program), tmp_path / "c")
    executable = example(tmp_path / "c")
    x = np.arange(60, dtype=np.int8).tobytes()
    with functional_board(program.config, tmp_path) as url:
        short = run_example(url, executable, x + x[:5])
        with open("/dev/full", "wb") as full:
            lost = run_example(url, executable, x, stdout=full)
        reader, writer = os.pipe()
        os.close(reader)
        unread = run_example(url, executable, x, stdout=writer)
        os.close(writer)
    assert (short.returncode, short.stdout) == (2, x)
    assert short.stderr == b"run: the inputs end within a run\n"
    for done in (lost, unread):
        assert (done.returncode, done.stderr) == (1, b"run: cannot write the outputs\n")


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert main(["export-c", str(tmp_path / "none.rfp"), "-o", str(tmp_path / "c")]) == 2
    assert "none.rfp" in capsys.readouterr().err

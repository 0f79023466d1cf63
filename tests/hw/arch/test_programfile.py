"""Program files: round trip, determinism, and refusal of everything damaged or foreign."""

import hashlib
import json
import random
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from hw.arch.accesses import Access, Accesses, DataType, Direction, Level
from hw.arch.commands import Opcode, begin, command
from hw.arch.config import Config
from hw.arch.config.file import config_hash
from hw.arch.errors import RowforgeError
from hw.arch.program import (
    Box,
    Host,
    Layer,
    Load,
    Program,
    ProgramState,
    Query,
    Send,
    Store,
    TensorSpec,
)
from hw.arch.program import file as programfile
from hw.arch.program.file import load_program, save_program


def _words(*values):
    return np.array(values, dtype=np.uint64)


ACCESSES = Accesses.of(
    {
        Access(Level.BUFFER, DataType.PSUM, Direction.WRITE): 200,
        Access(Level.LINK, DataType.COMMAND, Direction.READ): 3,
    }
)


def make_program(config=None):
    config = config or Config()
    tensors = (
        TensorSpec("in", "t0", (1, 4, 4, 3), (1, 4, 4, 3), "int8", 0.1, -3),
        TensorSpec("out", "t1", (1, 48), (1, 4, 4, 3), "int8", 1 / 3, 127),
        TensorSpec("table", "t2", (2, 2), (1, 2, 1, 2), "float32"),
    )
    box = Box((0, 1), (0, 4), (0, 4), (0, 3))
    steps = (
        Send(_words(*begin(config_hash(config)), 7, (1 << 64) - 1)),
        Load(_words(1, 2, 3), 0, box, 0),
        Query(_words(9), 0),
        Store(_words(4, 5), 1, box, False, 0),
        Host("softmax", (1, 2), (1,), {"axes": (1, 2), "scale": 0.1, "mode": "tflm"}, 1),
        Send(_words(*command(Opcode.END))),
    )
    layers = (
        Layer(
            name="a",
            op="CONV_2D",
            where="array",
            reason="",
            output=1,
            macs=12,
            model_cycles=100,
            computing=90,
            transfers={"loaded": 7},
            accesses=ACCESSES,
            bound="ifmap",
            mapping={"p": 4, "q": [1, 2]},
        ),
        Layer("b", "SOFTMAX", "host", "no such unit", 1),
    )
    return Program(
        config=config,
        name="net",
        tensors=tensors,
        inputs=(0,),
        outputs=(1,),
        steps=steps,
        layers=layers,
        constants={2: np.array([[1.5, -2.0], [0.0, 3.25]], dtype=np.float32)},
        rounding="tflm",
    )


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.rfp"
    save_program(make_program(), path)
    return path


def _rewrite(path, change, *, sign=True):
    """Change the members of a program file; `sign` renews the digest of the manifest."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members["manifest.json"])
    change(manifest, members)
    if sign:
        members["manifest.json"] = json.dumps(manifest).encode()
        digest = hashlib.sha256(members["manifest.json"]).hexdigest()
        members["manifest.sha256"] = digest.encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_round_trip(saved):
    program, back = make_program(), load_program(saved, Config())
    for name in ("config", "name", "tensors", "inputs", "outputs", "rounding"):
        assert getattr(back, name) == getattr(program, name)
    assert back.layers[1] == program.layers[1]
    assert back.layers[0].accesses == ACCESSES
    assert dict(back.layers[0].mapping) == {"p": 4, "q": (1, 2)}
    for ours, theirs in zip(program.steps, back.steps, strict=True):
        assert type(ours) is type(theirs)
        left, right = dict(vars(ours)), dict(vars(theirs))
        assert np.array_equal(left.pop("words", []), right.pop("words", []))
        assert left == right
    assert back.constants.keys() == program.constants.keys()
    assert back.constants[2].dtype == np.float32
    assert np.array_equal(back.constants[2], program.constants[2])


def make_stateful_program():
    """`make_program` with a state: what the input's tensor holds, then the output."""
    program = make_program()
    first = np.arange(48, dtype=np.int8).reshape(1, 4, 4, 3)
    constants = {**program.constants, 0: first}
    return replace(program, inputs=(), constants=constants, states=(ProgramState(0, 1),))


def test_states_are_kept_with_their_initial_values(tmp_path):
    save_program(make_stateful_program(), tmp_path / "net.rfp")
    back = load_program(tmp_path / "net.rfp")
    assert back.states == (ProgramState(read=0, write=1),)
    assert np.array_equal(back.constants[0], make_stateful_program().constants[0])


@pytest.mark.parametrize(
    "state, words",
    [
        ({"read": 3, "write": 1}, "read must be a whole number from 0 to 2"),
        ({"read": 0, "write": -1}, "write must be a whole number from 0 to 2"),
        ({"read": 0}, "must have a 'write'"),
        ({"read": 0, "write": 2}, "48 elements of int8, not of 4 of float32"),
        ({"read": 1, "write": 0}, "initial value is among the constants"),
    ],
)
def test_states_that_do_not_fit_are_refused(tmp_path, state, words):
    path = tmp_path / "net.rfp"
    save_program(make_stateful_program(), path)
    _rewrite(path, _set("program", "states", [state]))
    with pytest.raises(RowforgeError, match=words):
        load_program(path)
    _rewrite(path, _set("program", "states", [{"read": 0, "write": 1}] * 2))
    with pytest.raises(RowforgeError, match="two name the same one"):
        load_program(path)


def test_same_program_same_bytes(saved, tmp_path):
    other = tmp_path / "again.rfp"
    save_program(make_program(), other)
    assert other.read_bytes() == saved.read_bytes()
    save_program(load_program(saved), other)
    assert other.read_bytes() == saved.read_bytes()


def test_failed_save_leaves_the_old_file_and_no_other(saved, tmp_path):
    before = saved.read_bytes()
    bad = replace(
        make_program(), steps=(Host("x", (), (), {"limit": float("inf")}),), name="broken"
    )
    with pytest.raises(RowforgeError, match="broken cannot be written as JSON"):
        save_program(bad, saved)
    assert saved.read_bytes() == before
    assert list(tmp_path.iterdir()) == [saved]
    with pytest.raises(RowforgeError, match="cannot write program"):
        save_program(make_program(), tmp_path / "none" / "net.rfp")


def test_contradicting_configuration_is_named_field_by_field(saved):
    wanted = r"array.rows: 3 here, 4 there; pe.psum_spad: 20 here, 24 there"
    with pytest.raises(RowforgeError, match=wanted):
        load_program(saved, Config.of({"array.rows": 3, "pe.psum_spad": 20}))


def test_other_generator_warns(saved, monkeypatch):
    monkeypatch.setattr(programfile, "version_text", lambda: "9.9")
    with pytest.warns(UserWarning, match="made by version .* this is version 9.9"):
        load_program(saved)


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(RowforgeError, match="not a usable program file"):
        load_program(tmp_path / "none.rfp")
    foreign = tmp_path / "foreign.rfp"
    for data in (b"", b"PK\x05\x06" + bytes(18), b"\x00" * 1000, b"TFL3" * 50):
        foreign.write_bytes(data)
        with pytest.raises(RowforgeError, match="not a usable program file"):
            load_program(foreign)


def test_every_truncation_and_many_damages_are_refused(saved):
    data = saved.read_bytes()
    rng = random.Random(5)
    for size in range(0, len(data), 37):
        saved.write_bytes(data[:size])
        with pytest.raises(RowforgeError):
            load_program(saved)
    accepted = 0
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(data))] = rng.randrange(256)
        saved.write_bytes(damaged)
        try:
            load_program(saved)
            accepted += 1
        except RowforgeError:
            pass
    assert accepted < 100  # time stamps and attributes in zip headers mean nothing


def _set(*path):
    *keys, last, value = path

    def change(manifest, members):
        target = manifest
        for key in keys:
            target = target[key]
        target[last] = value

    return change


def _shorten(name):
    """A member without its last four bytes, as the manifest has it."""

    def change(manifest, members):
        data = members[name] = members[name][:-4]
        digest = hashlib.sha256(data).hexdigest()
        manifest["members"][name] = {"size": len(data), "sha256": digest}

    return change


@pytest.mark.parametrize(
    "change, words",
    [
        (_set("format", "zip"), "does not say"),
        (_set("format_version", 1), "format_version must be 7, not 1; compile the model again"),
        (_set("command_set", 99), "command_set must be"),
        (_set("command_set", "1"), "command_set must be a whole number"),
        (_set("configuration", "array", "rows", 5), "hash of its configuration"),
        (_set("configuration", "array", "rows", 99), "array.rows must be 1 to 32"),
        (_set("program", []), "program must be an object"),
        (_set("program", "steps", 1, "tensor", 7), r"steps\[1\].tensor must be .* 0 to 2, not 7"),
        (_set("program", "steps", 1, "box", "rows", [0, 5]), "rows must be a list of whole"),
        (_set("program", "steps", 1, "box", "rows", [2, 2]), "a start and a larger stop"),
        (_set("program", "steps", 1, "layer", 2), "layer must be"),
        (_set("program", "steps", 1, "words", 99), "shorter than its steps"),
        (_set("program", "steps", 1, "words", 0), "longer than its steps"),
        (_set("program", "steps", 2, "kind", "exec"), "kind must be one of"),
        (_set("program", "tensors", 0, "dtype", "object"), "dtype must be one of"),
        (_set("program", "tensors", 0, "shape", [1 << 27, 4]), "at most 8 axes"),
        (_set("program", "tensors", 0, "view", [1, 1, 1, 1]), "view must be 4 sizes"),
        (_set("program", "tensors", 0, "scale", "x"), "scale must be a number"),
        (_set("program", "layers", 0, "where", "gpu"), "where must be array, host or folded"),
        (
            _set("program", "layers", 0, "accesses", "link", {"command": {"up": 1}}),
            r"layers\[0\].accesses.link.command.up is no kind of access",
        ),
        (_set("program", "layers", 0, "accesses", "link", {"command": {"read": -1}}), "read must"),
        (_set("program", "outputs", [3]), "outputs must be a list"),
        (
            _set("constants", 0, "shape", [4]),
            r"constants\[0\].shape must be \[2, 2\] as its tensor's, not \[4\]",
        ),
        (
            _set("constants", 0, "dtype", "int32"),
            r"constants\[0\].dtype must be float32 as its tensor's, not int32",
        ),
        (_set("constants", 0, "tensor", 1), r"constants\[0\].dtype must be int8 .*, not float32"),
        (_set("constants", 0, "tensor", 3), r"constants\[0\].tensor must be .* 0 to 2, not 3"),
        (
            lambda manifest, members: manifest["constants"].append(manifest["constants"][0]),
            r"constants\[1\].tensor must be another than those before, not 2",
        ),
        (_shorten("constants/2.bin"), r"constants/2.bin must have 16 bytes .*, not 12"),
        (_set("members", "stream.bin", "size", 1 << 60), "size must be a whole number"),
        (_set("members", "stream.bin", "sha256", "0"), "does not have the digest"),
        (_set("members", "more.bin", {}), "not those that the manifest names"),
        (lambda manifest, members: manifest.pop("program"), "must have a 'program'"),
        (lambda manifest, members: members.update(extra=b""), "not those that the manifest names"),
    ],
)
def test_tampered_manifests_are_refused(saved, change, words):
    _rewrite(saved, change)
    with pytest.raises(RowforgeError, match=words):
        load_program(saved)


def test_unsigned_changes_and_other_manifests_are_refused(saved):
    before = saved.read_bytes()

    def put(text):
        def change(manifest, members):
            members["manifest.json"] = text
            members["manifest.sha256"] = hashlib.sha256(text).hexdigest().encode()

        return change

    for text, words in (
        (b"[" * 100000, "not JSON"),
        (b'{"a": NaN}', "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "must be an object"),
    ):
        saved.write_bytes(before)
        _rewrite(saved, put(text), sign=False)
        with pytest.raises(RowforgeError, match=words):
            load_program(saved)
    saved.write_bytes(before)
    _rewrite(saved, lambda _, members: members.update({"manifest.json": b"{}"}), sign=False)
    with pytest.raises(RowforgeError, match="does not have the digest"):
        load_program(saved)


def test_compressed_members_are_refused(saved):
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", bytes(1 << 22))
    with pytest.raises(RowforgeError, match="stored, not compressed"):
        load_program(saved)

"""Array files in and out."""

import numpy as np
import pytest

from hw.arch.errors import RowforgeError
from sw_driver.arrays import check_output, check_writable, read_arrays, write_arrays

A = np.arange(6, dtype=np.int8).reshape(2, 3)
B = np.float32([1.5])


def test_npy_round_trip(tmp_path):
    write_arrays(tmp_path / "a.npy", {"a": A})
    np.testing.assert_array_equal(read_arrays(tmp_path / "a.npy"), A)
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_npz_round_trip_with_names_of_any_kind(tmp_path):
    arrays = {"000_CONV_2D_t3": A, "model/layer:0": B, "file": B}
    write_arrays(tmp_path / "a.npz", arrays)
    loaded = read_arrays(tmp_path / "a.npz")
    assert list(loaded) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(loaded[name], array)
        assert loaded[name].dtype == array.dtype


def test_the_same_arrays_are_the_same_bytes(tmp_path):
    for name in ("a.npz", "b.npz"):
        write_arrays(tmp_path / name, {"x": A, "y": B})
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x93NUMPY\x01\x00", b"PK\x03\x04 broken"])
@pytest.mark.parametrize("name", ["x.npy", "x.npz"])
def test_damaged_files_are_refused(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RowforgeError, match=name):
        read_arrays(tmp_path / name)


def test_truncated_and_pickled_files_are_refused(tmp_path):
    write_arrays(tmp_path / "a.npz", {"x": A})
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(data[: len(data) // 2])
    with pytest.raises(RowforgeError, match=r"a\.npz"):
        read_arrays(tmp_path / "a.npz")
    np.save(tmp_path / "o.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(RowforgeError, match=r"o\.npy"):
        read_arrays(tmp_path / "o.npy")


def test_missing_files_and_other_suffixes_are_refused(tmp_path):
    with pytest.raises(RowforgeError, match="No such file"):
        read_arrays(tmp_path / "none.npy")
    with pytest.raises(RowforgeError, match=r"\.npy or \.npz"):
        read_arrays(tmp_path / "x.txt")


def test_outputs_are_refused_before_the_work(tmp_path):
    check_output(tmp_path / "y.npy", 1)
    check_output(tmp_path / "y.npz", 2)
    with pytest.raises(RowforgeError, match="2 tensors"):
        check_output(tmp_path / "y.npy", 2)
    with pytest.raises(RowforgeError, match="not a folder"):
        check_writable(tmp_path / "none" / "y.npy")
    with pytest.raises(RowforgeError, match="it is a folder"):
        check_writable(tmp_path)


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(RowforgeError, match="cannot write"):
        write_arrays(tmp_path / "none" / "y.npy", {"y": A})
    assert not list(tmp_path.iterdir())

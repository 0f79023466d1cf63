"""Structural host operators and their registry."""

import numpy as np
import pytest

from hw.arch.errors import RowforgeError
from sw_driver import hostops
from sw_driver.hostops import register_host_op, run_host

X = np.arange(24, dtype=np.int8).reshape(1, 4, 6)


def test_structural_operators():
    def only(op, *inputs, **attributes):
        (result,) = run_host(op, inputs, attributes)
        return result

    assert (only("Reshape", X, shape=(4, -1)) == X.reshape(4, 6)).all()
    assert (only("Transpose", X, permutation=(2, 0, 1)) == X.transpose(2, 0, 1)).all()
    assert (only("Concat", X, X, axis=2) == np.concatenate([X, X], axis=2)).all()
    padded = only("Pad", X, before=(0, 1, 0), after=(0, 0, 2), value=-7)
    assert padded.shape == (1, 5, 8) and padded.dtype == X.dtype
    assert (padded[:, 1:, :6] == X).all() and (padded[:, 0] == -7).all()
    part = only("Slice", X, start=(0, 1, 5), stop=(1, 3, None), step=(1, 1, -2))
    assert (part == X[:, 1:3, 5::-2]).all()
    assert (only("Slice", X, start=(0, 0, 0), stop=(1, 1, 1)) == 0).all()


def test_refusals():
    with pytest.raises(RowforgeError, match="host operator must be one of .*, not 'Conv'"):
        run_host("Conv", [X], {})
    with pytest.raises(RowforgeError, match="host operator Reshape cannot be computed"):
        run_host("Reshape", [X], {"shape": (5,)})
    with pytest.raises(RowforgeError, match="host operator Transpose cannot be computed"):
        run_host("Transpose", [X], {"axes": (0,)})


def test_registration(monkeypatch):
    monkeypatch.setattr(hostops, "OPERATORS", dict(hostops.OPERATORS))

    def split(x):
        return [x[:, :2], x[:, 2:]]

    register_host_op("Halves", split)
    register_host_op("Halves", split)
    assert len(run_host("Halves", [X], {})) == 2
    with pytest.raises(RowforgeError, match="Halves is registered already"):
        register_host_op("Halves", lambda x: x)

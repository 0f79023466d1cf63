"""Host steps that move values, and the registry of all of them."""

import numpy as np
import pytest

from hw.arch.errors import RowforgeError
from numerics import registry
from numerics.host import STEPS, host_step, run_host

X = np.arange(24, dtype=np.int8).reshape(1, 4, 6)


def test_moves():
    def only(name, *inputs, **parameters):
        (result,) = run_host(name, inputs, parameters)
        return result

    assert (only("reshape", X, shape=(4, -1)) == X.reshape(4, 6)).all()
    assert (only("transpose", X, permutation=(2, 0, 1)) == X.transpose(2, 0, 1)).all()
    assert (only("concat", X, X, axis=2) == np.concatenate([X, X], axis=2)).all()
    padded = only("pad", X, before=(0, 1, 0), after=(0, 0, 2), value=-7)
    assert padded.shape == (1, 5, 8) and padded.dtype == X.dtype
    assert (padded[:, 1:, :6] == X).all() and (padded[:, 0] == -7).all()
    part = only("slice", X, axes=(1, 2), start=(1, 5), stop=(3, None), step=(1, -2))
    assert (part == X[:, 1:3, 5::-2]).all()
    assert (only("slice", X, axes=(1, 2), start=(0, 0), stop=(1, 1), step=(1, 1)) == 0).all()


def test_refusals():
    with pytest.raises(RowforgeError, match="host step must be one of .*, not 'Conv'"):
        run_host("Conv", [X], {})
    with pytest.raises(RowforgeError, match="host step reshape cannot be computed"):
        run_host("reshape", [X], {"shape": (5,)})
    with pytest.raises(RowforgeError, match="host step transpose cannot be computed"):
        run_host("transpose", [X], {"axes": (0,)})


def test_registration(monkeypatch):
    monkeypatch.setattr(registry, "STEPS", dict(STEPS))

    def halves_(x):
        return [x[:, :2], x[:, 2:]]

    assert host_step(halves_) is halves_
    host_step(halves_)
    assert len(run_host("halves", [X], {})) == 2

    def halves(x):
        return x

    with pytest.raises(RowforgeError, match="halves is registered already"):
        host_step(halves)

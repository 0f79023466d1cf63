"""Transposes and reshapes as bookkeeping, against NumPy."""

import numpy as np
import pytest

from compiler.frontends.onnx.model.layout import Layout


def random_shape(rng: np.random.Generator, size: int) -> tuple[int, ...]:
    """Some factorisation of a size, in one to a few axes."""
    shape = []
    while size > 1:
        divisors = [d for d in range(1, size + 1) if size % d == 0]
        shape.append(int(rng.choice(divisors)))
        size //= shape[-1]
    return tuple(shape) or (1,)


def seen_by_graph(layout: Layout, stored: np.ndarray) -> np.ndarray:
    """The stored values as `compiler.ir.graph.Tensor` turns them into the model's tensor."""
    shape, permutation, model_shape = layout.tensor_form()
    array = stored.reshape(shape)
    if permutation is not None:
        array = array.transpose(permutation)
    return array if model_shape is None else array.reshape(model_shape)


@pytest.mark.parametrize("seed", range(300))
def test_any_sequence_of_relabellings(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(1, 5, rng.integers(1, 5)))
    array = np.arange(np.prod(shape)).reshape(shape)
    layout = Layout.stored_as(shape, tuple(int(n) for n in rng.permutation(len(shape))))
    stored = layout.to_storage(array).reshape(-1)
    for _ in range(5):
        if rng.random() < 0.5:
            permutation = tuple(int(n) for n in rng.permutation(array.ndim))
            array, layout = array.transpose(permutation), layout.transpose(permutation)
        else:
            wanted = random_shape(rng, array.size)
            split = layout.reshape(wanted)
            if split is None:
                assert not np.array_equal(array.reshape(-1), stored)
                continue
            array, layout = array.reshape(wanted), split
        assert layout.shape == array.shape
        np.testing.assert_array_equal(seen_by_graph(layout, stored), array)
        np.testing.assert_array_equal(layout.to_storage(array).reshape(-1), stored)
        order = tuple(int(n) for n in rng.permutation(array.ndim))
        other = Layout.stored_as(array.shape, order)
        same = np.array_equal(other.to_storage(array).reshape(-1), stored)
        assert layout.same_as(other) == other.same_as(layout) == same


def test_channels_last() -> None:
    layout = Layout.channels_last((1, 3, 4, 5))
    assert layout.tensor_form() == ((1, 4, 5, 3), (0, 3, 1, 2), None)
    assert layout.transpose((0, 2, 3, 1)).tensor_form() == ((1, 4, 5, 3), None, None)
    assert layout.runs_in((0, 2, 3, 1))
    assert not layout.runs_in((0, 1, 2, 3))

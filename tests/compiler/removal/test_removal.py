"""Idle channels go where that is exact, and every tensor that stays has its values."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from compiler.ir.fold import fold
from compiler.ir.graph import Graph
from compiler.ir.ops import Constant, Conv, PoolKind, Reshape
from compiler.removal.removal import without_idle_channels
from compiler.removal.rewrite import EXPAND, Pruned
from compiler.workloads.layers import LayerShape, layer_graph
from numerics.quantisation import RoundingRule
from sim.golden import run_graph
from tests.compiler.removal.net import Net

ROUNDINGS = (RoundingRule.TFLM, RoundingRule.ORT, RoundingRule.SINGLE)
INT32_MAX = (1 << 31) - 1


def pruned(graph: Graph, *, lanes: int = 1, psum_width: int | None = None, **more: Any) -> Pruned:
    """The graph without idle channels; what it shares with the original has the same values."""
    result = without_idle_channels(graph, lanes=lanes, psum_width=psum_width, **more)
    rng = np.random.default_rng(5)
    limits = np.iinfo(graph.tensors["x"].dtype)
    shape = graph.tensors["x"].shape
    for values in (
        rng.integers(limits.min, limits.max, shape, endpoint=True),
        np.full(shape, limits.min),
    ):
        x = values.astype(limits.dtype)
        whole = run_graph(graph, x, psum_width=psum_width)
        small = run_graph(result.graph, x, psum_width=psum_width)
        assert set(graph.outputs) <= set(small)
        for key in set(whole) & set(small):
            np.testing.assert_array_equal(small[key], whole[key], err_msg=key)
    return result


def kept(result: Pruned, key: str) -> int:
    """Channels that are computed of a tensor of the original graph; 0 if none is."""
    node = result.graph.producer(key)
    if node is None:
        (key,) = (k for k in result.graph.tensors if k.startswith(f"{key} without"))
    elif isinstance(node, Constant):
        return 0
    elif getattr(node, "function", "") == EXPAND:
        key = node.inputs[0]
    return result.graph.tensors[key].shape[-1]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("weight_zero", [0, 3, [1, -2, 5, 0, 3, 4]])
def test_constant_channels_become_part_of_the_bias(rounding: RoundingRule, weight_zero: Any):
    net = Net()
    first = net.conv("x", 6, zero=(1, 4), taps=3, rounding=rounding, weight_zero=weight_zero)
    second = net.conv(first, 6, taps=2, rounding=rounding, weight_zero=weight_zero)
    result = pruned(net.graph())
    assert (kept(result, first), kept(result, second)) == (4, 6)
    assert result.macs == 9 * 2 * 3 * 3 * 4 + 4 * 6 * 2 * 2 * 2
    removed = result.removed[f"{first} without removed channels"]
    assert (removed.channels, removed.constant, removed.unread, removed.inputs) == (6, 2, 0, 0)
    assert result.removed[second].inputs == 2


def test_an_affine_stage_keeps_its_offsets():
    net = Net()
    first = net.conv("x", 6, zero=(0, 3), rounding=RoundingRule.ORT)
    node = net.nodes[0]
    assert isinstance(node, Conv)
    offset = np.linspace(0, 0.9, 6)
    net.nodes[0] = replace(node, stage=replace(node.stage, offset=offset))
    net.conv(first, 3)
    assert kept(pruned(net.graph()), first) == 4


def test_sixteen_bits_lose_the_low_bits_of_every_product():
    net = Net(dtype="int16")
    first = net.conv("x", 6, zero=(2, 3), taps=3, bias=[111, 5, 12345, -777, 0, 9])
    second = net.conv(first, 5, taps=3)
    result = pruned(net.graph())
    assert (kept(result, first), kept(result, second)) == (4, 5)


def test_padding_of_another_value_keeps_a_channel():
    """Filter 1 gives the zero point, which padding has, too; filter 4 gives something else."""
    net = Net()
    first = net.conv("x", 6, zero=(1, 4), bias=[9, 0, 9, 9, 4000, 9])
    net.conv(first, 3, taps=3, pad=1)
    assert kept(pruned(net.graph()), first) == 5


def test_a_clamp_may_hide_the_border():
    """Sums at the border differ, but all of them lie below a ReLU's lower end."""
    net = Net()
    first = net.conv("x", 3, zero=(1,), bias=[9, 4000, 9])
    second = net.depthwise(first, pad=1, bias=[9, -(10**6), 9], low=-7)
    third = net.conv(second, 2, taps=3)
    result = pruned(net.graph())
    assert (kept(result, first), kept(result, second), kept(result, third)) == (2, 2, 2)
    net.nodes[1] = replace(net.nodes[1], bias=np.array([9, 0, 9]))  # type: ignore[call-arg]
    assert kept(pruned(net.graph()), second) == 3


def test_channels_that_nobody_reads_go_backwards():
    net = Net()
    first = net.conv("x", 8, taps=2)
    second = net.conv(first, 7, unread=(5,))
    third = net.depthwise(second, zero=(0,), taps=2)
    fourth = net.conv(third, 4, unread=(2, 3))
    result = pruned(net.graph())
    assert [kept(result, key) for key in (first, second, third, fourth)] == [7, 4, 4, 4]
    removed = result.removed[f"{third} without removed channels"]
    assert (removed.constant, removed.unread) == (1, 2)
    everything = pruned(net.graph(), keep_all=True)
    assert [kept(everything, key) for key in (first, second, third)] == [8, 7, 7]
    outputs = pruned(net.graph(second, fourth))
    assert [kept(outputs, key) for key in (first, second, third)] == [7, 7, 7]


def test_a_constant_depthwise_channel_takes_its_filters_along():
    net = Net()
    first = net.conv("x", 4, zero=(2,))
    second = net.depthwise(first, multiplier=2, zero=(0, 1, 7))
    net.conv(second, 3)
    result = pruned(net.graph())
    # Channel 0: both filters are constant; channel 2: itself; channel 3: one filter is not.
    assert (kept(result, first), kept(result, second)) == (2, 4)
    (node,) = (n for n in result.graph.nodes if isinstance(n, Conv) and n.groups > 1)
    assert (node.groups, node.weights.shape[0]) == (2, 4)


def test_larger_groups_go_together_or_not_at_all():
    net = Net()
    first = net.conv("x", 4, zero=(0, 1))
    second = net.conv(first, 6, groups=2, zero=(0, 1, 2), taps=2)
    net.conv(second, 3)
    assert (kept(pruned(net.graph()), second)) == 6
    idle = Net()
    first = idle.conv("x", 4)
    second = idle.conv(first, 6, groups=2, zero=range(6), taps=2)
    third = idle.conv(second, 3, zero=(0,))
    fourth = idle.conv(idle.concat(third, idle.pool("x", PoolKind.MAX)), 2)
    assert kept(pruned(idle.graph()), second) == 0
    assert kept(pruned(idle.graph()), fourth) == 2


@pytest.mark.parametrize("operator", ["add", "mul"])
def test_sums_and_products_of_constants_are_constant(operator: str):
    net = Net()
    a, b = net.conv("x", 5, zero=(0, 2)), net.conv("x", 5, zero=(2, 3))
    joined = getattr(net, operator)(a, b)
    net.conv(joined, 3)
    result = pruned(net.graph())
    assert [kept(result, key) for key in (a, b, joined)] == [4, 4, 4]


def test_a_product_with_zero_needs_no_other_factor():
    net = Net()
    a, b = net.conv("x", 5, zero=(2,), bias=[5, 5, 0, 5, 5]), net.conv("x", 5)
    product = net.mul(a, b)
    net.conv(product, 3)
    result = pruned(net.graph())
    assert [kept(result, key) for key in (a, b, product)] == [4, 4, 4]
    swapped = Net()
    a, b = swapped.conv("x", 5), swapped.conv("x", 5, zero=(2,), bias=[5, 5, 0, 5, 5])
    product = swapped.mul(a, b)
    swapped.conv(product, 3)
    assert kept(pruned(swapped.graph()), product) == 4


def test_a_residual_shares_its_channels():
    """The sum needs channel 1 of the trunk, although nobody else does."""
    net = Net()
    trunk = net.conv("x", 5, zero=(1, 4))
    branch = net.conv(trunk, 5, zero=(4,))
    net.conv(net.add(trunk, branch), 3)
    result = pruned(net.graph())
    assert (kept(result, trunk), kept(result, branch)) == (4, 4)


def test_pools_keep_constants_constant():
    for kind, more, left in (
        (PoolKind.MAX, {"pad": 1}, 3),
        (PoolKind.AVERAGE, {"pad": 1}, 3),
        (PoolKind.AVERAGE, {"count_include_pad": True}, 3),
        (PoolKind.AVERAGE, {"pad": 1, "count_include_pad": True, "pad_value": -7}, 4),
    ):
        net = Net()
        first = net.conv("x", 5, zero=(1, 3), bias=[9, 0, 9, 4000, 9])
        pooled = net.pool(first, kind, **more)
        net.conv(pooled, 3)
        result = pruned(net.graph())
        assert (kept(result, first), kept(result, pooled)) == (left, left), (kind, more)


def test_rescaled_constants_are_constant():
    net = Net()
    first = net.conv("x", 5, zero=(1, 3))
    scaled = net.rescale(first)
    assert kept(pruned(net.graph()), scaled) == 3


def test_padding_with_the_constant_itself():
    net = Net()
    first = net.conv("x", 5, zero=(1, 3), bias=[9, 0, 9, 4000, 9])
    padded = net.pad(first, -7)
    net.conv(padded, 3, taps=3)
    assert kept(pruned(net.graph()), padded) == 4
    # Padding that adds channels is not looked into.
    whole = Net()
    first = whole.conv("x", 5, zero=(1, 3), bias=[9, 0, 9, 4000, 9])
    whole.conv(whole.pad(first, -7, channels=2), 3, taps=3)
    assert kept(pruned(whole.graph()), first) == 5


def test_a_folded_pad_loses_the_same_channels():
    net = Net()
    first = net.conv("x", 5, zero=(1,), unread=(), bias=[9, 0, 9, 9, 9])
    padded = net.pad(first, -7)
    net.conv(padded, 3, taps=3, unread=(4,))
    result = pruned(fold(net.graph()))
    assert kept(result, first) == 3
    assert [node.op for node in result.graph.nodes] == ["CONV_2D", "PAD", "CONV_2D"]


def test_concatenations_along_channels_and_rows():
    net = Net()
    a, b = net.conv("x", 4, zero=(0, 1)), net.conv("x", 6, zero=(5,))
    joined = net.concat(a, b, a)
    net.conv(joined, 3, unread=(4, 10))
    result = pruned(net.graph())
    assert (kept(result, a), kept(result, b), kept(result, joined)) == (2, 4, 8)
    rows = Net()
    a = rows.conv("x", 4, zero=(0, 1, 2), bias=[0, 1000, 5, 5])
    b = rows.conv("x", 4, zero=(0, 1, 3), bias=[0, 1000, 5, 5])
    node = rows.nodes[0]
    rows.nodes[1] = replace(rows.nodes[1], stage=node.stage)  # type: ignore[attr-defined,call-arg]
    joined = rows.concat(a, b, axis=1)
    rows.conv(joined, 3)
    assert kept(pruned(rows.graph()), joined) == 2


def test_a_concatenation_drops_an_operand_of_constants():
    net = Net()
    a, b = net.conv("x", 4, zero=range(4)), net.conv("x", 6)
    joined = net.concat(a, b)
    net.conv(joined, 3)
    result = pruned(net.graph())
    assert (kept(result, a), kept(result, joined)) == (0, 6)


@pytest.mark.parametrize("end", [INT32_MAX - 10, -INT32_MAX + 10])
def test_a_bias_that_would_leave_32_bits_keeps_the_channel(end: int):
    net = Net()
    first = net.conv("x", 3, zero=(1,), bias=[5, 30000, 5])
    net.conv(first, 8, bias=[end] * 8)
    assert kept(pruned(net.graph()), first) == 3
    fits = Net()
    first = fits.conv("x", 3, zero=(1,), bias=[5, 30000, 5])
    fits.conv(first, 8, bias=[end - 20_000 * np.sign(end)] * 8)
    assert kept(pruned(fits.graph()), first) == 2


@pytest.mark.parametrize(
    ("dtype", "width", "left"),
    [("int8", 16, 6), ("int8", 31, 6), ("int8", 32, 5), ("int8", 40, 5), ("int16", 32, 6)],
)
def test_psums_that_wrap_must_hold_all_of_the_sum(dtype: str, width: int, left: int):
    """Only a channel that adds nothing goes where bits are lost before the bias is added."""
    net = Net(dtype=dtype)
    first = net.conv("x", 7, zero=(0, 1), bias=[0, 4000, *[5] * 5])
    net.conv(first, 3, taps=2)
    assert kept(pruned(net.graph(), psum_width=width), first) == left


def test_sums_that_wrap_are_constants_modulo_the_psum_width():
    net = Net()
    first = net.conv("x", 4, zero=range(4), bias=[40000] * 4)
    second = net.conv(first, 6, taps=3)
    third = net.conv(net.concat(second, net.conv("x", 2, taps=3)), 3)
    for width in (10, 12, 32):
        assert kept(pruned(net.graph(), psum_width=width), third) == 3


def test_the_host_gets_whole_tensors():
    net = Net()
    first = net.conv("x", 5, zero=(1, 3))
    step = net.host(first)
    last = net.conv(step, 4, zero=(0,))
    result = pruned(net.graph(last, first))
    assert (kept(result, first), kept(result, last)) == (3, 3)
    # What the host writes, and what the model is given, is there anyway.
    assert result.graph.tensors[step].shape[-1] == 5


def test_a_layer_that_is_constant_is_no_layer():
    net = Net()
    first = net.conv("x", 4, zero=range(4))
    second = net.conv(first, 3, taps=3)
    net.conv(net.concat(second, net.conv("x", 3, taps=3)), 2)
    result = pruned(net.graph())
    constants = [node for node in result.graph.nodes if isinstance(node, Constant)]
    assert [node.name for node in constants] == ["n0", "n1"]
    assert [result.removed[key].macs for key in (first, second)] == [25 * 16, 9 * 9 * 12]
    assert [node.folded for node in constants] == ["every channel is constant"] * 2


def test_a_model_that_is_constant_computes_nothing():
    net = Net()
    first = net.conv("x", 4)
    second = net.conv(first, 4)
    third = net.conv(second, 3, zero=range(3))
    result = pruned(net.graph())
    (node,) = result.graph.nodes
    assert isinstance(node, Constant) and node.output == third
    rows = [(name, reason) for name, _, reason in node.absorbs]
    assert rows == [(name, "nobody reads any of its channels") for name in ("n0", "n1")]
    assert [kept(pruned(net.graph(), keep_all=True), key) for key in (first, second)] == [4, 4]


def test_a_layer_that_reads_constants_alone_still_reads_one():
    """Padding keeps the second layer's output from being constant: it is computed."""
    net = Net()
    first = net.conv("x", 4, zero=range(4), bias=[4000] * 4)
    second = net.conv(first, 3, taps=3, pad=1)
    third = net.conv(second, 3, taps=3, unread=(0, 1, 2))
    last = net.conv(third, 3, taps=3, pad=1)
    result = pruned(net.graph(second, last))
    assert (kept(result, first), kept(result, second)) == (4, 3)
    assert result.graph.tensors[last].shape[-1] == 3


def test_a_known_tensor_of_the_model_loses_channels():
    net = Net()
    first = net.conv("x", 4, zero=(1, 2))
    data = net.rng.integers(-128, 127, (1, 5, 5, 4)).astype(np.int8)
    data[..., 1] = 77
    known = net.tensor("known", (1, 5, 5, 4), data)
    joined = net.add(known, first)
    net.conv(joined, 2)
    result = pruned(net.graph())
    assert kept(result, joined) == 3
    (node,) = (node for node in result.graph.nodes if node.op == "ADD")
    assert result.graph.tensors[node.inputs[0]].shape[-1] == 3


def test_tensors_lose_whole_buffer_words():
    net = Net()
    first = net.conv("x", 12, zero=(1, 4, 5, 6, 7, 8))
    joined = net.concat(first, net.conv("x", 4))
    net.conv(joined, 3)
    graph = net.graph()
    assert [kept(pruned(graph, lanes=lanes), first) for lanes in (1, 4, 8)] == [6, 8, 8]
    assert [kept(pruned(graph, lanes=lanes), joined) for lanes in (1, 4, 8)] == [10, 12, 12]


def test_weights_that_are_not_known_are_not_zeros():
    shapes = [LayerShape("a", H=4, C=8, M=8, R=1), LayerShape("b", H=4, C=8, M=8, R=1)]
    assert without_idle_channels(layer_graph("g", shapes), lanes=1).removed == {}


def test_large_layers_are_taken_in_parts():
    """More filters than are looked at together."""
    net = Net(side=3)
    first = net.conv("x", 150, zero=(0, 63, 64, 65, 128, 149))
    net.conv(first, 140, taps=2)
    assert kept(pruned(net.graph()), first) == 144


def flattened(*shape: int) -> tuple[Net, str, str]:
    """A layer of 20 values with idle channels, and its values under another shape."""
    net = Net(side=2)
    first = net.conv("x", 5, zero=(1, 3))
    return net, first, net.reshape(first, *shape)


def test_a_dense_layer_reads_an_image_without_idle_channels():
    net, first, flat = flattened(1, 1, 1, 20)
    net.conv(flat, 3)
    result = pruned(fold(net.graph()))
    assert kept(result, first) == 3
    (reshape,) = (node for node in result.graph.nodes if isinstance(node, Reshape))
    assert reshape.inputs == (first,)


def test_an_operator_that_reads_another_shape_needs_all_channels():
    net, first, flat = flattened(1, 20)
    net.add(flat, flat)
    assert kept(pruned(net.graph()), first) == 5
    twice, first, flat = flattened(1, 20)
    again = twice.reshape(flat, 1, 4, 5, 1)
    twice.add(again, again)
    assert kept(pruned(twice.graph()), first) == 5


def test_the_host_may_read_another_shape():
    net, first, flat = flattened(1, 20)
    assert kept(pruned(net.graph(flat)), first) == 3
    hosted, first, flat = flattened(1, 20)
    hosted.host(hosted.reshape(flat, 1, 4, 5, 1))
    assert kept(pruned(hosted.graph()), first) == 3


def test_folded_operators_that_nobody_asks_for_are_only_reported():
    """Channel 4 is not constant: its layer's float form cannot be made any more, nor need it."""
    net = Net()
    first = net.conv("x", 5, zero=(1,))
    other = net.conv("x", 2)
    real = net.real(net.real(first))
    net.tensor(real, net.shape(first), dtype="float32")
    last = net.conv(first, 3, unread=(4,))
    result = pruned(net.graph(last, other))
    assert kept(result, first) == 3
    rows = [(node.name, [name for name, _, _ in node.absorbs]) for node in result.graph.nodes]
    assert rows == [("n0", []), ("n1", ["n2", "n3"]), ("n4", [])]
    reasons = {reason for node in result.graph.nodes for _, _, reason in node.absorbs}
    assert reasons == {"whatever reads it works on the stored values"}
    asked = pruned(net.graph(last, other, real))
    assert kept(asked, first) == 4


def test_layers_that_nobody_reads_are_reported_with_the_one_before():
    net = Net()
    kept_one = net.conv("x", 2)
    first = net.conv("x", 4)
    second = net.conv(first, 4)
    third = net.conv(second, 3, zero=range(3))
    result = pruned(net.graph(kept_one, third))
    rows = [(node.name, [name for name, _, _ in node.absorbs]) for node in result.graph.nodes]
    assert rows == [("n0", ["n1", "n2"]), ("n3", [])]


def test_tensors_without_channels_are_left_alone():
    net = Net()
    first = net.conv("x", 4, zero=(1,))
    net.tensor("number", (), np.array(3, np.int64), dtype="int64")
    net.tensor("reals", (2,), np.array([1, 1], np.float32), dtype="float32")
    net.tensor("scalar", (), np.array(3, np.int8))
    net.conv(first, 2)
    result = pruned(net.graph())
    assert kept(result, first) == 3
    assert result.graph.tensors["reals"].shape == (2,)


def test_borders_without_end_count_only_where_nothing_adds_up():
    """A window of many taps in wide padding, whose value channel 1 has and channel 3 has not."""
    net = Net(side=12)
    first = net.conv("x", 4, zero=(1, 3), bias=[9, 0, 9, 4000])
    second = net.depthwise(first, taps=12, pad=11, low=-7, bias=[9, 9, 9, -(10**8)])
    net.conv(second, 2)
    assert kept(pruned(net.graph()), second) == 3
    assert kept(pruned(net.graph()), first) == 3


def test_a_pool_may_write_another_shape():
    net = Net(side=3)
    first = net.conv("x", 4, zero=(1,))
    pooled = net.pool(first, PoolKind.MAX)
    net.tensor(pooled, (1, 16))
    assert kept(pruned(net.graph()), first) == 4

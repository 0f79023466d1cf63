"""Small graphs with idle channels, grown layer by layer."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from compiler.ir.graph import Graph, Quantisation, Tensor
from compiler.ir.ops import (
    Add,
    Concat,
    Conv,
    HostStep,
    Mul,
    Node,
    Pad,
    Pool,
    PoolKind,
    Rescale,
    Reshape,
)
from numerics.quantisation import Requant, RoundingRule, WindowStage


class Net:
    """A graph under construction; every method appends an operator and returns its output's key.

    All tensors have the zero point `zero` and `side` rows and columns unless an operator changes
    that. `dtype` is "int8" or "int16", which has product windows of 3 bits.
    """

    def __init__(self, *, side: int = 5, channels: int = 4, dtype: str = "int8", seed: int = 1):
        self.rng = np.random.default_rng(seed)
        self.dtype, self.zero = dtype, 0 if dtype == "int16" else -7
        self.nodes: list[Node] = []
        self.tensors: dict[str, Tensor] = {}
        self.tensor("x", (1, side, side, channels))

    def tensor(self, key: str, shape: tuple[int, ...], data: Any = None, dtype: str = "") -> str:
        """Declares a tensor."""
        self.tensors[key] = Tensor(
            name=key,
            key=key,
            shape=shape,
            dtype=dtype or self.dtype,
            quantisation=Quantisation((0.05,), (self.zero,)),
            data=data,
        )
        return key

    def shape(self, key: str) -> tuple[int, ...]:
        """Shape of a tensor."""
        return self.tensors[key].shape

    def graph(self, *outputs: str) -> Graph:
        """The graph so far, of the input x."""
        return Graph(
            name="net",
            tensors=self.tensors,
            nodes=tuple(self.nodes),
            inputs=("x",),
            outputs=outputs or (self.nodes[-1].output,),
        )

    def conv(
        self,
        source: str,
        filters: int,
        *,
        zero: Iterable[int] = (),
        unread: Iterable[int] = (),
        taps: int = 1,
        pad: int = 0,
        bias: Any = None,
        groups: int = 1,
        weight_zero: Any = 3,
        rounding: RoundingRule = RoundingRule.TFLM,
        low: int | None = None,
    ) -> str:
        """A convolution whose filters `zero` and input channels `unread` have no weights."""
        _, H, W, C = self.shape(source)
        wide = self.dtype == "int16"
        zeros = np.zeros(1, np.int64) if wide else np.array(weight_zero, np.int64).reshape(-1)
        limit = 100 if wide else 60
        weights = self.rng.integers(1, limit, (filters, taps, taps, C // groups))
        weights *= self.rng.choice([-1, 1], weights.shape)
        weights[list(zero)] = 0
        weights[..., list(unread)] = 0
        weights += zeros.reshape(-1, 1, 1, 1)
        if bias is None:
            bias = self.rng.integers(-4000, 4000, filters)
        stage = WindowStage(window=3, shift=7) if wide else self.stage(filters, rounding, low)
        return self._add(
            Conv(
                **self._names("CONV_2D", source),
                image=(H, W, C),
                weights=weights.astype(self.dtype),
                weight_zero_point=zeros,
                bias=np.array(bias, np.int64),
                input_zero_point=self.zero,
                pad=(pad,) * 4,
                groups=groups,
                stage=stage,
            ),
            (1, H + 2 * pad - taps + 1, W + 2 * pad - taps + 1, filters),
        )

    def depthwise(self, source: str, *, multiplier: int = 1, taps: int = 3, **more: Any) -> str:
        """A depthwise convolution."""
        C = self.shape(source)[3]
        return self.conv(source, C * multiplier, groups=C, taps=taps, **more)

    def stage(self, channels: int, rounding: RoundingRule, low: int | None = None) -> Requant:
        """An output stage that tells channels apart."""
        return Requant(
            scale=self.rng.uniform(2e-3, 9e-3, channels),
            rounding=rounding,
            zero_point=self.zero,
            low=-128 if low is None else low,
            high=127,
            dtype="int8",
        )

    def add(self, a: str, b: str) -> str:
        """A sum."""
        return self._add(
            Add(
                **self._names("ADD", a, b),
                scales=(0.05, 0.03),
                zero_points=(self.zero, self.zero),
                output_scale=0.06,
                output_zero_point=self.zero,
                low=-128,
                high=127,
                dtype="int8",
            ),
            self.shape(a),
        )

    def mul(self, a: str, b: str) -> str:
        """A product."""
        stage = self.stage(1, RoundingRule.TFLM)
        zeros = (self.zero, self.zero)
        names = self._names("MUL", a, b)
        return self._add(Mul(**names, zero_points=zeros, stage=stage), self.shape(a))

    def rescale(self, source: str) -> str:
        """Another quantisation, channel by channel."""
        stage = Requant(
            scale=self.rng.uniform(0.5, 1.5, self.shape(source)[3]),
            rounding=RoundingRule.SINGLE,
            zero_point=5,
            low=-128,
            high=127,
            dtype="int8",
        )
        names = self._names("QUANTIZE", source)
        return self._add(
            Rescale(**names, input_zero_point=self.zero, stage=stage), self.shape(source)
        )

    def pool(self, source: str, kind: PoolKind, *, pad: int = 0, **more: Any) -> str:
        """Windows of 2 x 2."""
        _, H, W, C = self.shape(source)
        limits = np.iinfo(self.dtype)
        node = Pool(
            **self._names("POOL", source),
            image=(H, W, C),
            kind=kind,
            window=(2, 2),
            stride=(1, 1),
            pad=(pad,) * 4,
            low=int(limits.min),
            high=int(limits.max),
            dtype=self.dtype,
            **more,
        )
        return self._add(node, (1, H + 2 * pad - 1, W + 2 * pad - 1, C))

    def concat(self, *sources: str, axis: int = 3) -> str:
        """Tensors joined."""
        shape = list(self.shape(sources[0]))
        shape[axis] = sum(self.shape(source)[axis] for source in sources)
        return self._add(Concat(**self._names("CONCATENATION", *sources), axis=axis), tuple(shape))

    def pad(self, source: str, value: int, channels: int = 0) -> str:
        """A row and a column more on either side, and channels after the last."""
        _, H, W, C = self.shape(source)
        pads = ((0, 0), (1, 1), (1, 1), (0, channels))
        node = Pad(**self._names("PAD", source), pads=pads, value=value)
        return self._add(node, (1, H + 2, W + 2, C + channels))

    def reshape(self, source: str, *shape: int) -> str:
        """The same values under another shape."""
        return self._add(Reshape(**self._names("RESHAPE", source)), shape)

    def real(self, source: str) -> str:
        """A folded host step, as a front end leaves one that nobody needs: float32 values."""
        step = HostStep(
            **self._names("DEQUANTIZE", source),
            function="dequantise_ort",
            parameters={"scale": (0.5,), "zero_point": (self.zero,)},
            folded="whatever reads it works on the stored values",
        )
        key = self._add(step, self.shape(source))
        return self.tensor(key, self.shape(source), dtype="float32")

    def host(self, source: str) -> str:
        """A transposition on the host."""
        names = self._names("TRANSPOSE", source)
        step = HostStep(**names, function="transpose", parameters={"permutation": (0, 2, 1, 3)})
        return self._add(step, self.shape(source))

    def _names(self, op: str, *inputs: str) -> dict[str, Any]:
        name = f"n{len(self.nodes)}"
        return {"name": name, "op": op, "inputs": inputs, "output": f"{name}_{op}"}

    def _add(self, node: Node, shape: tuple[int, ...]) -> str:
        self.nodes.append(node)
        return self.tensor(node.output, shape)

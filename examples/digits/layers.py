"""Float layers in NumPy, NHWC, each with its gradient: what the network is trained with.

A layer keeps what its backward pass needs from the last forward pass. Padding is TFLite's SAME:
`E = ceil(H / U)`, the odd row or column of padding at the bottom and right.
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Parameter:
    """A trained array and its gradient of the last backward pass, both of one shape."""

    def __init__(self, value: NDArray[np.float64]) -> None:
        self.value: Array = value.astype(np.float32)
        self.grad: Array = np.zeros_like(self.value)


class Layer(Protocol):
    """One operator: `forward` of its inputs, `backward` from its output's gradient to theirs."""

    relu: bool

    def parameters(self) -> list[Parameter]: ...

    def forward(self, *inputs: Array) -> Array: ...

    def backward(self, gradient: Array) -> tuple[Array, ...]: ...


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """TFLite's SAME padding before and after one dimension of `size` elements."""
    outputs = -(-size // stride)
    total = max((outputs - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Windows:
    """The R·R taps of every window of an image batch, and the sum back onto the image."""

    def __init__(self, kernel: int, stride: int) -> None:
        self.kernel = kernel
        self.stride = stride

    def gather(self, x: Array) -> Array:
        """(N, H, W, C) to (N, E, F, R·R, C)."""
        self.shape = x.shape
        self.pads = [same_padding(size, self.kernel, self.stride) for size in x.shape[1:3]]
        padded = np.pad(x, ((0, 0), *self.pads, (0, 0)))
        return np.stack([padded[tap] for tap in self._taps()], axis=3)

    def scatter(self, windows: Array) -> Array:
        """The transpose of `gather`: (N, E, F, R·R, C) summed into (N, H, W, C)."""
        N, H, W, C = self.shape
        (top, bottom), (left, right) = self.pads
        padded = np.zeros((N, H + top + bottom, W + left + right, C), np.float32)
        for index, tap in enumerate(self._taps()):
            padded[tap] += windows[:, :, :, index]
        return padded[:, top : top + H, left : left + W]

    def _taps(self) -> list[tuple[slice, slice, slice]]:
        """For each tap (r, s) the slices of the padded image that it meets."""
        _, H, W, _ = self.shape
        U = self.stride
        E, F = -(-H // U), -(-W // U)
        return [
            (slice(None), slice(r, r + U * (E - 1) + 1, U), slice(s, s + U * (F - 1) + 1, U))
            for r in range(self.kernel)
            for s in range(self.kernel)
        ]


class Rectifier:
    """The fused ReLU of a layer, or the identity; remembers where it let the signal through."""

    def __init__(self, active: bool) -> None:
        self.active = active

    def forward(self, x: Array) -> Array:
        if not self.active:
            return x
        self.open = x > 0
        return x * self.open

    def backward(self, gradient: Array) -> Array:
        return gradient * self.open if self.active else gradient


class Conv:
    """Convolution R×R, C to M channels, stride U, SAME; weights (R·R, C, M), bias (M,)."""

    def __init__(
        self,
        C: int,
        M: int,
        *,
        kernel: int,
        stride: int = 1,
        relu: bool = True,
        rng: np.random.Generator,
    ) -> None:
        taps = kernel * kernel
        self.kernel, self.stride, self.relu = kernel, stride, relu
        self.weight = Parameter(rng.normal(0, np.sqrt(2 / (taps * C)), (taps, C, M)))
        self.bias = Parameter(np.zeros(M))
        self._windows = Windows(kernel, stride)
        self._rectifier = Rectifier(relu)

    def parameters(self) -> list[Parameter]:
        return [self.weight, self.bias]

    def forward(self, *inputs: Array) -> Array:
        """(N, H, W, C) to (N, E, F, M)."""
        windows = self._windows.gather(inputs[0])
        N, E, F, taps, C = windows.shape
        self._matrix = windows.reshape(N * E * F, taps * C)
        y = self._matrix @ self.weight.value.reshape(taps * C, -1) + self.bias.value
        return self._rectifier.forward(y.reshape(N, E, F, -1))

    def backward(self, gradient: Array) -> tuple[Array, ...]:
        gradient = self._rectifier.backward(gradient)
        N, E, F, M = gradient.shape
        taps, C, _ = self.weight.value.shape
        flat = gradient.reshape(-1, M)
        self.weight.grad = (self._matrix.T @ flat).reshape(taps, C, M)
        self.bias.grad = flat.sum(axis=0)
        windows = flat @ self.weight.value.reshape(-1, M).T
        return (self._windows.scatter(windows.reshape(N, E, F, taps, C)),)


class Depthwise:
    """Depthwise convolution R×R, C channels, stride U, SAME; weights (R·R, C), bias (C,)."""

    def __init__(
        self,
        C: int,
        *,
        kernel: int,
        stride: int = 1,
        relu: bool = True,
        rng: np.random.Generator,
    ) -> None:
        taps = kernel * kernel
        self.kernel, self.stride, self.relu = kernel, stride, relu
        self.weight = Parameter(rng.normal(0, np.sqrt(2 / taps), (taps, C)))
        self.bias = Parameter(np.zeros(C))
        self._windows = Windows(kernel, stride)
        self._rectifier = Rectifier(relu)

    def parameters(self) -> list[Parameter]:
        return [self.weight, self.bias]

    def forward(self, *inputs: Array) -> Array:
        """(N, H, W, C) to (N, E, F, C)."""
        self._gathered = self._windows.gather(inputs[0])
        return self._rectifier.forward(
            (self._gathered * self.weight.value).sum(axis=3) + self.bias.value
        )

    def backward(self, gradient: Array) -> tuple[Array, ...]:
        gradient = self._rectifier.backward(gradient)
        spread = gradient[:, :, :, np.newaxis, :]
        self.weight.grad = (self._gathered * spread).sum(axis=(0, 1, 2))
        self.bias.grad = gradient.sum(axis=(0, 1, 2))
        return (self._windows.scatter(spread * self.weight.value),)


class Add:
    """The sum of two tensors of one shape: the end of a residual block."""

    def __init__(self, *, relu: bool = True) -> None:
        self.relu = relu
        self._rectifier = Rectifier(relu)

    def parameters(self) -> list[Parameter]:
        return []

    def forward(self, *inputs: Array) -> Array:
        return self._rectifier.forward(inputs[0] + inputs[1])

    def backward(self, gradient: Array) -> tuple[Array, ...]:
        gradient = self._rectifier.backward(gradient)
        return gradient, gradient


class GlobalAveragePool:
    """The mean of each channel: (N, H, W, C) to (N, C)."""

    relu = False

    def parameters(self) -> list[Parameter]:
        return []

    def forward(self, *inputs: Array) -> Array:
        self._shape = inputs[0].shape
        mean: Array = inputs[0].mean(axis=(1, 2))
        return mean

    def backward(self, gradient: Array) -> tuple[Array, ...]:
        _, H, W, _ = self._shape
        spread = gradient[:, np.newaxis, np.newaxis, :] / np.float32(H * W)
        return (np.broadcast_to(spread, self._shape),)


class Dense:
    """Fully connected layer without activation: (N, C) to (N, M); weights (C, M), bias (M,)."""

    relu = False

    def __init__(self, C: int, M: int, *, rng: np.random.Generator) -> None:
        self.weight = Parameter(rng.normal(0, np.sqrt(1 / C), (C, M)))
        self.bias = Parameter(np.zeros(M))

    def parameters(self) -> list[Parameter]:
        return [self.weight, self.bias]

    def forward(self, *inputs: Array) -> Array:
        self._x = inputs[0]
        return self._x @ self.weight.value + self.bias.value

    def backward(self, gradient: Array) -> tuple[Array, ...]:
        self.weight.grad = self._x.T @ gradient
        self.bias.grad = gradient.sum(axis=0)
        return (gradient @ self.weight.value.T,)

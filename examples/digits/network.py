"""The network: a graph of float layers, its forward and backward pass, and its training."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from digits_data import Digits, augment
from layers import (
    Add,
    Array,
    Conv,
    Dense,
    Depthwise,
    GlobalAveragePool,
    Layer,
    Parameter,
)

CLASSES = 10


@dataclass(frozen=True)
class Node:
    """A layer and the values it reads; value 0 is the image, value k + 1 is node k's output."""

    name: str
    layer: Layer
    inputs: tuple[int, ...]


class Network:
    """Nodes in order of execution; the last one gives the logits (N, 10)."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    def parameters(self) -> list[Parameter]:
        """Every trained array, in node order."""
        return [parameter for node in self.nodes for parameter in node.layer.parameters()]

    def values(self, images: Array) -> list[Array]:
        """The images and the output of every node."""
        values = [images]
        for node in self.nodes:
            values.append(node.layer.forward(*(values[index] for index in node.inputs)))
        return values

    def logits(self, images: Array) -> Array:
        """(N, 8, 8, 1) in 0…1 to (N, 10)."""
        return self.values(images)[-1]

    def accuracy(self, digits: Digits) -> float:
        """The share of digits whose largest logit is their label."""
        return float((self.logits(digits.images).argmax(axis=1) == digits.labels).mean())

    def backward(self, gradient: Array) -> None:
        """Set every parameter's gradient from that of the logits of the last forward pass."""
        gradients: dict[int, Array] = {len(self.nodes): gradient}
        for index in reversed(range(len(self.nodes))):
            node = self.nodes[index]
            parts = node.layer.backward(gradients.pop(index + 1))
            for source, part in zip(node.inputs, parts, strict=True):
                gradients[source] = gradients[source] + part if source in gradients else part


def build(rng: np.random.Generator) -> Network:
    """The untrained digits network: stem, stride 2, a depthwise residual block, pooled head."""
    return Network(
        [
            Node("conv1", Conv(1, 16, kernel=3, rng=rng), (0,)),
            Node("conv2", Conv(16, 16, kernel=3, stride=2, rng=rng), (1,)),
            Node("depthwise", Depthwise(16, kernel=3, rng=rng), (2,)),
            Node("pointwise", Conv(16, 16, kernel=1, relu=False, rng=rng), (3,)),
            Node("residual", Add(), (2, 4)),
            Node("conv3", Conv(16, 32, kernel=3, stride=2, rng=rng), (5,)),
            Node("pool", GlobalAveragePool(), (6,)),
            Node("logits", Dense(32, CLASSES, rng=rng), (7,)),
        ]
    )


class Adam:
    """Adam with decoupled weight decay; biases (one dimension) do not decay."""

    def __init__(self, parameters: list[Parameter], *, decay: float) -> None:
        self.parameters = parameters
        self.decay = decay
        self._steps = 0
        self._mean = [np.zeros_like(p.value) for p in parameters]
        self._square = [np.zeros_like(p.value) for p in parameters]

    def step(self, rate: float) -> None:
        """Move every parameter once against its gradient, at learning rate `rate`."""
        self._steps += 1
        mean_bias, square_bias = 1 - 0.9**self._steps, 1 - 0.999**self._steps
        for p, mean, square in zip(self.parameters, self._mean, self._square, strict=True):
            mean += 0.1 * (p.grad - mean)
            square += 0.001 * (p.grad * p.grad - square)
            move = (mean / mean_bias) / (np.sqrt(square / square_bias) + 1e-8)
            if p.value.ndim > 1:
                move += self.decay * p.value
            p.value -= np.float32(rate) * move.astype(np.float32)


def cross_entropy(logits: Array, labels: np.ndarray) -> tuple[float, Array]:
    """The mean loss of a batch and its gradient with respect to the logits (N, 10)."""
    exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
    share = exponent / exponent.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -float(np.log(share[rows, labels] + 1e-12).mean())
    share[rows, labels] -= 1
    return loss, share / np.float32(len(labels))


def train(
    network: Network,
    digits: Digits,
    rng: np.random.Generator,
    *,
    epochs: int,
    batch: int = 32,
    peak_rate: float = 8e-3,
    report: Callable[[int, float], None],
) -> None:
    """Train in place on augmented digits; the rate falls by a cosine from `peak_rate` to 0.

    `report(epoch, loss)` is called after every epoch with its mean loss.
    """
    optimiser = Adam(network.parameters(), decay=1e-3)
    batches = len(digits.labels) // batch
    for epoch in range(epochs):
        order = rng.permutation(len(digits.labels))
        total = 0.0
        for index in range(batches):
            chosen = order[index * batch : (index + 1) * batch]
            logits = network.logits(augment(digits.images[chosen], rng))
            loss, gradient = cross_entropy(logits, digits.labels[chosen])
            network.backward(gradient)
            progress = (epoch * batches + index) / (epochs * batches)
            optimiser.step(peak_rate * 0.5 * (1 + np.cos(np.pi * progress)))
            total += loss
        report(epoch, total / batches)

"""How many inputs a model puts into the right class: `accuracy`."""

from pathlib import Path

import numpy as np

from compiler.ir.graph import Graph
from hw.arch.errors import RowforgeError
from sim.golden import run_graph
from sw_driver.arrays import read_arrays


def accuracy(graph: Graph, inputs: Path, labels: Path) -> float:
    """The share of inputs whose largest output is that of the right class, by the golden model.

    Parameters
    ----------
    graph : of one input and, first, an output with a value for every class
    inputs : `.npy`, (N, ...) in place of the batch of 1
    labels : `.npy`, N integers

    Raises `RowforgeError` for files that do not suit.
    """
    images, classes = read_arrays(inputs), read_arrays(labels)
    tensor = graph.tensors[graph.inputs[0]]
    if not isinstance(images, np.ndarray) or not isinstance(classes, np.ndarray):
        raise RowforgeError("--input and --labels must be .npy files, of one array each")
    if len(graph.inputs) != 1 or images[:1].size != tensor.elements or images.dtype != tensor.dtype:
        raise RowforgeError(
            f"--input must hold arrays of {tensor.dtype} and shape {list(tensor.shape)}, not "
            f"{images.dtype} {list(images.shape)}"
        )
    if classes.shape != (len(images),) or classes.dtype.kind not in "iu":
        raise RowforgeError(
            f"--labels must hold {len(images)} integers, not {classes.dtype} {list(classes.shape)}"
        )
    key = graph.outputs[0]
    right = 0
    for image, label in zip(images, classes.tolist(), strict=True):
        values = run_graph(graph, {graph.inputs[0]: image.reshape(tensor.shape)})
        right += int(values[key].argmax()) == label
    return right / max(len(images), 1)

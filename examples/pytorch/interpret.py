"""The int8 model's outputs in ONNX Runtime: `python examples/pytorch/interpret.py build/pytorch`.

At its default optimisation level, where products of quantised operands are sums of integers, as on
the accelerator; one thread, and kernels that are exact on CPUs without VNNI too. Writes
`expected.npy` and says how many values are otherwise without optimisation, where ONNX Runtime adds
up floats.
"""

import argparse
from pathlib import Path

import numpy as np
import onnxruntime as ort


def outputs(model: Path, images: np.ndarray, level: ort.GraphOptimizationLevel) -> np.ndarray:
    """The scores of all images, one at a time."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = level
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: image[None]})[0] for image in images])


def main() -> None:
    """Interpret the held-out digits."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    model, images = folder / "digits_int8.onnx", np.load(folder / "x.npy")
    levels = ort.GraphOptimizationLevel
    expected = outputs(model, images, levels.ORT_ENABLE_ALL)
    np.save(folder / "expected.npy", expected)
    plain = outputs(model, images, levels.ORT_DISABLE_ALL)
    steps = np.sum(expected != plain)
    print(f"{steps} of {expected.size} values are otherwise in ONNX Runtime without optimisation")


if __name__ == "__main__":
    main()

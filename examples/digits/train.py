"""Trains the digits network, quantises it and writes the model and its held-out test set.

    python examples/digits/train.py [--output DIRECTORY]

Takes about half a minute. The same machine and package versions give the same bytes; another
BLAS may sum in another order, after which training takes another path to about the same accuracy.
"""

import argparse
from pathlib import Path

import numpy as np
from digits_data import Digits, load
from export import Exporter, macs
from network import Network, build, train
from numpy.typing import NDArray
from quantise import IMAGE, calibrate, to_int8
from tflite_micro.python.tflite_micro import runtime
from threadpoolctl import threadpool_limits

TRAINING_SEED = 8
EPOCHS = 150
MODELS = Path(__file__).resolve().parents[2] / "rowforge" / "models"


def trained(digits: Digits) -> Network:
    """The network after training from `TRAINING_SEED`."""
    rng = np.random.default_rng(TRAINING_SEED)
    network = build(rng)
    train(network, digits, rng, epochs=EPOCHS, report=_report)
    return network


def int8_accuracy(model: bytes, images: NDArray[np.int8], labels: NDArray[np.int64]) -> float:
    """The share of images (N, 8, 8, 1) that TensorFlow Lite Micro classifies as labelled."""
    interpreter = runtime.Interpreter.from_bytes(model)
    right = 0
    for image, label in zip(images, labels, strict=True):
        interpreter.set_input(image[np.newaxis], 0)
        interpreter.invoke()
        right += int(interpreter.get_output(0)[0].argmax() == label)
    return right / len(labels)


def make(output: Path) -> None:
    """Train, quantise, write `digits.tflite` and `digits_test.npz`, print the accuracies."""
    training, held_out = load()
    network = trained(training)
    model = Exporter(network, calibrate(network, training.images)).export()
    images = to_int8(held_out.images, IMAGE)
    output.mkdir(parents=True, exist_ok=True)
    (output / "digits.tflite").write_bytes(model)
    np.savez_compressed(
        output / "digits_test.npz",
        images=images,
        labels=held_out.labels.astype(np.uint8),
        indices=held_out.indices.astype(np.uint16),
    )
    print(f"float: {network.accuracy(training):.2%} of {len(training.labels)} training digits")
    print(f"float: {network.accuracy(held_out):.2%} of {len(held_out.labels)} held-out digits")
    print(f"int8:  {int8_accuracy(model, images, held_out.labels):.2%} of the held-out digits")
    print(f"{macs(network)} MACs, {len(model)} bytes")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train and export the digits model.")
    parser.add_argument("--output", type=Path, default=MODELS, help="directory of the two files")
    arguments = parser.parse_args()
    with threadpool_limits(limits=1):  # sums keep their order, and so the files their bytes
        make(arguments.output)


def _report(epoch: int, loss: float) -> None:
    if (epoch + 1) % 10 == 0:
        print(f"epoch {epoch + 1}: loss {loss:.4f}", flush=True)


if __name__ == "__main__":
    main()

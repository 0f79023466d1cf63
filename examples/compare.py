"""Accuracy of a network as floats, as int8 in its interpreter and on the accelerator.

    python examples/compare.py build/keras

Reads what the example wrote: `labels.npy`, `float.npy` and `expected.npy` (the interpreter's
outputs), `y.npy` (the golden model's) and `rtl.npy` (the RTL's, for the first inputs). Exit status
1 if the accelerator's outputs are not the interpreter's in every bit.
"""

import argparse
import sys
from pathlib import Path

import numpy as np


def right(outputs: np.ndarray, labels: np.ndarray) -> str:
    """How many of the labels the largest outputs name."""
    count = int(np.sum(outputs.argmax(axis=1) == labels[: len(outputs)]))
    return f"{count:4} of {len(outputs):4} right ({100 * count / len(outputs):.2f} %)"


def main() -> int:
    """Print the table; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    labels = np.load(folder / "labels.npy")
    expected = np.load(folder / "expected.npy")
    print(f"float           {right(np.load(folder / 'float.npy'), labels)}")
    print(f"int8            {right(expected, labels)}")
    wrong = 0
    for name, file in (("golden", "y.npy"), ("RTL", "rtl.npy")):
        outputs = np.load(folder / file)
        meant = expected[: len(outputs)]
        same = outputs.dtype == meant.dtype and outputs.shape == meant.shape
        differ = int(np.sum(outputs != meant)) if same else outputs.size
        wrong += differ
        print(
            f"accelerator     {right(outputs, labels)} on {name}, "
            f"{differ} of {outputs.size} outputs differ from the interpreter's"
        )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

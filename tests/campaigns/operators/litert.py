"""What LiteRT computes of recorded files: `python litert.py FOLDER`, in an environment that has it.

The folder holds pairs NUMBER.tflite and NUMBER.npz, whose arrays `inputN` and `outputN` are what
another interpreter was given and gave. Prints a line of JSON for each: by kind of kernels, how many
values differ, or why it did not run. Imports nothing of the project, which the environment lacks.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

KERNELS = {
    "reference": OpResolverType.BUILTIN_REF,
    "optimised": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
}


def differing(path: Path, kernels: Any) -> int | str:
    """How many values of a file's outputs are others than the recorded ones."""
    recorded = np.load(path.with_suffix(".npz"))
    try:
        interpreter = Interpreter(model_path=str(path), experimental_op_resolver_type=kernels)
        interpreter.allocate_tensors()
        for position, detail in enumerate(interpreter.get_input_details()):
            interpreter.set_tensor(detail["index"], recorded[f"input{position}"])
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        return " ".join(str(error).split())[-90:]
    wrong = 0
    for position, detail in enumerate(interpreter.get_output_details()):
        if (name := f"output{position}") in recorded:
            ours, theirs = interpreter.get_tensor(detail["index"]), recorded[name]
            if ours.shape != theirs.shape:
                return f"its output has shape {list(ours.shape)}, not {list(theirs.shape)}"
            wrong += int(np.sum(ours != theirs))
    return wrong


if __name__ == "__main__":
    for path in sorted(Path(sys.argv[1]).glob("*.tflite"), key=lambda path: int(path.stem)):
        found = {name: differing(path, kernels) for name, kernels in KERNELS.items()}
        print(json.dumps({"file": int(path.stem), **found}), flush=True)

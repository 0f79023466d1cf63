"""Tables of layer shapes: `python -m tests.campaigns.shapes.run --n 50`.

Each row must be the estimate of a TensorFlow Lite model of that one layer with random weights. Exit
status 1 if one is not.
"""

import argparse
import secrets
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hw.arch.config import Config
from rowforge.configs import named_config
from rowforge.estimation import estimate
from rowforge.shapes.shape import BareLayer
from rowforge.shapes.table import shape_table
from tests.campaigns.shapes.cases import drawn, model_file
from tests.support.missed import conclude


def differences(shape: BareLayer, config: Config, folder: Path) -> list[str]:
    """The figures in which a row and the estimate differ; also those that are not positive."""
    (row,) = shape_table([shape], config).rows
    total = estimate(model_file(shape, folder / "layer.tflite"), config)["total"]
    wanted = {
        "cycles": total["cycles"],
        "energy": total["energy"]["total"],
        "link_bytes": total["link_bytes"],
    }
    return [
        f"{name} {row[name]}, estimated {value}"
        for name, value in wanted.items()
        if row[name] != value or not value > 0
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=50)
    parser.add_argument("--seed", type=int, default=secrets.randbits(31))
    parser.add_argument("--configuration", default="eyeriss_v1_int8", metavar="CFG")
    options = parser.parse_args(arguments)
    print(f"seed {options.seed}", flush=True)
    config, wrong = named_config(options.configuration), 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.n):
            shape = drawn(options.seed, number)
            if found := differences(shape, config, Path(folder)):
                wrong += 1
                print(f"{number}: {shape.name}: {'; '.join(found)}", flush=True)
    print(f"{options.n - wrong} of {options.n} rows are estimates of models")
    return conclude([(not wrong, f"{wrong} of {options.n} rows differ")])


if __name__ == "__main__":
    sys.exit(main())

"""Cycles of the MLPerf Tiny models replayed from a board's memory: `python -m benchmarks.replays`.

The models of --models run on the RTL of a preset with an on-chip memory as slow as an SDRAM of 16
bits at the core's clock: a word takes four cycles, and a burst begins after eight. Outputs are
compared with the program executed without time. `fed` are the cycles of the same configuration
without the memory, to which its link brings a word every cycle, by the exact cycle model.

With --predicted, boards with an SDRAM are predicted by the exact model, in a minute. There `same`
are the cycles of the same program to which a link brings a word every cycle: `fed` is of the
program that the compiler plans for such a link.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.boards import MODELS
from benchmarks.results import RESULTS, commit, tools
from hw.arch.config import Config
from hw.arch.program import Program, TensorSpec
from rowforge.configs import preset
from rowforge.running.compilation import compile_model
from sim.cycles.predict import predict
from sim.cycles.replays import predict_replays
from sim.link import RtlLink
from sim.replay import functional_link
from sw_driver.running import Array
from sw_driver.runtime import Runtime

RESULT = RESULTS / "replays.json"
PREDICTED = RESULTS / "predicted_replays.json"
BOARDS = ("ulx3s_85f_sdram", "tang_nano_20k_sdram")
PRESET, CLOCK = "ulx3s_85f", 50e6
MEMORY = {"memory.kind": "ram", "memory.words": 1 << 17, "memory.latency": 8, "memory.pace": 4}
RATE = {"link.rate": 0.25}  # what the compiler plans for: 16 bits a cycle


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, required=True, help="folder of the models")
    parser.add_argument("--predicted", action="store_true", help="boards, by the exact model")
    options = parser.parse_args(arguments)
    folder = options.models
    if options.predicted:
        _write(PREDICTED, _predictions(folder))
        return 0
    config = preset(PRESET).with_values(MEMORY | RATE)
    session = Runtime(RtlLink(config), config)
    found = {name: _measured(folder / f"{name}.tflite", config, session) for name in MODELS}
    session.link.close()
    document = {
        "command": "python -m benchmarks.replays --models FOLDER",
        "commit": commit(),
        "tools": tools(simulated=True),
        "preset": PRESET,
        "memory": MEMORY | RATE,
        "clock": CLOCK,
        "models": found,
    }
    _write(RESULT, document)
    return 0


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _predictions(folder: Path) -> dict[str, Any]:
    """The figures of the boards."""
    return {
        "command": "python -m benchmarks.replays --predicted --models FOLDER",
        "commit": commit(),
        "tools": tools(simulated=False),
        "boards": {
            board: {name: _predicted(folder / f"{name}.tflite", preset(board)) for name in MODELS}
            for board in BOARDS
        },
    }


def _predicted(path: Path, config: Config) -> dict[str, Any]:
    """The figures of a model on a board with an SDRAM."""
    without = config.with_values({"memory.kind": "none", "memory.words": 0})
    full = without.with_values({"link.rate": 1})
    programs = [compile_model(path, each).program.uncounted() for each in (config, without, full)]
    cycles = predict_replays(programs[0]).cycles
    return {
        "cycles": cycles,
        "milliseconds": round(cycles / config.memory.clock, 2),
        "same": predict(programs[1]).cycles,
        "fed": predict(programs[2]).cycles,
    }


def _measured(path: Path, config: Config, session: Runtime) -> dict[str, Any]:
    """The figures of a model."""
    program = compile_model(path, config).program.uncounted()
    inputs = _random(program.tensors[program.inputs[0]])
    outcome = session.run(program, inputs)
    wanted = Runtime(functional_link(config), config).run(program, inputs).outputs
    different = [name for name, array in wanted.items() if (array != outcome.outputs[name]).any()]
    if different or outcome.cycles is None:
        raise RuntimeError(f"{path.stem}: outputs differ: {', '.join(different)}")
    fed = predict(_without_memory(path)).cycles
    return {
        "cycles": outcome.cycles,
        "milliseconds": round(1e3 * outcome.cycles / CLOCK, 2),
        "fed": fed,
        "image_words": outcome.image_words,
    }


def _without_memory(path: Path) -> Program:
    return compile_model(path, preset(PRESET)).program.uncounted()


def _random(spec: TensorSpec) -> Array:
    rng = np.random.default_rng(1)
    if np.dtype(spec.dtype).kind == "f":
        return rng.random(spec.shape, dtype=np.float32)
    return rng.integers(-128, 128, spec.shape).astype(spec.dtype)


if __name__ == "__main__":
    raise SystemExit(main())

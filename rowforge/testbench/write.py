"""Writes the testbench beside generated Verilog."""

import json
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from hw.arch.commands import RESULT, ResultBlock
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.files import write_files
from hw.arch.program import Program, Store, Words, layout
from rowforge.running.check import first_difference
from rowforge.testbench.network import random_input, small_network
from sim.golden import run_graph
from sim.replay import functional_link
from sw_driver.runtime import Runtime

FOLDER = "tb"
# Files of the testbench, by where they lie in the package `tb`.
_FILES = {
    "test_layers.py": "standalone/layers.py",
    "run.py": "standalone/run.py",
    "runners.py": "runners.py",
    "Makefile": "standalone/Makefile",
}
_PATIENCE = 20_000  # cycles; firmware takes longer
_PATIENCE_WITH_PROCESSOR = 2_000_000


class WordRecorder:
    """The functional executor as a link that keeps all words."""

    def __init__(self, config: Config):
        self._accelerator = functional_link(config)
        self.sent: list[int] = []
        self.received: list[int] = []

    def send(self, words: Words) -> None:
        self.sent += words.tolist()
        self._accelerator.send(words)

    def receive(self, count: int) -> Words:
        words: Words = self._accelerator.receive(count)
        self.received += words.tolist()
        return words

    def cycles(self) -> int | None:
        return None

    def close(self) -> None:
        """Nothing is open."""


def write_testbench(config: Config, out_dir: Path, *, top: str) -> list[Path]:
    """Write `tb/` into the folder of the Verilog of a top module; returns its files.

    Raises `NoNetworkError` if no small network fits the configuration, `RowforgeError` if a file
    cannot be written.
    """
    texts = {
        name: (resources.files("tb") / place).read_text("utf-8") for name, place in _FILES.items()
    }
    texts["program.json"] = json.dumps(_played(config, top)) + "\n"
    return write_files(out_dir / FOLDER, texts)


def _played(config: Config, top: str) -> dict[str, Any]:
    """The words of a program and all its results, which are NumPy's in every layer."""
    graph, program = small_network(config)
    x = random_input(graph)
    link = WordRecorder(config)
    outcome = Runtime(link, config).run(program, x)
    golden = run_graph(graph, x, psum_width=config.array.psum_width)
    difference, _ = first_difference(program, 0, outcome.tensors, golden)
    if difference is not None:
        raise RowforgeError(f"the executor disagrees with the golden model: {difference}")
    return {
        "top": top,
        "link_width": config.link.width,
        "patience": _PATIENCE_WITH_PROCESSOR if config.control.microcontroller else _PATIENCE,
        "words": [f"{word:x}" for word in link.sent],
        "results": _blocks(program, link.received),
    }


def _blocks(program: Program, words: list[int]) -> list[dict[str, Any]]:
    """The blocks of results in their order; those of data with the layer's values."""
    stores = iter(step for step in program.steps if isinstance(step, Store))
    found: list[dict[str, Any]] = []
    while words:
        fields = RESULT.unpack(words[:1])
        body = words[1 : 1 + fields["length"]]
        entry: dict[str, Any] = {"header": f"{words[0]:x}", "length": len(body)}
        kind = ResultBlock(fields["block"])
        if kind is ResultBlock.CODED:
            next(stores)
            entry |= {"name": "the coded block", "words": [f"{word:x}" for word in body]}
        elif kind is ResultBlock.DATA:
            entry |= _values(program, next(stores), np.array(body, dtype=np.uint64))
        else:
            known = kind is ResultBlock.STATUS  # counters depend on time
            entry["name"] = f"the {kind.name.lower()} block"
            entry["words"] = [f"{word:x}" if known else None for word in body]
        found.append(entry)
        words = words[1 + len(body) :]
    return found


def _values(program: Program, store: Store, words: Words) -> dict[str, Any]:
    """A box of a layer's output: every lane in its order, None in those without a channel."""
    config, spec = program.config, program.tensors[store.tensor]
    box = store.box
    kind = np.dtype(spec.dtype)
    lanes = layout.channels_per_word(config, raw=store.raw)
    _, rows, columns, channels = layout.box_shape(box)
    values: list[int | None] = [
        int(value) for value in np.frombuffer(words.tobytes(), dtype=kind.newbyteorder("<"))
    ]
    for index in range(len(values)):
        block = index // (lanes * columns * rows) % -(-channels // lanes)
        if block * lanes + index % lanes >= channels:
            values[index] = None
    count = layout.box_words(config, box, raw=store.raw) * lanes
    layer = next((layer for layer in program.layers if layer.output == store.tensor), None)
    name = f"layer {layer.name} ({layer.op})" if layer is not None else f"tensor {spec.name}"
    return {
        "name": name,
        "box": [box.items, box.rows, box.columns, box.channels],
        "lanes": lanes,
        "bits": 8 * kind.itemsize,
        "signed": kind.kind == "i",
        "values": values[:count],
    }

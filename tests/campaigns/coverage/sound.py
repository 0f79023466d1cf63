"""Programs that are right, each result compared: random layers, random networks, MLPerf Tiny."""

import tempfile
from pathlib import Path
from random import Random

import numpy as np

from compiler.compile import compile_graph
from compiler.frontends import load_model
from compiler.options import CompileOptions
from hw.arch.errors import RowforgeError
from rowforge.running.check import first_difference
from sim.golden.run import run_graph
from sw_driver.runtime import Runtime
from tb.models.program import Phase, random_layers
from tests.campaigns.coverage.device import CoveredDevice
from tests.campaigns.fuzz.cases import make_case, random_inputs
from tests.campaigns.fuzz.runner import run_on
from tests.support.tflite.cut import cut
from tests.support.workloads import ROOT

# The models of MLPerf Tiny and how many of their operators are run.
TINY_MODELS = {
    "kws_ref_model": 3,
    "pretrainedResnet_quant": 2,
    "vww_96_int8": 2,
    "ad01_int8": 4,
}


def layers(device: CoveredDevice, random: Random, *, largest: int) -> Phase:
    """Three random layers, mapped and placed at random, and counters; returns the program."""
    phase = random_layers(device.config, random, 3, largest=largest, anywhere=True)
    device.send(np.array(phase.words, dtype=np.uint64))
    answer = device.receive(len(phase.expected)).tolist()
    for got, want, mask in zip(answer, phase.expected, phase.masks, strict=True):
        assert not (got ^ want) & mask, f"{got:#x}, not {want:#x}"
    return phase


def network(device: CoveredDevice, seed: int, number: int) -> str:
    """A random network of the fuzzer's; its theme, "" if the compiler refuses it."""
    case = make_case(seed, number, config=device.config)
    device.stall(case.stall_seed)
    try:
        run_on(case, device)
    except RowforgeError:
        return ""
    finally:
        device.stall(None)
    return case.theme


def present() -> bool:
    """Whether the models of MLPerf Tiny are there."""
    return all((ROOT / "mlperf_tiny" / f"{name}.tflite").exists() for name in TINY_MODELS)


def first_operators(device: CoveredDevice, model: str) -> None:
    """The first operators of a model of MLPerf Tiny, every tensor compared."""
    content = (ROOT / "mlperf_tiny" / f"{model}.tflite").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{model}.tflite"
        path.write_bytes(cut(content, TINY_MODELS[model])[0])
        graph = load_model(path)
    arrays = random_inputs(np.random.default_rng(1), graph)
    options = CompileOptions(dump=True, profile=True)
    program = compile_graph(graph, device.config, options)
    outcome = Runtime(device, device.config).run(program, arrays)
    difference, _ = first_difference(program, 0, outcome.tensors, run_graph(graph, arrays))
    assert difference is None, difference

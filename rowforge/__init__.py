"""Rowforge: Eyeriss-style accelerators from a few lines of configuration.

    import numpy as np
    import rowforge

    config = rowforge.preset("tiny")  # or load_config("mine.toml")
    rowforge.generate(config, "out")  # Verilog and its companions
    compiled = rowforge.compile_model("model.tflite", config)  # a program for that accelerator
    compiled.layers, compiled.layers.plot()  # a table and a picture, which notebooks show
    result = rowforge.run_program(compiled, np.load("x.npy"), "rtl", check=True)
    result.outputs, result.difference, result.cycles
    rowforge.estimate("resnet50", config)["total"]  # by the model; `reproduce`: beside the chip

`save_program` and `load_program` keep programs as `.rfp` files, `Accelerator.open` is the driver's
session with a simulator or a board. Whatever a user can mend raises `RowforgeError`.
"""

from compiler.options import CompileOptions
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from hw.arch.program.file import load_program, save_program
from hw.arch.version import version_text
from rowforge.configs import load_config, preset, preset_names
from rowforge.estimation import estimate
from rowforge.generation import generate
from rowforge.reports.layer_table import LayerTable, Picture
from rowforge.reports.report import report
from rowforge.reproduction import reproduce
from rowforge.running.check import Difference
from rowforge.running.compilation import Compiled, compile_model
from rowforge.running.execution import Result, run_program
from rowforge.running.targets import register
from sw_driver.accelerator import Accelerator

__version__ = version_text()

__all__ = [
    "CompileOptions",
    "Compiled",
    "Config",
    "Accelerator",
    "Difference",
    "LayerTable",
    "Picture",
    "Program",
    "Result",
    "RowforgeError",
    "compile_model",
    "estimate",
    "generate",
    "load_config",
    "load_program",
    "preset",
    "preset_names",
    "report",
    "reproduce",
    "run_program",
    "save_program",
]

register()

"""Models and program files as things to run: what a path names, compiled where needed."""

from dataclasses import dataclass
from functools import partial
from importlib import resources
from pathlib import Path

from compiler.compile import compile_graph
from compiler.frontends import load_model
from compiler.ir.graph import Graph
from compiler.ir.refusals import Refusal, Refusals, located
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from hw.arch.programfile import load_program
from numerics.quantisation import RoundingRule
from rowforge.running.progress import Progress

PROGRAM_SUFFIX = ".rfp"
ROUNDINGS = tuple(mode.value for mode in RoundingRule if mode is not RoundingRule.RAW)


@dataclass(frozen=True, kw_only=True)
class CompileOptions:
    """How a model is compiled; a field that is left alone takes the model's own default.

    Attributes
    ----------
    rounding : "tflm", "ort", "single" or None
        How accumulators become outputs; None: as the model's own framework does.
    objective : "cycles", "traffic" or "energy"
        What mappings minimise.
    wrap : bool
        Psums may wrap modulo 2^psum_width.
    no_host : bool
        Refuse a model that needs the host for an operator.
    allow_host_mac : bool
        A convolution without a mapping may run on the host.
    """

    rounding: str | None = None
    objective: str = "cycles"
    wrap: bool = False
    no_host: bool = False
    allow_host_mac: bool = False


@dataclass(frozen=True)
class Compiled:
    """A program and, if it was compiled from a model just now, the graph that it computes.

    Attributes
    ----------
    program : the plain program, of which all figures are
    graph : what it computes; None for a program file
    wrap : psums may wrap
    kept : the program that brings every operator's output to the host, if checks or dumps want it
    """

    program: Program
    graph: Graph | None = None
    wrap: bool = False
    kept: Program | None = None


def compile_model(
    model: str | Path,
    config: Config,
    options: CompileOptions = CompileOptions(),
    *,
    keep_layers: bool = False,
) -> Compiled:
    """Compile a model file for a configuration.

    Parameters
    ----------
    model : path of a `.tflite` or `.onnx` file
    config : Config
    options : CompileOptions
    keep_layers : bool
        Compile besides a program that brings every operator's output to the host, for a check or
        a dump: `Compiled.kept`.

    Raises `RowforgeError` for a file that is damaged or an operator that cannot run.
    """
    progress = Progress()
    progress.show(f"compiling {Path(model).name}")
    graph = load_model(model)
    if options.rounding is not None:
        graph = graph.with_rounding(RoundingRule(options.rounding))
    compile_it = partial(
        compile_graph,
        graph,
        config,
        objective=options.objective,
        wrap=options.wrap,
        no_host=options.no_host,
        allow_host_mac=options.allow_host_mac,
    )
    program = compile_it(profile=True)
    kept = compile_it(dump=True) if keep_layers else None
    progress.clear()
    return Compiled(program, graph, options.wrap, kept)


def open_program(path: Path, config: Config | None, options: CompileOptions) -> Compiled:
    """Load a program file; `RowforgeError` if `config` or an option contradicts it."""
    program = load_program(path, config)
    if options.rounding not in (None, program.rounding):
        raise RowforgeError(f"{path} was compiled with rounding {program.rounding}; compile again")
    if options.wrap or options.allow_host_mac:
        name = "--wrap" if options.wrap else "--allow-host-mac"
        raise RowforgeError(f"{name} is for a model: {path} is compiled already")
    if options.no_host:
        _check_no_host(path, program)
    return Compiled(program)


def _check_no_host(path: Path, program: Program) -> None:
    refusals, reason = Refusals("layer"), "runs on the host, which --no-host forbids"
    for layer in program.layers:
        if layer.where == "host":
            error = RowforgeError(f"{layer.name} {reason}")
            refusals.add(error, Refusal(layer.op, layer.name, f"{layer.op} {reason}"))
    try:
        refusals.raise_any()
    except RowforgeError as error:
        raise located(path, error) from None


def digits_model() -> Path:
    """The model that ships with the package: handwritten digits of 8 x 8 pixels."""
    return Path(str(resources.files("rowforge") / "models" / "digits.tflite"))

"""Models and program files as things to run: what a path names, compiled where needed."""

from dataclasses import dataclass, replace
from html import escape
from importlib import resources
from pathlib import Path

from compiler.compile import compile_graph, rounded
from compiler.frontends import load_model
from compiler.ir.graph import Graph
from compiler.ir.refusals import Refusal, Refusals, located
from compiler.options import DEFAULTS, CompileOptions
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.program import Program
from hw.arch.program.file import load_program
from rowforge.reports.layer_table import LayerTable
from rowforge.reports.report import layer_row
from rowforge.running.progress import Progress

PROGRAM_SUFFIX = ".rfp"


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

    @property
    def layers(self) -> LayerTable:
        """The layers of the program, without what only a run can tell.

        Their `model_cycles` are the mapper's, and `cycles` None.
        """
        config = self.program.config
        return LayerTable([layer_row(config, layer, None) for layer in self.program.layers])

    def _repr_html_(self) -> str:
        array = self.program.config.array
        cycles = sum(layer.model_cycles or 0 for layer in self.program.layers)
        said = f"{self.program.name} on {array.rows} × {array.cols} PEs: {cycles:,} cycles"
        return f"<p>{escape(said)}</p>{self.layers._repr_html_()}"


def compile_model(
    model: str | Path,
    config: Config,
    options: CompileOptions = DEFAULTS,
    *,
    keep_layers: bool = False,
    by_layer: bool = True,
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
    by_layer : bool
        The program asks for the counters after every layer; otherwise once, before it ends.

    Raises `RowforgeError` for a file that is damaged or an operator that cannot run.
    """
    progress = Progress()
    progress.show(f"compiling {Path(model).name}")
    graph = rounded(load_model(model), options)
    asked = replace(options, profile=by_layer, counted=not by_layer)
    program = compile_graph(graph, config, asked)
    kept = compile_graph(graph, config, replace(options, dump=True)) if keep_layers else None
    progress.clear()
    return Compiled(program, graph, options.wrap, kept)


def open_program(path: Path, config: Config | None, options: CompileOptions) -> Compiled:
    """Load a program file; `RowforgeError` if `config` or an option contradicts it."""
    program = load_program(path, config)
    if options.rounding not in (None, program.rounding):
        raise RowforgeError(f"{path} was compiled with rounding {program.rounding}; compile again")
    for name, given in (
        ("--wrap", options.wrap),
        ("--allow-host-mac", options.allow_host_mac),
        ("--keep-constant-channels", options.keep_constant_channels),
    ):
        if given:
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

"""Compiles a quantised graph for a configuration: `compile_graph`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

from compiler.ir.graph import Graph
from compiler.ir.host_convolution import STEP, conv_step
from compiler.ir.ops import (
    RELABELLED,
    Concat,
    Constant,
    Conv,
    HostStep,
    Move,
    Node,
    Pad,
    Place,
    Reshape,
)
from compiler.ir.overflow import check_overflow
from compiler.ir.refusals import Refusal, Refusals
from compiler.moves.lift import with_moves
from compiler.moves.sooner import pointwise_first
from compiler.operators.build import array_operation, array_types
from compiler.operators.operation import OperationReport
from compiler.options import DEFAULTS, CompileOptions
from compiler.removal.removal import without_idle_channels
from compiler.removal.rewrite import Pruned, Removed, is_expansion
from compiler.schedule.goal import Goal
from compiler.schedule.scheduler import Scheduler
from compiler.schedule.tensors import TensorTable, default_view, pad_attributes, view_of
from compiler.stream.stream import StreamBuilder
from compiler.stream.traffic import LayerTraffic
from hw.arch.config import Config
from hw.arch.errors import RowforgeError
from hw.arch.images.board_program import board_program
from hw.arch.program import Host, Layer, Program, ProgramState
from numerics.quantisation import RoundingRule


def rounded(graph: Graph, options: CompileOptions) -> Graph:
    """The graph with the rounding that the options ask for: what its program computes."""
    if options.rounding is None:
        return graph
    return graph.with_rounding(RoundingRule(options.rounding))


def compile_graph(graph: Graph, config: Config, options: CompileOptions = DEFAULTS) -> Program:
    """The program that computes one inference of a graph.

    Parameters
    ----------
    graph : Graph
        Folded (`compiler.ir.fold.fold`) or not.
    config : Config
    options : CompileOptions

    Raises
    ------
    RowforgeError
        One sentence naming the layer, the limit and what would help; for several layers a line
        for each kind. Layers after the first are judged by their smallest tile. Where there is a
        memory for programs, also if the program does not fit it.
    """
    program = _compile(rounded(graph, options), config, options)
    if config.memory.present:
        board_program(program)
    return program


def estimate_graph(
    graph: Graph, config: Config, options: CompileOptions = DEFAULTS
) -> tuple[Layer, ...]:
    """The layers of a program with their estimates, without making it.

    Weights matter only as far as channels go with them (`compiler.removal`).
    """
    return timing_program(graph, config, options).layers


def timing_program(graph: Graph, config: Config, options: CompileOptions = DEFAULTS) -> Program:
    """A program without filters: all that cycles depend on, for `sim.cycles.predict(dry=True)`."""
    return _compile(graph, config, options, dry=True)


def _compile(
    graph: Graph, config: Config, options: CompileOptions, *, dry: bool = False
) -> Program:
    """The program without idle channels, or of the whole graph if that is what compiles."""
    pruned = _pruned(graph, config, options)
    if dry:
        options = replace(options, wrap=True)
    try:
        return _Compiler(pruned.graph, config, options, pruned.removed, dry=dry).compile()
    except RowforgeError:
        if not pruned.removed:
            raise
        # Other sizes may meet limits that the model's own do not.
        return _Compiler(graph, config, options, dry=dry).compile()


def _pruned(graph: Graph, config: Config, options: CompileOptions) -> Pruned:
    """The graph without idle channels; whole if the options say so, or it cannot be computed."""
    if options.keep_constant_channels:
        return Pruned(graph)
    width = config.array.psum_width if options.wrap else None
    try:
        return without_idle_channels(
            graph, lanes=config.lanes, psum_width=width, keep_all=options.dump
        )
    except RowforgeError:
        return Pruned(graph)  # the layer at fault is refused by its name


@dataclass
class _Report:
    """A layer's report while it is filled in; `node` is None for an absorbed operator."""

    name: str
    op: str
    where: Place
    reason: str
    node: Node | None = None
    output: int = -1
    cost: OperationReport | None = None
    removed: Mapping[str, int] = field(default_factory=dict)


def _with_host_mac(error: RowforgeError) -> RowforgeError:
    return RowforgeError(f"{error}; --allow-host-mac computes it on the host")


class _Compiler:
    """One compilation: walks the nodes in order."""

    def __init__(
        self,
        graph: Graph,
        config: Config,
        options: CompileOptions,
        removed: Mapping[str, Removed] = MappingProxyType({}),
        *,
        dry: bool = False,
    ) -> None:
        self.graph = with_moves(graph, config.lanes, array_types(config))
        if not options.dump:
            self.graph = pointwise_first(self.graph)
        self.config, self.options = config, options
        self.removed = removed
        self.stream = StreamBuilder(config, dry=dry)
        self.scheduler = Scheduler(self.stream, Goal(config, options.objective, options.zeros))
        self.tensors = TensorTable(self.graph, self.stream, self.scheduler, keep_all=options.dump)
        self.reports: list[_Report] = []
        self.expansions: dict[str, _Report] = {}  # tensors made whole, and the layers they are of
        self.refusals = Refusals("layer")

    def compile(self) -> Program:
        """The program."""
        inputs = tuple(self.tensors.enter_input(key) for key in self.graph.inputs)
        reads = tuple(self.tensors.enter_state(state) for state in self.graph.states)
        made: dict[str, int] = {}
        for position, node in enumerate(self.graph.nodes):
            if is_expansion(node):
                self._expansion(node, made[node.inputs[0]])
                continue
            made[node.output] = len(self.reports)
            self.stream.start_layer(len(self.reports))
            report = _Report(node.name, node.op, node.place, node.folded, node)
            if node.output in self.removed:
                report.removed = asdict(self.removed[node.output])
            self.reports.append(report)
            for name, op, reason in node.absorbs:
                self.reports.append(_Report(name, op, Place.FOLDED, reason))
            if self.refusals:
                self._judged(node)
                continue
            try:
                self._node(position, node, report)
            except RowforgeError as error:
                self._refuse(node, error)
                continue
            if self.options.dump:
                report.output = self.tensors.output_tensor(node.output)
            elif report.output < 0:
                report.output = self.tensors.index(node.output)
            if self.options.profile and report.where is Place.ARRAY:
                self.stream.query()
        self.refusals.raise_any()
        self.stream.start_layer(-1)
        outputs = tuple(self.tensors.output_tensor(key) for key in self.graph.outputs)
        writes = tuple(self.tensors.output_tensor(state.write) for state in self.graph.states)
        for key, report in self.expansions.items():
            report.output = self.tensors.on_host(key, report.output)
        if self.options.counted and not self.options.profile:
            self.stream.query()
        steps = self.stream.finish(outputs + writes)
        return Program(
            config=self.config,
            name=self.graph.name,
            tensors=tuple(self.tensors.specs),
            inputs=inputs,
            outputs=outputs,
            steps=steps,
            layers=tuple(self._layer(index, report) for index, report in enumerate(self.reports)),
            constants=self.tensors.constants,
            rounding=self.graph.rounding.value,
            memory=self.stream.memory,
            states=tuple(map(ProgramState, reads, writes)),
        )

    def _expansion(self, node: Node, layer: int) -> None:
        """A layer's output, of which channels went, is made whole for whoever asks for it."""
        report = self.reports[layer]
        self.expansions[node.output] = report
        if self.options.dump and not self.refusals:
            self.stream.start_layer(layer)
            report.output = self.tensors.output_tensor(node.output)

    # ---- nodes ----------------------------------------------------------------------------------

    def _node(self, position: int, node: Node, report: _Report) -> None:
        if isinstance(node, Constant):
            if self.options.dump or self.tensors.is_read(node.output):
                self.tensors.enter_constant(node.output, node.value)
        elif isinstance(node, Reshape):
            report.where = Place.FOLDED
            report.reason = node.folded or RELABELLED
        elif isinstance(node, HostStep) and not node.folded:
            report.reason = node.reason
            self._host_step(node, node.function, node.parameters, report)
        elif not node.folded:
            self._array_node(position, node, report)

    def _array_node(self, position: int, node: Node, report: _Report) -> None:
        if not isinstance(node, Conv):
            self._on_array(position, node, report)
            return
        try:
            self._on_array(position, node, report)
        except RowforgeError as error:
            if not self.options.allow_host_mac:
                raise _with_host_mac(error) from None
            self.tensors.withdraw(node.output)
            report.reason = str(error).removeprefix(f"{node.name}: ")
            self._host_conv(node, report)

    def _on_array(self, position: int, node: Node, report: _Report) -> None:
        source = self.graph.tensors[node.inputs[0]]
        if isinstance(node, Conv):
            check_overflow(self.config, node, source.dtype, wrap=self.options.wrap)
        operands = self.tensors.operands(node)
        operation = array_operation(
            self.config,
            node,
            tuple(value.shape for value in operands),
            source,
            self.graph.tensors[node.output],
            self.options.objective,
        )
        if isinstance(operation, str):
            self._fallback(node, operation, report)
            return
        output = self.tensors.enter(node.output, operation.target)
        count = self.scheduler.run(position, operation, operands, output)
        report.cost = operation.report()
        report.output = output.tensor
        if count > 1:
            report.reason = f"in {count} tiles through the host"

    def _fallback(self, node: Node, reason: str, report: _Report) -> None:
        """An operator that only moves data may run on the host."""
        report.reason = reason
        if isinstance(node, Concat):
            self._host_step(node, "concat", {"axis": node.axis}, report)
        elif isinstance(node, Pad):
            self._host_step(node, "pad", pad_attributes(node), report)
        elif isinstance(node, Move):
            self._host_step(node, node.function, node.parameters, report)
        else:
            raise RowforgeError(f"{node.name}: {reason}")

    def _host_conv(self, node: Conv, report: _Report) -> None:
        """A convolution in the host's arithmetic, its weights among the program's constants."""
        step = conv_step(node, self.config.array.psum_width if self.options.wrap else None)
        constants = tuple(
            self.tensors.enter_array(f"{node.output} {what}", array)
            for what, array in step.constants.items()
        )
        self._host_step(node, STEP, step.parameters, report, constants)

    def _host_step(
        self,
        node: Node,
        op: str,
        parameters: dict[str, Any],
        report: _Report,
        constants: tuple[int, ...] = (),
    ) -> None:
        self._need_host(node)
        report.where = Place.HOST
        report.reason = report.reason or "no unit of the accelerator computes it"
        inputs = tuple(self.tensors.host_tensor(key) for key in node.inputs)
        value = self.tensors.enter(node.output, on_host=True)
        self.stream.host(Host(op, inputs + constants, (value.tensor,), dict(parameters)))
        report.output = value.tensor

    # ---- refusals -------------------------------------------------------------------------------

    def _refuse(self, node: Node, error: RowforgeError) -> None:
        reason = str(error).removeprefix(f"{node.name}: ")
        self.refusals.add(error, Refusal(node.op, node.name, reason))

    def _judged(self, node: Node) -> None:
        """Notes a node after a refused one if it could not be served either; nothing is made."""
        try:
            if isinstance(node, HostStep) and not node.folded:
                self._need_host(node)
            elif node.place is Place.ARRAY and not isinstance(node, Reshape):
                self._judge_array_node(node)
        except RowforgeError as error:
            self._refuse(node, error)

    def _judge_array_node(self, node: Node) -> None:
        sources = [self.graph.tensors[key] for key in node.inputs]
        views = [default_view(source.shape) for source in sources]
        if not isinstance(node, Concat | Pad | Move):
            views = [view_of(node) or views[0]] * len(sources)
        target = self.graph.tensors[node.output]
        try:
            if isinstance(node, Conv):
                check_overflow(self.config, node, sources[0].dtype, wrap=self.options.wrap)
            operation = array_operation(
                self.config, node, tuple(views), sources[0], target, self.options.objective
            )
            if not isinstance(operation, str):
                self.scheduler.judge(operation)
                return
        except RowforgeError as error:
            if not isinstance(node, Conv):
                raise
            if not self.options.allow_host_mac:
                raise _with_host_mac(error) from None
        self._need_host(node)

    def _need_host(self, node: Node) -> None:
        if self.options.no_host:
            raise RowforgeError(f"{node.name}: {node.op} runs on the host, which --no-host forbids")

    # ---- reports --------------------------------------------------------------------------------

    def _layer(self, index: int, report: _Report) -> Layer:
        node = report.node
        macs = node.macs if isinstance(node, Conv) else 0
        traffic = self.stream.traffic.get(index, LayerTraffic())
        cost = report.cost
        accesses, transfers, cycles = traffic.accesses, traffic.transfers, 0
        if cost is not None:
            cost = self.scheduler.sharing.shared(index, cost)
            accesses = cost.accesses + accesses
            transfers = replace(transfers, reads=cost.reads)
            cycles = transfers.cycles(cost.cycles)
        # Nothing models firmware.
        modelled = cost is not None and not self.config.control.microcontroller
        longer = cost is not None and transfers.longer_than(cost.cycles)
        bound = "link" if longer else (cost.bound if cost else "")
        return Layer(
            name=report.name,
            op=report.op,
            where=report.where.value,
            reason=report.reason,
            output=report.output,
            macs=macs,
            model_cycles=cycles if modelled else None,
            computing=cost.cycles if cost is not None and modelled else None,
            transfers=asdict(transfers),
            accesses=accesses,
            bound=bound if modelled else "",
            mapping=cost.mapping if cost else {},
            removed=report.removed,
        )

"""Collects the operators of an ONNX model that cannot run, and what cannot be judged after them.

Types and shapes of an ONNX tensor are known only when its operator is converted, so that operators
which read the result of a refused one are judged by their type and their weights alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from compiler.frontends.onnx.model.node import RawNode
from compiler.frontends.onnx.model.reader import RawOnnxModel
from compiler.ir.refusals import OperatorRefusedError, Refusal, Refusals
from hw.arch.errors import RowforgeError

_SHAPES = ("Shape", "Size")


class Blockers:
    """The refusals of one model so far.

    Attributes
    ----------
    names : tensors that nothing computes, since an operator before them was refused
    static : tensors that follow from constants and shapes, and are known when the model is read
    """

    def __init__(self, raw: RawOnnxModel) -> None:
        self.names: set[str] = set()
        self.static = static_names(raw)
        self._nodes = {node.index: node for node in raw.nodes}
        self._refusals = Refusals()

    def reach(self, node: RawNode) -> bool:
        """Whether a refused operator lies before a node."""
        return not self.names.isdisjoint((*node.inputs, *node.outputs))

    def give_up(self, node: RawNode) -> None:
        """Takes the outputs of a node as computed by nothing."""
        self.names.update(filter(None, node.outputs))

    @contextmanager
    def noted(self, node: RawNode) -> Iterator[None]:
        """Notes a refusal while a node is converted; the one refused may be another before it."""
        reached = self.reach(node)
        try:
            yield
        except OperatorRefusedError as error:
            self._refusals.add(error, error.parts)
            self.give_up(self._nodes[error.index])
            self.give_up(node)
        except RowforgeError as error:
            self._refusals.add(error, Refusal(node.op_type, str(node.index), str(error)))
            self.give_up(node)
        if reached:
            self.give_up(node)

    def raise_any(self) -> None:
        """Raises what was collected, if there is anything."""
        self._refusals.raise_any()


def static_names(raw: RawOnnxModel) -> set[str]:
    """Tensors that follow from constants and from shapes of tensors."""
    known = {*raw.constants, *raw.unreadable}
    for node in raw.nodes:
        given = [name for name in node.inputs if name]
        constant = bool(given) or node.op_type == "Constant"
        if node.op_type in _SHAPES or (constant and all(name in known for name in given)):
            known.update(filter(None, node.outputs))
    return known

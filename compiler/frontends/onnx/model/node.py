"""An operator of an ONNX file as plain values."""

from dataclasses import dataclass
from typing import Any, NoReturn

from compiler.ir.refusals import OperatorRefusedError


@dataclass(frozen=True, eq=False)
class RawNode:
    """An operator as the file has it; an absent optional input is an empty name."""

    index: int
    name: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]

    @property
    def label(self) -> str:
        """`NNN_Type`, for nodes that have no name of their own."""
        return f"{self.index:03d}_{self.op_type}"

    def refuse(self, reason: str, remedy: str) -> NoReturn:
        """Raises the one sentence that names operator, node, position, reason and what helps."""
        raise OperatorRefusedError(self.index, self.op_type, reason, remedy, self.name)

    def integer(self, name: str, default: int) -> int:
        """An attribute that is an integer."""
        return int(self._typed(name, default, int, "an integer"))

    def number(self, name: str, default: float) -> float:
        """An attribute that is a number."""
        return float(self._typed(name, default, float, "a number"))

    def text(self, name: str, default: str) -> str:
        """An attribute that is a word."""
        return str(self._typed(name, default, str, "a word"))

    def integers(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...] | None:
        """An attribute that is a list of integers."""
        value = self._typed(name, default or (), tuple, "a list of integers")
        if not all(isinstance(number, int) for number in value):
            self.refuse(f"its attribute {name} must be a list of integers", "export it again")
        return tuple(value) if name in self.attributes else default

    def _typed(self, name: str, default: Any, kind: type, what: str) -> Any:
        value = self.attributes.get(name, default)
        if not isinstance(value, kind):
            self.refuse(f"its attribute {name} must be {what}", "export the model again")
        return value

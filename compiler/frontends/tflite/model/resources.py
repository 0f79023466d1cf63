"""The resource variables of a TFLite file, which operators name by a handle.

VAR_HANDLE gives the handle of a container and a name, READ_VARIABLE and ASSIGN_VARIABLE get it as
a tensor. All that a file says of its variables is collected before any operator is converted,
because the type of a variable may stand at an operator after the one that reads it.
"""

from dataclasses import dataclass, field

from compiler.frontends.tflite.model.reader import RawOperator, RawTensor, RawTfliteModel


@dataclass(eq=False)
class ResourceVariable:
    """A variable: its name, and the first tensor that any subgraph assigns to it."""

    container: str | None
    name: str
    assigned: RawTensor | None = None
    data: RawTensor | None = None
    """The constant that an initialising subgraph assigns, once CALL_ONCE has named it."""


@dataclass(frozen=True)
class ResourceTable:
    """The variables of a file, and the tensors of each subgraph that are handles to them."""

    _all: list[ResourceVariable] = field(default_factory=list)
    _handles: dict[tuple[int, int], ResourceVariable] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: RawTfliteModel) -> "ResourceTable":
        """Collects them in the order in which TensorFlow Lite Micro prepares operators."""
        found = cls()
        for number, graph in sorted({0: raw, **raw.initialising}.items()):
            for op in graph.operators:
                found._note(number, graph, op)
        return found

    def handled(self, tensor: int, subgraph: int = 0) -> ResourceVariable | None:
        """The variable to which a tensor of a subgraph is a handle."""
        return self._handles.get((subgraph, tensor))

    def _note(self, number: int, graph: RawTfliteModel, op: RawOperator) -> None:
        if op.type_name == "VAR_HANDLE" and op.outputs and op.options["SharedName"]:
            container, name = (
                None if text is None else text.decode("utf-8", "replace")
                for text in (op.options["Container"], op.options["SharedName"])
            )
            self._handles[number, op.outputs[0]] = self._named(container, name or "")
        elif op.type_name == "ASSIGN_VARIABLE" and len(op.inputs) == 2 and op.inputs[1] >= 0:
            resource = self.handled(op.inputs[0], number)
            if resource is not None and resource.assigned is None:
                resource.assigned = graph.tensors[op.inputs[1]]

    def _named(self, container: str | None, name: str) -> ResourceVariable:
        for resource in self._all:
            # Writers leave a container out to save space: such a handle means any of the name.
            same = None in (container, resource.container) or container == resource.container
            if same and resource.name == name:
                return resource
        self._all.append(ResourceVariable(container, name))
        return self._all[-1]

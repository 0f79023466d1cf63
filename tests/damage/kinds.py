"""All hand-made kinds of broken files by name."""

from tests.damage.kind import Kind
from tests.damage.kinds_bytes import BYTES
from tests.damage.kinds_graph import GRAPHS
from tests.damage.kinds_large import LARGE
from tests.damage.kinds_onnx import ONNX
from tests.damage.kinds_operator import OPERATORS

KINDS: dict[str, Kind] = {**BYTES, **GRAPHS, **OPERATORS, **LARGE, **ONNX}

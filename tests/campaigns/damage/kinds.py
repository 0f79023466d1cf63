"""All hand-made kinds of broken files by name."""

from tests.campaigns.damage.kind import Kind
from tests.campaigns.damage.kinds_bytes import BYTES
from tests.campaigns.damage.kinds_graph import GRAPHS
from tests.campaigns.damage.kinds_large import LARGE
from tests.campaigns.damage.kinds_onnx import ONNX
from tests.campaigns.damage.kinds_operator import OPERATORS
from tests.campaigns.damage.kinds_parts import PARTS
from tests.campaigns.damage.kinds_state import STATE

KINDS: dict[str, Kind] = {**BYTES, **GRAPHS, **OPERATORS, **PARTS, **STATE, **LARGE, **ONNX}

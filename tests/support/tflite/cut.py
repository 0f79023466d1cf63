"""The first operators of a `.tflite` file as a model of its own."""

import struct

import tflite


def cut(content: bytes, operators: int) -> tuple[bytes, int]:
    """(the file with only its first operators, the tensor that is now its only output).

    A vector of a flatbuffer is its length and its elements, and nothing else tells their number:
    two lengths and one element are changed in place.
    """
    model = tflite.Model.GetRootAs(content, 0)
    graph = model.Subgraphs(0)
    if not 1 <= operators <= graph.OperatorsLength() or graph.OutputsLength() < 1:
        raise ValueError(f"the model has {graph.OperatorsLength()} operators, not {operators}")
    last = graph.Operators(operators - 1).Outputs(0)
    shorter = bytearray(content)
    for slot, length in ((_OPERATORS, operators), (_OUTPUTS, 1)):
        start = graph._tab.Vector(graph._tab.Offset(slot))
        struct.pack_into("<I", shorter, start - 4, length)
        if slot == _OUTPUTS:
            struct.pack_into("<i", shorter, start, last)
    return bytes(shorter), int(last)


# Places in the virtual table of a SubGraph.
_OUTPUTS = 8
_OPERATORS = 10

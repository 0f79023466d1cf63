"""What a TFLite file asks for as a whole: state between runs, several functions."""

from compiler.frontends.tflite_reader import RawModel
from hw.arch.errors import RowforgeError

_STATE = ("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE")


def check_whole(raw: RawModel) -> None:
    """Refuses a file whose first subgraph alone, run once, is not what the file means."""
    stateful = [op for op in raw.operators if op.type_name in _STATE]
    if stateful:
        listed = ", ".join(f"{op.index} {op.type_name}" for op in stateful)
        raise RowforgeError(
            f"the model keeps state between runs in resource variables, which is not supported "
            f"(operators {listed}); export it without state, its variables as inputs and outputs"
        )
    others = sorted(set(raw.signatures) - {0})
    if others:
        raise RowforgeError(
            f"it has a signature that runs subgraph {others[0]}, but only the first subgraph runs; "
            f"export one signature a file"
        )

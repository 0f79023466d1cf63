"""Front ends: model files of any supported format to one quantised graph."""

from pathlib import Path

from compiler.frontends.tflite.loader import load_tflite
from compiler.ir.fold import fold
from compiler.ir.graph import Graph
from hw.arch.errors import RowforgeError

__all__ = ["load_model", "load_tflite"]


def load_model(path: str | Path) -> Graph:
    """Reads a model by its suffix and folds what costs nothing on the accelerator."""
    suffix = Path(path).suffix.lower()
    if suffix == ".tflite":
        return fold(load_tflite(path))
    if suffix == ".onnx":
        # Imported here: a model of another format must not pay for the ONNX parser.
        from compiler.frontends.onnx.loader import load_onnx

        return fold(load_onnx(path))
    raise RowforgeError(f"a model's file name must end in .tflite or .onnx, not '{path}'")

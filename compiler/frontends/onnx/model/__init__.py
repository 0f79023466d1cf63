"""An ONNX file as nodes and tensors, and the graph while it is built from them."""

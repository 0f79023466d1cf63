"""Random ONNX graphs and the proof of what differs."""

"""ONNX models for tests, and ONNX Runtime as their oracle."""

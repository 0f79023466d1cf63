"""Tests of `compiler.frontends.onnx`."""

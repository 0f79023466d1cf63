"""Tests of `compiler.frontends.tflite`."""

"""Tests of `compiler.stream`."""

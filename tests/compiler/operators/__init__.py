"""Tests of `compiler.operators`."""

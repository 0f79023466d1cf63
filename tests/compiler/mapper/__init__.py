"""Tests of `compiler.mapper`."""

"""Tests of `compiler.cache`."""

"""Tests of `rowforge.tracing`."""

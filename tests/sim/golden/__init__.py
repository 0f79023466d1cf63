"""Tests of `sim.golden`."""

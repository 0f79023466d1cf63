"""Tests of `sim.functional`."""

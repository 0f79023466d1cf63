"""Tests of `rowforge.chip`."""

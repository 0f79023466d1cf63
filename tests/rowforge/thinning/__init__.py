"""Tests of `rowforge.thinning`."""

"""Tests of `rowforge.area`."""

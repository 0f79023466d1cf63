"""Tests of `rowforge.shapes`."""

"""Tests of `rowforge.exploring`."""

"""Tests of `rowforge.reports`."""

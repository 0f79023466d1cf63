"""Tests of `rowforge.page`."""

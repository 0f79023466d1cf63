"""Tests of energy and accesses of layers."""

"""Tests of what reads Verilator's coverage."""

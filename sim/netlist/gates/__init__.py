"""Netlists of standard cells, simulated gate by gate: without delays, with two states."""

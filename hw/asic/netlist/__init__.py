"""Netlists of standard cells: synthesis, area, timing."""

"""Tests of the ground-floor arithmetic."""

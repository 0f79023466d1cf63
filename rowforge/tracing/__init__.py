"""Traces of programs as files that a viewer opens."""

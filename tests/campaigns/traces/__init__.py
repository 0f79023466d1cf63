"""Traces of the RTL beside its counters and beside the exact model's."""

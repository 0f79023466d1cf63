"""Searches for configurations: killed, resumed, on clusters; and their fronts as accelerators."""

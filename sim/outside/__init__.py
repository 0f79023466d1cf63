"""Memories outside of the core: what a simulated accelerator finds at its pins."""

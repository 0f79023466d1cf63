"""Broken model files: what the command does with them."""

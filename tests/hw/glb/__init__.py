"""The way to the global buffer."""

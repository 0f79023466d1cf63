"""The vector engine: element-wise operators and pools on the global buffer."""

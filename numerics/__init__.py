"""The reference interpreters' arithmetic in NumPy, for compiler, golden model and driver."""

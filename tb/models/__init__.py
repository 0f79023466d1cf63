"""Reference models in plain Python and NumPy: what the blocks must do, without cycles."""

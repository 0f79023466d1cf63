"""Small mistakes, made one at a time, that the tests must notice; see `run.py`."""

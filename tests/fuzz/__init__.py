"""Random layers on random configurations: the compiler and the RTL against the golden model.

`python -m tests.fuzz.run --n 300` runs a campaign; see `tests/fuzz/run.py`.
"""

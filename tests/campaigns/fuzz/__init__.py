"""Random layers on random configurations: the compiler and the RTL against the golden model.

`python -m tests.campaigns.fuzz.run --n 300` runs a campaign; see `tests/campaigns/fuzz/run.py`.
"""

"""Random graphs of operators on random small configurations, both schedules against golden.

`python -m tests.fuzz_network.run --n 300` runs a campaign; see `tests/fuzz_network/run.py`.
"""

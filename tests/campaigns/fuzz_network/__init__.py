"""Random graphs of operators on random small configurations, both schedules against golden.

`python -m tests.campaigns.fuzz_network.run --n 300` runs a campaign; see
`tests/campaigns/fuzz_network/run.py`.
"""

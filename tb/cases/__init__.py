"""What the benches are run with: cases for any configuration, block by block.

Tests run them for configurations of their own, `rowforge bench` for the user's.
"""

"""The testbench that belongs to a generated accelerator: a network made for it, and its results."""

"""The testbench that `rowforge generate` writes: these files as they are, beside a program."""

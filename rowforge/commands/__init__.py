"""The commands, one module each.

A module has a docstring whose first line is the command's help, `add_arguments(parser)`, and
`run(args) -> int`, which returns the exit status.
"""

"""The commands, one module each; those that concern a board are in `board`,
those that help to choose a model or a configuration in `design`.

A module has a docstring whose first line is the command's help, `add_arguments(parser)`, and
`run(args) -> int`, which returns the exit status.
"""

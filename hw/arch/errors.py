"""The one error of the user's making: bad configuration, model, input or program."""


class RowforgeError(ValueError):
    """One sentence that names the thing, its value and the limit; the command line prints it alone.

    Raised for anything a user can mend: a field out of range, an unsupported operator, a file that
    does not parse, a program made for another configuration. Exit status 2 on the command line.
    """

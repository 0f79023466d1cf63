"""Where a bench finds its case; on its own, so that a simulator does not import what builds it."""

CASE_VARIABLE = "TB_CASE"
"""Variable of the environment that names the file."""

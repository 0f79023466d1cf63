"""The commands that concern a board, or what stands in for one."""

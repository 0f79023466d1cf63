"""The words of a program: commands in order, what they wait for, tables, surfaces in the buffer."""

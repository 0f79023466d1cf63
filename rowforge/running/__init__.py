"""Compiling and running programs, and comparing them with the golden model."""

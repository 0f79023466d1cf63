"""Lowering: from mapped operators to the command stream."""

"""Parts of operands in the global buffer: where they lie, and when they are loaded."""

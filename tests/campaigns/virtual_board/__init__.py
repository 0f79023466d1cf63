"""Real networks against the virtual board, over every line, with the same driver code."""

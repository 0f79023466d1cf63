"""From the descriptor of a CONV to one pass after the other."""

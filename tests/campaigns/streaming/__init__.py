"""Campaign: streaming networks, step by step on every engine."""

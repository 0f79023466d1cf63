"""The search for configurations: a space, evaluations, the front of what cannot be bettered."""

"""Which operators are compared with an oracle, in which types, and where they run."""

"""Commands that measure, their results under docs/results/, and the tables made of them."""

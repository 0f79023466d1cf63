"""Energy of layers: their accesses at every level, priced and reported."""

"""How good and how fast the search for configurations is."""

"""Long runs with seeds; a slice of each is among the tests."""

"""Long runs with seeds; a slice of each is among the tests."""

import os

# Random layers never come again: what is found for them is not worth keeping.
os.environ.setdefault("ROWFORGE_CACHE", "")

"""Properties of processing elements and their parts."""

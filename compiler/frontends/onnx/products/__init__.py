"""Convolutions and matrix products with all that is linear after them."""

"""Operators that are no products: moves, joins, pools, sums of two tensors, constants."""

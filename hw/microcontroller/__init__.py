"""A processor in the place of decoder and engines, for parts that have no room for them."""

"""Networks with fewer filters or narrower weights, and what they would cost."""

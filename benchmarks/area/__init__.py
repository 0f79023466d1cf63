"""The model of areas: syntheses of configurations, and the coefficients fitted to them."""

"""Whether two commits make the same hardware and the same programs."""

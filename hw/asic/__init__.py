"""ASIC processes: their memory macros, and what layout flows are told of a design."""

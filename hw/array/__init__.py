"""The PE array: networks, PEs and the ends of the columns."""
